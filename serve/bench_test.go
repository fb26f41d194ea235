//go:build unix

package serve_test

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"syscall"
	"testing"
	"time"
)

// BenchmarkResolver compares the resolver with a bare net/http redirect over real connections, kept
// alive. cpu-us/op is of the whole process and has the (lean) client in it, the same for both.
func BenchmarkResolver(b *testing.B) {
	s := newSite(b, newBucket())
	location := s.locationOf(b, debKey)
	bare := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		h := w.Header()
		h["Location"] = []string{location}
		h["Content-Length"] = []string{"0"}
		w.WriteHeader(http.StatusFound)
	}))
	b.Cleanup(bare.Close)

	const paths = 1000
	same := func(int) string { return "/" + debKey }
	thousand := func(i int) string { return fmt.Sprintf("/%shello_%d_amd64.deb", pool, i%paths) }
	fresh := func(i int) string { return fmt.Sprintf("/%shello_%d%%2b%d_amd64.deb", pool, i, time.Now().UnixNano()) }
	for _, bm := range []struct {
		name   string
		server *httptest.Server
		target func(i int) string
	}{
		{"bare net/http 302", bare, same},
		{"one object", s.resolver, same},
		{"1000 objects", s.resolver, thousand},
		{"signed each time", s.resolver, fresh},
	} {
		b.Run(bm.name, func(b *testing.B) {
			c := dial(b, bm.server)
			cpu := cpuTime(b)
			for i := 0; b.Loop(); i++ {
				c.redirected(b, bm.target(i))
			}
			b.ReportMetric(float64((cpuTime(b)-cpu).Microseconds())/float64(b.N), "cpu-us/op")
		})
	}
}

// A client is one connection that reads no more of an answer than it must.
type client struct {
	conn net.Conn
	r    *bufio.Reader
}

func dial(b *testing.B, server *httptest.Server) *client {
	b.Helper()
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = conn.Close() })
	return &client{conn: conn, r: bufio.NewReader(conn)}
}

func (c *client) redirected(b *testing.B, target string) {
	if _, err := c.conn.Write([]byte("GET " + target + " HTTP/1.1\r\nHost: packages.example.org\r\nUser-Agent: Debian APT-HTTP/1.3 (2.6.1)\r\n\r\n")); err != nil {
		b.Fatal(err)
	}
	for first := true; ; first = false {
		line, err := c.r.ReadSlice('\n')
		if err != nil {
			b.Fatal(err)
		}
		if first && !bytes.HasPrefix(line, []byte("HTTP/1.1 302 ")) {
			b.Fatalf("%s: got %q", target, line)
		}
		if len(line) == 2 { // the end of the headers; there is no body
			return
		}
	}
}

// cpuTime is what this process has used of all CPUs.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
