//go:build crashpoints

package crashpoint

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
)

// EnvAt names the point at which the process dies, as "where what" or
// "where what/3" for the third time it is reached. It begins like the other
// variables that are no settings.
const EnvAt = "GONGKAI_TEST_CRASH"

var (
	at   = os.Getenv(EnvAt)
	left atomic.Int64
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
	if at == where+" "+what && left.Add(-1) == 0 {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {} // the signal is on its way
	}
}
