//go:build crashpoints

package crashpoint

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
)

// EnvAt names the point at which the process dies, as "where what" or
// "where what/3" for the third time it is reached. It begins like the other
// variables that are no settings.
const EnvAt = "GONGKAI_TEST_CRASH"

// EnvLog names a file to which each point is added that the process passes.
const EnvLog = "GONGKAI_TEST_CRASH_LOG"

var (
	log    = os.Getenv(EnvLog)
	passed sync.Map
	at     = os.Getenv(EnvAt)
	left   atomic.Int64
)

func init() {
	left.Store(1)
	if point, times, ok := strings.Cut(at, "/"); ok {
		at = point
		n, err := strconv.ParseInt(times, 10, 64)
		if err != nil || n < 1 {
			fmt.Fprintln(os.Stderr, EnvAt+" should end in a number from 1")
			os.Exit(2)
		}
		left.Store(n)
	}
}

// Hit ends the process as a power cut would, if it is to end here: nothing is
// closed, flushed or said.
func Hit(where, what string) {
	if _, known := passed.LoadOrStore(where+" "+what, true); log != "" && !known {
		note(where + " " + what)
	}
	if at == where+" "+what && left.Add(-1) == 0 {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {} // the signal is on its way
	}
}

// note adds a point to the log; several processes may.
func note(point string) {
	f, err := os.OpenFile(log, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err == nil {
		_, err = f.WriteString(point + "\n")
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "crash points:", err)
		os.Exit(2)
	}
}
