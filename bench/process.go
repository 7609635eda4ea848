package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of /proc/PID/stat's times.
const tick = time.Second / 100

// processes returns the numbers of the server's process and its children, as
// nginx's workers are.
func (v *server) processes() ([]string, error) {
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	own := strconv.Itoa(v.cmd.Process.Pid)
	var pids []string
	for _, file := range files {
		pid := filepath.Base(filepath.Dir(file))
		if stat, err := statOf(pid); err == nil && (pid == own || stat[1] == own) {
			pids = append(pids, pid)
		} // an error: it has ended meanwhile
	}
	return pids, nil
}

// statOf returns what follows the name in /proc/PID/stat: state, parent and so
// on.
func statOf(pid string) ([]string, error) {
	b, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		return nil, err
	}
	fields := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
	if len(fields) < 13 {
		return nil, fmt.Errorf("/proc/%s/stat: %d fields", pid, len(fields))
	}
	return fields, nil
}

// cpu is the processor time that the server has used so far.
func (v *server) cpu() (time.Duration, error) {
	pids, err := v.processes()
	if err != nil {
		return 0, err
	}
	var total time.Duration
	for _, pid := range pids {
		stat, err := statOf(pid)
		if err != nil {
			return 0, err
		}
		for _, field := range stat[11:13] { // user and system
			n, err := strconv.ParseInt(field, 10, 64)
			if err != nil {
				return 0, fmt.Errorf("/proc/%s/stat: %w", pid, err)
			}
			total += time.Duration(n) * tick
		}
	}
	return total, nil
}

// memory is what the server holds that is no file's, in MB.
func (v *server) memory() (float64, error) {
	pids, err := v.processes()
	if err != nil {
		return 0, err
	}
	total := 0.0
	for _, pid := range pids {
		b, err := os.ReadFile("/proc/" + pid + "/status")
		if err != nil {
			return 0, err
		}
		_, rest, ok := strings.Cut(string(b), "RssAnon:")
		if !ok {
			continue // ended, and not yet waited for
		}
		value, _, _ := strings.Cut(rest, "kB")
		kb, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
		if err != nil {
			return 0, fmt.Errorf("/proc/%s/status: %w", pid, err)
		}
		total += kb / 1000
	}
	return total, nil
}
