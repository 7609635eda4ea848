package handlers

import (
	"errors"
	"net"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
)

// poorListener lacks file descriptors for a while, and is closed in the end.
type poorListener struct {
	net.Listener
	poor  int
	tries int
}

// Accept implements net.Listener.
func (l *poorListener) Accept() (net.Conn, error) {
	l.tries++
	switch {
	case l.tries <= l.poor:
		return nil, &net.OpError{Op: "accept", Err: os.NewSyscallError("accept4", syscall.EMFILE)}
	case l.tries == l.poor+1:
		ours, _ := net.Pipe()
		return ours, nil
	}
	return nil, net.ErrClosed
}

// TestAcceptOutlastsScarcity: a process that has no file descriptor left goes on
// when it has; the end of the listener is told at once.
func TestAcceptOutlastsScarcity(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &poorListener{poor: 20}
		c, err := lazyListener{l}.Accept()
		if err != nil || l.tries != 21 {
			t.Fatalf("after %d tries: %v", l.tries, err)
		}
		_ = c.Close()
		if _, err := (lazyListener{l}).Accept(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("a closed listener: %v", err)
		}
	})
}
