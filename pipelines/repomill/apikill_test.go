package main_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"repomill/schemas/catalog"
	"repomill/testdata/debtest"
	"repomill/testdata/proctest"
)

// The API is killed among 20 uploads: what it answered is published, and a retry of each is the same upload.
func TestKillTheAPIAmongUploads(t *testing.T) {
	t.Parallel()
	const uploads = 20
	s := newSite(t)
	p := beginAPI(t, s.data, "127.0.0.1:0")
	address, token := addressIn(t, p, "listen"), apiToken(t, s.data, "acme", "ci", "push")

	bodies := make([][]byte, uploads)
	for i := range bodies {
		bodies[i] = debtest.Build(t, debtest.Spec{Name: fmt.Sprintf("tool-%d", i), Size: 100_000})
	}
	// The first half is quick, and the other half in the middle of its body when the API dies.
	var mu sync.Mutex
	answered := map[int]bool{}
	var g sync.WaitGroup
	slow, killed := make(chan struct{}), make(chan struct{})
	for i, body := range bodies {
		g.Go(func() {
			var r io.Reader = bytes.NewReader(body)
			if i >= uploads/2 {
				r = io.MultiReader(bytes.NewReader(body[:50_000]), until(killed), bytes.NewReader(body[50_000:]))
			} else {
				<-slow
			}
			if status := putKeyed(address, token, i, r, len(body)); status == http.StatusAccepted {
				mu.Lock()
				answered[i] = true
				mu.Unlock()
			}
		})
	}
	time.Sleep(time.Second)
	close(slow)
	for end := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		mu.Lock()
		n := len(answered)
		mu.Unlock()
		if n >= 4 || time.Now().After(end) {
			break
		}
	}
	p.Cmd.Process.Kill() //nolint:errcheck // its end says it
	<-p.Done
	close(killed)
	g.Wait()
	t.Logf("%d were answered before", len(answered))
	if len(answered) < 4 || len(answered) > uploads/2 {
		t.Errorf("%d were answered, want some of %d", len(answered), uploads/2)
	}
	proctest.Eventually(t, "what was answered is published", func() bool {
		names := map[string]bool{}
		for _, u := range s.status(t, "acme/kill").Uploads {
			if u.State == catalog.Published {
				names[u.Package] = true
			}
		}
		for i := range answered {
			if !names[fmt.Sprintf("tool-%d 1.0 all", i)] {
				return false
			}
		}
		return true
	})

	again := beginAPI(t, s.data, "127.0.0.1:0")
	address = addressIn(t, again, "listen")
	for i, body := range bodies {
		if status := putKeyed(address, token, i, bytes.NewReader(body), len(body)); status != http.StatusAccepted {
			t.Errorf("upload %d again: got %d", i, status)
		}
	}
	var r statusReport
	proctest.Eventually(t, "all are published", func() bool {
		published := len(lsVersions(t, s, "acme/kill/ubuntu/jammy")) // before the report, which is of a later time then
		r = s.status(t, "acme/kill")
		return r.Backlog == 0 && published == uploads
	})
	if len(r.Uploads) != uploads {
		t.Errorf("%d uploads, want one for each key: %d", len(r.Uploads), uploads)
	}
	for _, u := range r.Uploads {
		if u.State != catalog.Published {
			t.Errorf("%+v", u)
		}
	}
	if err := again.Cmd.Process.Kill(); err != nil {
		t.Error(err)
	}
}

// putKeyed uploads a body with the Idempotency-Key of its number, and returns the status; 0 if the connection broke.
func putKeyed(address, token string, i int, body io.Reader, size int) int {
	req, err := http.NewRequest(http.MethodPut, fmt.Sprintf("http://%s/api/v1/upload/acme/kill/ubuntu/jammy/tool-%d.deb", address, i), body)
	if err != nil {
		return 0
	}
	req.ContentLength = int64(size)
	req.SetBasicAuth(token, "")
	req.Header.Set("Idempotency-Key", fmt.Sprintf("job %d", i))
	transport := &http.Transport{DialContext: (&net.Dialer{Timeout: 10 * time.Second}).DialContext}
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{Transport: transport, Timeout: 2 * time.Minute}).Do(req)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	io.Copy(io.Discard, resp.Body) //nolint:errcheck // the status counts
	return resp.StatusCode
}

// An until is a body that has nothing until a channel is closed.
type until chan struct{}

// Read implements [io.Reader].
func (u until) Read([]byte) (int, error) {
	<-u
	return 0, io.EOF
}
