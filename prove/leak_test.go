package main

import (
	"bytes"
	"runtime"
	"runtime/pprof"
	"strings"
	"testing"
)

// TestLeakIsFoundAndNamed plants goroutines that stay.
func TestLeakIsFoundAndNamed(t *testing.T) {
	look := func() (v vitals) {
		var profile bytes.Buffer
		if err := pprof.Lookup("goroutine").WriteTo(&profile, 1); err != nil {
			t.Fatal(err)
		}
		var err error
		if v.stacks, err = stacks(&profile); err != nil {
			t.Fatal(err)
		}
		for _, count := range v.stacks {
			v.goroutines += count
		}
		return v
	}
	before := look()
	if before.leaked(before) || grown(before.stacks, before.stacks) != "" {
		t.Error("what stayed as it was is called a leak")
	}
	standing, end := make(chan bool), make(chan bool)
	for range 10 { // others, of the tests before, may end meanwhile
		go stay(standing, end)
		<-standing
	}
	after := look()
	close(end)
	named := grown(before.stacks, after.stacks)
	if !after.leaked(before) || !strings.Contains(named, "+10 in ") || !strings.Contains(named, ".stay") {
		t.Errorf("%s → %s%s", before, after, named)
	}
	for look().goroutines > before.goroutines {
		runtime.Gosched() // until they are gone
	}
}

func stay(standing chan<- bool, end <-chan bool) {
	standing <- true
	<-end
}

func TestLeaksOfFilesAndMemory(t *testing.T) {
	before := vitals{goroutines: 30, files: 20, mib: 25}
	for held, leaked := range map[*vitals]bool{
		{goroutines: 33, files: 23, mib: 33}: false,
		{goroutines: 1, files: 1, mib: 1}:    false,
		{goroutines: 34, files: 20, mib: 25}: true,
		{goroutines: 30, files: 24, mib: 25}: true,
		{goroutines: 30, files: 20, mib: 34}: true,
	} {
		if held.leaked(before) != leaked {
			t.Errorf("%s → %s: leaked is %v", before, held, !leaked)
		}
	}
}
