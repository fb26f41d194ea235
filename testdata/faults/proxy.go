package faults

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"sync/atomic"
	"testing"
)

// A Proxy forwards the connections of a catalog to its MySQL server, and breaks them at commits.
type Proxy struct {
	Port   string       // on 127.0.0.1
	commit func() Fault // is asked about each commit
}

// NewProxy returns a proxy in front of a server's socket that ends with the test. commit says what becomes of each
// commit: a lost one never reaches the server; of one that is stored, the client does not hear. It may be
// called concurrently.
func NewProxy(t testing.TB, socket string, commit func() Fault) *Proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	p := &Proxy{commit: commit}
	_, p.Port, _ = net.SplitHostPort(listener.Addr().String())
	go p.serve(listener, socket)
	return p
}

func (p *Proxy) serve(listener net.Listener, socket string) {
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
		l := &line{Proxy: p, client: client, server: server}
		go l.down()
		go l.up()
	}
}

// A line is one connection through a proxy.
type line struct {
	*Proxy
	client, server net.Conn
	deaf           atomic.Bool // the client does not hear the next answer
}

// down carries what the server says.
func (l *line) down() {
	defer l.client.Close()
	b := make([]byte, 64<<10)
	for {
		n, err := l.server.Read(b)
		if l.deaf.Load() {
			return
		}
		if _, werr := l.client.Write(b[:n]); err != nil || werr != nil {
			return
		}
	}
}

// up carries what the client says, packet by packet: a length of three bytes, a number, and the bytes.
// With TLS nothing of it can be read, nor broken.
func (l *line) up() {
	defer l.server.Close()
	r := bufio.NewReader(l.client)
	for {
		header, err := r.Peek(4)
		if err != nil {
			return
		}
		const tlsHello = 0x16
		if header[0] == tlsHello && header[1] == 3 {
			io.Copy(l.server, r) //nolint:errcheck // until one of them ends
			return
		}
		packet := make([]byte, 4+int(header[0])+int(header[1])<<8+int(header[2])<<16)
		if _, err := io.ReadFull(r, packet); err != nil {
			return
		}
		if bytes.Equal(packet[4:], []byte("\x03COMMIT")) {
			switch l.commit() {
			case Lost:
				l.client.Close()
				return
			case Stored:
				l.deaf.Store(true)
			}
		}
		if _, err := l.server.Write(packet); err != nil {
			return
		}
	}
}
