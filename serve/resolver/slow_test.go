package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// A flood of answers to one who asks for many at once comes in order, each for what was asked.
func TestPipelinedRequestsAreAnsweredInOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.spawn(t, "127.0.0.1:0", nil)
	conn := p.dial(t)
	targets := []string{"/acme/public/gpgkey", "/acme/private/gpgkey", "/acme/nothing/el/9.repo", "/healthz"}
	want := []int{302, 401, 404, 200}
	const rounds = 100
	go func() {
		for range rounds {
			for _, target := range targets {
				fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", target)
			}
		}
	}()
	answers := bufio.NewReader(conn)
	for range rounds {
		var got []int
		for range targets {
			resp, err := http.ReadResponse(answers, nil)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, resp.Body) // of a few bytes
			got = append(got, resp.StatusCode)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("got %d, want %d", got, want)
		}
	}
}

// Clients that send their headers byte by byte, announce bodies that never come, or do not read what they
// asked for, do not delay other clients. The first are cut off; the second have their answer at once.
func TestSlowClients(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("the limit is ten seconds")
	}
	w := newWorld(t)
	p := w.spawn(t, "127.0.0.1:0", nil)
	const slow = 100
	began := time.Now()
	var clients sync.WaitGroup
	for i := range 3 * slow {
		conn := p.dial(t)
		clients.Go(func() {
			defer conn.Close()
			switch i % 3 {
			case 0:
				go drip(conn)
				if answer, err := io.ReadAll(conn); err == nil && strings.Contains(string(answer), " 302 ") {
					t.Errorf("a request without an end was answered: %q", answer)
				}
			case 1:
				fmt.Fprint(conn, "GET /acme/public/gpgkey HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nfffff\r\nx")
				if line, err := bufio.NewReader(conn).ReadString('\n'); !strings.Contains(line, " 302 ") {
					t.Errorf("a request whose body does not come: got %q, %v", line, err)
				}
			case 2:
				_, _ = io.WriteString(conn, strings.Repeat("GET /acme/public/gpgkey HTTP/1.1\r\nHost: x\r\n\r\n", 500)) // which may not all be taken
				time.Sleep(time.Second)
			}
			if took := time.Since(began); took > time.Minute {
				t.Errorf("a slow client is there after %v", took)
			}
		})
	}
	var worst time.Duration
	for range 50 {
		asked := time.Now()
		if resp, _ := get(t, p.url+"/acme/public/gpgkey"); resp.StatusCode != http.StatusFound {
			t.Errorf("got %d", resp.StatusCode)
		}
		worst = max(worst, time.Since(asked))
		time.Sleep(20 * time.Millisecond)
	}
	if worst > 8*time.Second {
		t.Errorf("another client waited for %v", worst)
	}
	clients.Wait()
	if log := p.Stderr.String(); strings.Count(log, "\n") != 1 {
		t.Errorf("the log has\n%s", log)
	}
}

// drip sends a header that does not end, until the connection does.
func drip(conn net.Conn) {
	_, err := io.WriteString(conn, "GET /acme/public/gpgkey HTTP/1.1\r\nHost: x\r\nA: ")
	for err == nil {
		time.Sleep(200 * time.Millisecond)
		_, err = conn.Write([]byte("a"))
	}
}
