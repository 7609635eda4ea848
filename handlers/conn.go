package handlers

import (
	"errors"
	"io"
	"net"
	"sync/atomic"
	"syscall"
	"time"
)

// What is left of a refused body is read, and dropped, for so long.
const (
	lingerTime  = 5 * time.Second
	lingerBytes = 256 << 20
)

// deadlineSlack is how much earlier than asked a connection's deadline may
// strike.
const deadlineSlack = time.Second

// lazyListener hands out connections whose deadlines are armed lazily.
type lazyListener struct{ net.Listener }

// Accept waits for the next connection. While the system has no file descriptor
// or memory left for one it waits and tries again: fasthttp would take that for
// the end of the listener, and the program would end with it.
func (l lazyListener) Accept() (net.Conn, error) {
	for pause := acceptPause; ; pause = min(2*pause, acceptLongest) {
		c, err := l.Listener.Accept()
		if err == nil {
			return &lazyConn{Conn: c}, nil
		}
		if !scarce(err) {
			return nil, err
		}
		timer := time.NewTimer(pause)
		<-timer.C
	}
}

// Between two tries of Accept when the system is short of what it takes.
const (
	acceptPause   = 5 * time.Millisecond
	acceptLongest = time.Second
)

// scarce reports whether an error of Accept passes by itself.
func scarce(err error) bool {
	for _, passing := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.ECONNABORTED} {
		if errors.Is(err, passing) {
			return true
		}
	}
	return false
}

// Close stops accepting; a second time it does nothing.
func (l lazyListener) Close() error {
	if err := l.Listener.Close(); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// lazyConn arms deadlines only when it is about to wait, and leaves one armed
// that strikes at most deadlineSlack too early. fasthttp sets three for each
// request – idle, read, write – and each would move a timer under a lock, a
// quarter of what a cached answer costs; a busy connection needs one a second.
//
// One goroutine at a time uses it, as fasthttp does; Close may come from
// another.
type lazyConn struct {
	net.Conn
	read, write deadline
	unread      atomic.Bool // the client is still sending what was refused
}

// Close ends the connection. To a client that is still sending, closing at once
// would be a reset, and the answer that says why would be lost with it.
func (c *lazyConn) Close() error {
	if c.unread.Swap(false) {
		if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
			_ = half.CloseWrite()
		}
		stop := time.AfterFunc(lingerTime, func() { _ = c.Conn.SetReadDeadline(time.Unix(1, 0)) })
		_ = c.Conn.SetReadDeadline(time.Time{})
		_, _ = io.CopyN(io.Discard, c.Conn, lingerBytes) // however it ends, the connection does
		stop.Stop()
	}
	return c.Conn.Close()
}

// deadline is what was asked for and what the connection has been told.
type deadline struct{ wanted, armed time.Time }

// due reports whether the connection must be told, and takes note.
func (d *deadline) due() bool {
	early := d.wanted.Sub(d.armed)
	if d.wanted.IsZero() == d.armed.IsZero() && early >= 0 && early < deadlineSlack {
		return false
	}
	d.armed = d.wanted
	return true
}

// Read implements net.Conn.
func (c *lazyConn) Read(p []byte) (int, error) {
	if c.read.due() {
		if err := c.Conn.SetReadDeadline(c.read.armed); err != nil {
			return 0, err
		}
	}
	return c.Conn.Read(p)
}

// Write implements net.Conn.
func (c *lazyConn) Write(p []byte) (int, error) {
	if c.write.due() {
		if err := c.Conn.SetWriteDeadline(c.write.armed); err != nil {
			return 0, err
		}
	}
	return c.Conn.Write(p)
}

// SetReadDeadline implements net.Conn; it takes effect at the next Read.
func (c *lazyConn) SetReadDeadline(t time.Time) error {
	c.read.wanted = t
	return nil
}

// SetWriteDeadline implements net.Conn; it takes effect at the next Write.
func (c *lazyConn) SetWriteDeadline(t time.Time) error {
	c.write.wanted = t
	return nil
}

// SetDeadline implements net.Conn.
func (c *lazyConn) SetDeadline(t time.Time) error {
	c.read.wanted, c.write.wanted = t, t
	return nil
}
