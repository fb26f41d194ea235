package serve

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// A client that does not read an answer is left after a while; one that reads it has its connection as long as before.
func TestClientsHaveATimeToRead(t *testing.T) {
	const limit = 300 * time.Millisecond
	left := make(chan error, 1)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer timed(w, time.Now().Add(limit))()
		if r.URL.Path == "/small" {
			fmt.Fprint(w, "small")
			return
		}
		for {
			if _, err := w.Write(make([]byte, 1<<20)); err != nil {
				left <- err
				return
			}
		}
	}))
	t.Cleanup(srv.Close)
	open := func() net.Conn {
		c, err := net.Dial("tcp", srv.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}

	kept := open()
	answers := bufio.NewReader(kept)
	for n := range 2 {
		fmt.Fprint(kept, "GET /small HTTP/1.1\r\nHost: x\r\n\r\n")
		res, err := http.ReadResponse(answers, nil)
		if err != nil {
			t.Fatalf("answer %d: %v", n, err)
		}
		if body, err := io.ReadAll(res.Body); err != nil || string(body) != "small" {
			t.Fatalf("answer %d: %q, %v", n, body, err)
		}
		time.Sleep(2 * limit)
	}

	fmt.Fprint(open(), "GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
	select {
	case <-left:
	case <-time.After(30 * time.Second):
		t.Fatal("a client that does not read has its answer for 30 seconds")
	}
}
