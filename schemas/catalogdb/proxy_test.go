package catalogdb_test

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"sync/atomic"
	"testing"
)

// A fault is what becomes of a commit whose caller hears nothing.
type fault int32

const (
	noFault fault = iota
	lost          // the server never saw it
	stored        // the server did it
)

func (f fault) String() string { return [...]string{"no fault", "lost", "stored"}[f] }

// A proxy stands between a catalog and its server, and breaks a connection at its next commit if it
// is told to.
type proxy struct {
	port   string
	next   atomic.Int32 // the fault of the next commit
	faults atomic.Int32 // that happened
}

func newProxy(t *testing.T, socket string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	p := &proxy{}
	_, p.port, _ = net.SplitHostPort(l.Addr().String())
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("unix", socket)
			if err != nil {
				client.Close()
				continue
			}
			l := &line{proxy: p, client: client, server: server}
			go l.down()
			go l.up()
		}
	}()
	return p
}

// A line is one connection through a proxy.
type line struct {
	*proxy
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
			switch fault(l.next.Swap(int32(noFault))) {
			case lost:
				l.faults.Add(1)
				l.client.Close()
				return
			case stored:
				l.faults.Add(1)
				l.deaf.Store(true)
			}
		}
		if _, err := l.server.Write(packet); err != nil {
			return
		}
	}
}
