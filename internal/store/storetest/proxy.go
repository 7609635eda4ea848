package storetest

import (
	"net"
	"net/url"
	"sync"
	"testing"
	"time"
)

// Proxy stands on the network between a program and a server and does to their
// connections what networks do.
type Proxy struct {
	target   string
	listener net.Listener

	mu    sync.Mutex
	mode  proxyMode
	delay time.Duration
	conns map[net.Conn]bool
}

type proxyMode int

const (
	proxyPass proxyMode = iota
	proxyCut
	proxyHole
)

// NewProxy forwards to the host and port of a URL until the test ends, and
// returns that URL with its own address.
func NewProxy(t testing.TB, target string) (*Proxy, string) {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{target: u.Host, listener: l, conns: map[net.Conn]bool{}}
	var running sync.WaitGroup
	running.Go(func() { p.accept(&running) })
	t.Cleanup(func() {
		_ = l.Close()
		p.Cut()
		running.Wait()
	})
	u.Host = l.Addr().String()
	return p, u.String()
}

// Pass forwards everything.
func (p *Proxy) Pass() { p.set(proxyPass, 0) }

// Delay forwards everything, each piece after a while.
func (p *Proxy) Delay(d time.Duration) { p.set(proxyPass, d) }

// Hole swallows everything and answers nothing: a cable that is out. What
// connections held back is lost.
func (p *Proxy) Hole() { p.set(proxyHole, 0) }

// Cut closes every connection and refuses new ones: a server that is down.
func (p *Proxy) Cut() {
	p.set(proxyCut, 0)
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		_ = c.Close()
	}
}

func (p *Proxy) set(m proxyMode, d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mode, p.delay = m, d
}

func (p *Proxy) now() (proxyMode, time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mode, p.delay
}

func (p *Proxy) hold(conns ...net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		p.conns[c] = true
	}
}

func (p *Proxy) drop(conns ...net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		_ = c.Close()
		delete(p.conns, c)
	}
}

func (p *Proxy) accept(running *sync.WaitGroup) {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		if mode, _ := p.now(); mode == proxyCut {
			_ = client.Close()
			continue
		}
		server, err := net.Dial("tcp", p.target)
		if err != nil {
			_ = client.Close()
			continue
		}
		p.hold(client, server)
		if mode, _ := p.now(); mode == proxyCut { // it was cut in between
			p.drop(client, server)
			continue
		}
		var both sync.WaitGroup
		for _, way := range [][2]net.Conn{{client, server}, {server, client}} {
			both.Go(func() {
				p.copy(way[0], way[1])
				_ = way[1].Close()
				_ = way[0].Close()
			})
		}
		running.Go(func() {
			both.Wait()
			p.drop(client, server)
		})
	}
}

func (p *Proxy) copy(from, to net.Conn) {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if err != nil {
			return
		}
		mode, delay := p.now()
		if delay > 0 {
			timer := time.NewTimer(delay)
			<-timer.C
		}
		if mode == proxyHole {
			continue
		}
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
	}
}
