package s3_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"repomill/pipelines/objects/s3"
)

// A store that falls silent, wherever it does, ends a request; a slow reader does not.
func TestConnectionsDoNotStall(t *testing.T) {
	t.Parallel()
	const stall = 5 * time.Second // more than a busy machine keeps a connection silent
	released := make(chan struct{})
	silence := func(r *http.Request) {
		select {
		case <-released:
		case <-r.Context().Done():
		}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/never-reads", func(_ http.ResponseWriter, r *http.Request) { silence(r) })
	mux.HandleFunc("/never-answers", func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body) //nolint:errcheck // the client gives up
		silence(r)
	})
	mux.HandleFunc("/stops", func(w http.ResponseWriter, r *http.Request) {
		w.Write(make([]byte, 1000)) //nolint:errcheck // the client gives up
		w.(http.Flusher).Flush()
		silence(r)
	})
	mux.HandleFunc("/slow", func(w http.ResponseWriter, r *http.Request) {
		for range 8 { // longer than stall, but never silent for as long
			time.Sleep(stall / 4)
			w.Write([]byte("x")) //nolint:errcheck // the test would fail
			w.(http.Flusher).Flush()
		}
	})
	mux.HandleFunc("/large", func(w http.ResponseWriter, _ *http.Request) {
		w.Write(make([]byte, 16<<20)) //nolint:errcheck // the test would fail
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(released) })
	client := &http.Client{Transport: &http.Transport{DialContext: s3.StallingDialer(stall)}}
	t.Cleanup(client.CloseIdleConnections)

	for _, tt := range []struct {
		path    string
		body    int64 // bytes of the request
		stalls  bool
		reading time.Duration // before each read
		want    int64         // bytes of the answer
	}{
		{"/never-reads", 64 << 20, true, 0, 0},
		{"/never-answers", 1000, true, 0, 0},
		{"/stops", 0, true, 0, 1000},
		{"/slow", 0, false, 0, 8},
		{"/large", 0, false, 2 * stall, 16 << 20},
	} {
		t.Run(tt.path[1:], func(t *testing.T) {
			t.Parallel()
			n, err := exchange(client, server.URL+tt.path, tt.body, tt.reading)
			if n != tt.want || (err != nil) != tt.stalls {
				t.Errorf("got %d bytes, %v; want %d, and an error: %v", n, err, tt.want, tt.stalls)
			}
		})
	}
}

// exchange posts size bytes and reads the answer, after some time.
func exchange(client *http.Client, url string, size int64, reading time.Duration) (int64, error) {
	r, err := client.Post(url, "", io.LimitReader(zeros{}, size)) //nolint:noctx // the connection has a limit
	if err != nil {
		return 0, err
	}
	defer r.Body.Close()
	time.Sleep(reading)
	var b bytes.Buffer
	return b.ReadFrom(r.Body)
}

func TestCopySource(t *testing.T) {
	for key, want := range map[string]string{
		"pool/libstdc++6_1~2_all.deb": "b/pool/libstdc%2B%2B6_1~2_all.deb",
		"a b%2B:c^d":                  "b/a%20b%252B%3Ac%5Ed",
	} {
		if got := s3.CopySource("b", key); got != want {
			t.Errorf("%s: got %s, want %s", key, got, want)
		}
	}
}
