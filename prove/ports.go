package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
)

// given are the ports that somebody has been given: he may not listen yet, or
// not again.
var given sync.Map

// freePort listens at a port that one can come back to after a kill: below those
// that the kernel gives to clients, who might have it meanwhile.
func freePort() (net.Listener, error) {
	err := errors.New("all are given away")
	for range 100 {
		port := 10_000 + rand.IntN(20_000)
		if _, taken := given.LoadOrStore(port, true); taken {
			continue
		}
		var l net.Listener
		if l, err = net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			return l, nil
		}
	}
	return nil, fmt.Errorf("no free port on 127.0.0.1 among 10000 to 29999: %w", err)
}

func freeAddr() (string, error) {
	l, err := freePort()
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// freePorts holds as many ports at once as an experiment needs.
func freePorts(n int) error {
	for range n {
		l, err := freePort()
		if err != nil {
			return fmt.Errorf("%d free ports are needed: %w", n, err)
		}
		defer func() { _ = l.Close() }()
	}
	return nil
}
