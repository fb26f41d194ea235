package faults

import (
	"net"
	"sync"
	"testing"
	"time"
)

// NewSlow returns the port, on 127.0.0.1, of a proxy in front of a server's socket that ends with the test. What it carries arrives half of
// a round trip later, in both directions, as over a network. It bounds no bandwidth.
func NewSlow(t testing.TB, socket string, roundTrip time.Duration) (port string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	_, port, _ = net.SplitHostPort(listener.Addr().String())
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("unix", socket)
			if err != nil {
				client.Close()
				continue
			}
			var both sync.WaitGroup
			both.Go(func() { carryLate(server, client, roundTrip/2) })
			both.Go(func() { carryLate(client, server, roundTrip/2) })
			go func() { both.Wait(); client.Close(); server.Close() }()
		}
	}()
	return port
}

// carryLate writes to one end of a connection what it has read from the other, so much later.
func carryLate(to, from net.Conn, delay time.Duration) {
	type part struct {
		bytes []byte
		due   time.Time
	}
	parts := make(chan part, 1024)
	go func() {
		defer close(parts)
		for {
			b := make([]byte, 64<<10)
			n, err := from.Read(b)
			if n > 0 {
				parts <- part{b[:n], time.Now().Add(delay)}
			}
			if err != nil {
				return
			}
		}
	}()
	for p := range parts {
		time.Sleep(time.Until(p.due))
		if _, err := to.Write(p.bytes); err != nil {
			break
		}
	}
	if w, ok := to.(interface{ CloseWrite() error }); ok {
		w.CloseWrite() //nolint:errcheck // the other end may be gone
	}
	for range parts { // until the other end is gone
	}
}
