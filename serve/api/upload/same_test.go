package upload_test

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"repomill/schemas/catalog"
	"repomill/serve/api/upload"
)

func TestRetriesAreOneUpload(t *testing.T) {
	d := open(t, nil)
	first := d.put(t, place, "bytes", "Idempotency-Key: job 1").report(t)
	for name, headers := range map[string][]string{
		"as it was":                        nil,
		"with its digest":                  {"X-Checksum-Sha256: " + sum("bytes")},
		"with its digest, asking at first": {"X-Checksum-Sha256: " + sum("bytes"), "Expect: 100-continue"},
	} {
		got := d.put(t, place, "bytes", append(headers, "Idempotency-Key: job 1")...)
		if r := got.report(t); got.status != 202 || r.ID != first.ID || r.Generation != first.Generation || r.SHA256 != sum("bytes") {
			t.Errorf("%s: got %d %+v, want %+v", name, got.status, r, first)
		}
	}
	for name, headers := range map[string][]string{"other bytes": nil, "declared": {"X-Checksum-Sha256: " + sum("other")}} {
		got := d.put(t, place, "other", append(headers, "Idempotency-Key: job 1")...)
		if got.status != 422 || !strings.Contains(got.body, `"idempotency_key"`) || !strings.Contains(got.body, sum("bytes")) || !strings.Contains(got.body, sum("other")) {
			t.Errorf("%s: got %d %s", name, got.status, got.body)
		}
	}
	d.checkOne(t, "bytes")
	others := map[string]string{
		"another key":   d.put(t, place, "other", "Idempotency-Key: job 2").report(t).ID,
		"another token": d.put(t, place, "other", "Idempotency-Key: job 1", "Authorization: Bearer push2").report(t).ID,
		"another file":  d.put(t, strings.Replace(place, "1.0", "1.1", 1), "other", "Idempotency-Key: job 1").report(t).ID,
	}
	if all := d.staged(t); len(all) != 4 {
		t.Errorf("with %v: staged %+v, want 4", others, all)
	}
}

// A retry that has begun to send is answered by the digest alone if the client waits to be asked for the body.
func TestARetryNeedsNoBody(t *testing.T) {
	d := open(t, nil)
	d.put(t, place, "bytes", "Idempotency-Key: k")
	request := head + "Idempotency-Key: k\nExpect: 100-continue\nContent-Length: 5\nX-Checksum-Sha256: "
	if got := d.dial(t, request+sum("bytes")+"\n\n").answer(t); got.status != 202 {
		t.Errorf("got %d %s, want 202 at once", got.status, got.body)
	}
	if got := d.dial(t, request+sum("other")+"\n\n").answer(t); got.status != 422 {
		t.Errorf("other bytes: got %d %s, want 422 at once", got.status, got.body)
	}
}

func TestTwoAttemptsAtOnceAreOneUpload(t *testing.T) {
	for _, tt := range []struct {
		name   string
		bodies []string
		want   string // statuses, sorted
	}{
		{"of the same bytes", []string{"bytes", "bytes"}, "[202 202]"},
		{"of other bytes", []string{"bytes", "other"}, "[202 422]"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := open(t, nil)
			var both sync.WaitGroup
			both.Add(2)
			d.server.Close()
			d.start(t, func(c *upload.Config) { c.Staging = together{c.Staging, &both} })
			statuses := make([]int, 2)
			var g sync.WaitGroup
			for i, body := range tt.bodies {
				g.Go(func() { statuses[i] = d.put(t, place, body, "Idempotency-Key: k").status })
			}
			g.Wait()
			if statuses[0] > statuses[1] {
				statuses[0], statuses[1] = statuses[1], statuses[0]
			}
			if got := fmt.Sprint(statuses); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			if all := d.staged(t); len(all) != 1 {
				t.Errorf("staged: %+v, want one", all)
			}
		})
	}
}

// A together is a staging bucket where creations begin at the same time.
type together struct {
	upload.Staging
	all *sync.WaitGroup
}

func (s together) Create(ctx context.Context, object string, body io.Reader, by catalog.Pusher) (catalog.Upload, error) {
	s.all.Done()
	s.all.Wait()
	return s.Staging.Create(ctx, object, body, by)
}
