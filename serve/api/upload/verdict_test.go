package upload_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"repomill/schemas/catalog"
	"repomill/serve/api/upload"
)

var published = catalog.Verdict{State: catalog.Published, Package: "hello 1.0 amd64", Releases: []catalog.VerdictRelease{{Release: "acme/tools/ubuntu/jammy", Revision: 7}}}

// pathOf returns the path of the URL in a report.
func pathOf(t *testing.T, r upload.Report) string {
	t.Helper()
	u, err := url.Parse(r.URL)
	if err != nil {
		t.Fatal(err)
	}
	return u.Path
}

func (d *door) get(t *testing.T, path string, headers ...string) reply {
	t.Helper()
	return d.call(t, http.MethodGet, path, nil, headers...)
}

func TestWhatBecameOfAnUpload(t *testing.T) {
	d := open(t, nil)
	r := d.put(t, place, "bytes").report(t)
	path := pathOf(t, r)
	if got := d.get(t, path); got.status != 202 || got.report(t).State != "staged" {
		t.Errorf("at first: got %d %s", got.status, got.body)
	}
	d.catalog.set(r.Object, catalog.Verdict{State: catalog.Received})
	if got := d.get(t, path); got.status != 202 || got.report(t).State != catalog.Received {
		t.Errorf("in progress: got %d %s", got.status, got.body)
	}
	d.catalog.set(r.Object, published)
	got := d.get(t, path)
	v := got.report(t)
	if got.status != 200 || v.State != catalog.Published || v.ID != r.ID || v.Releases[0].Pointer != "https://packages.example/acme/tools/ubuntu/dists/jammy/InRelease" {
		t.Errorf("published: got %d %s", got.status, got.body)
	}
	if got := d.get(t, path, "Authorization: Bearer read"); got.status != 200 {
		t.Errorf("to who may read the repository: got %d", got.status)
	}
	d.catalog.set(r.Object, catalog.Verdict{State: catalog.Rejected, Reason: catalog.Truncated, Detail: "ends"})
	if got := d.get(t, path); got.status != 200 || got.report(t).Reason != catalog.Truncated {
		t.Errorf("rejected: got %d %s", got.status, got.body)
	}
}

func TestUploadsThatNeverWere(t *testing.T) {
	d := open(t, nil)
	r := d.put(t, place, "bytes").report(t)
	want := d.get(t, "/api/v1/uploads/x").body
	if !strings.Contains(want, "there is no upload with this ID") {
		t.Errorf("got %s", want)
	}
	deeper := d.put(t, "/api/v1/upload/acme/tools/ubuntu/jammy/main/a.deb", "x").report(t)
	for name, got := range map[string]reply{
		"none":                 d.get(t, "/api/v1/uploads/"),
		"of another owner":     d.get(t, pathOf(t, r), "Authorization: Bearer other"),
		"with a letter more":   d.get(t, pathOf(t, r)+"A"),
		"without its end":      d.get(t, pathOf(t, r)[:len(pathOf(t, r))-4]),
		"a path in it":         d.get(t, pathOf(t, r)+"/.."),
		"of other base64":      d.get(t, "/api/v1/uploads/YQ=="),
		"of a key without one": d.get(t, "/api/v1/uploads/YWNtZS90b29scy91YnVudHUvamFtbXkvYS5kZWI"),
		"deeper":               d.get(t, pathOf(t, deeper)+"x"),
	} {
		if got.status != 404 || got.body != want {
			t.Errorf("%s: got %d %s, want 404 and the same text", name, got.status, got.body)
		}
	}
	if got := d.get(t, pathOf(t, r), "Authorization: "); got.status != 401 {
		t.Errorf("without a token: got %d", got.status)
	}
	if got := d.call(t, http.MethodDelete, pathOf(t, r), nil); got.status != 405 || got.header.Get("Allow") != "GET, HEAD" {
		t.Errorf("DELETE: got %d", got.status)
	}
	if got := d.get(t, "/api/v1/else"); got.status != 404 {
		t.Errorf("another path: got %d", got.status)
	}
}

func TestWaitingForAVerdict(t *testing.T) {
	for _, tt := range []struct {
		name     string
		verdict  catalog.Verdict
		put, get int // statuses
	}{
		{"published", published, 201, 200},
		{"a duplicate", catalog.Verdict{State: catalog.Duplicate}, 200, 200},
		{"rejected", catalog.Verdict{State: catalog.Rejected, Reason: catalog.Malformed, Detail: "it is not what dpkg reads"}, 422, 200},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := open(t, nil)
			r := d.put(t, place, "other").report(t)
			time.AfterFunc(300*time.Millisecond, func() { d.catalog.set(r.Object, tt.verdict) })
			if got := d.get(t, pathOf(t, r)+"?wait=30s"); got.status != tt.get || got.report(t).State != tt.verdict.State {
				t.Errorf("GET: got %d %s, want %d", got.status, got.body, tt.get)
			}
			defer decide(t, d, tt.verdict)()
			got := d.put(t, place+"?wait=30s", "bytes")
			if got.status != tt.put {
				t.Errorf("PUT: got %d %s, want %d", got.status, got.body, tt.put)
			}
			if tt.verdict.State == catalog.Rejected {
				if want := `{"package":["malformed: it is not what dpkg reads"]}` + "\n"; got.body != want || got.header.Get("Repomill-Reason") != "malformed" {
					t.Errorf("got %s, want %s", got.body, want)
				}
				return
			}
			if v := got.report(t); v.State != tt.verdict.State || v.SHA256 != sum("bytes") || v.Size != 5 {
				t.Errorf("got %+v", v)
			}
		})
	}
}

// decide gives each upload that comes a verdict, as a worker does, until end is called: the context of a test ends before its cleanups.
func decide(t *testing.T, d *door, v catalog.Verdict) (end func()) {
	t.Helper()
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			for _, u := range d.staged(t) {
				d.catalog.set(u.Object, v)
			}
			select {
			case <-stop:
				return
			case <-time.After(50 * time.Millisecond):
			}
		}
	}()
	return func() { close(stop); <-done }
}

func TestAWaitEnds(t *testing.T) {
	d := open(t, nil)
	for name, get := range map[string]func() reply{
		"after its time": func() reply { return d.put(t, place+"?wait=1", "bytes") },
		"when the server stops": func() reply {
			time.AfterFunc(300*time.Millisecond, d.handler.Stop)
			return d.put(t, place+"?wait=1h", "bytes")
		},
	} {
		start := time.Now()
		if got := get(); got.status != 202 || got.report(t).State != "staged" {
			t.Errorf("%s: got %d %s", name, got.status, got.body)
		}
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("%s: it took %s", name, took)
		}
	}
}

// However many wait, the catalog is asked five times a second.
func TestWaitersShareOneQuery(t *testing.T) {
	d := open(t, nil)
	const waiters = 60
	paths := make([]string, waiters)
	for i := range paths {
		paths[i] = pathOf(t, d.put(t, place, "bytes").report(t))
	}
	start, before := time.Now(), d.catalog.queries
	time.AfterFunc(time.Second, func() {
		for _, u := range d.staged(t) {
			d.catalog.set(u.Object, published)
		}
	})
	var g sync.WaitGroup
	for _, path := range paths {
		g.Go(func() {
			if got := d.get(t, path+"?wait=30s"); got.status != 200 {
				t.Errorf("got %d %s", got.status, got.body)
			}
		})
	}
	g.Wait()
	d.catalog.mu.Lock()
	defer d.catalog.mu.Unlock()
	if queries, most := d.catalog.queries-before, int(time.Since(start)/(200*time.Millisecond))+2; queries > most || d.catalog.most != waiters {
		t.Errorf("%d queries, the largest for %d; want at most %d, and one for %d", queries, d.catalog.most, most, waiters)
	}
}

func TestACatalogThatIsDown(t *testing.T) {
	d := open(t, nil)
	r := d.put(t, place, "bytes").report(t)
	d.catalog.fail(errors.New("db.internal refuses"))
	if got := d.get(t, pathOf(t, r)); got.status != 503 || strings.Contains(got.body, "internal") || got.header.Get("Retry-After") == "" {
		t.Errorf("a question: got %d %s", got.status, got.body)
	}
	if got := d.put(t, place+"?wait=1", "other"); got.status != 202 {
		t.Errorf("an upload is taken all the same: got %d %s", got.status, got.body)
	}
	time.AfterFunc(500*time.Millisecond, func() { d.catalog.fail(nil); d.catalog.set(r.Object, published) })
	if got := d.get(t, pathOf(t, r)+"?wait=20s"); got.status != 200 {
		t.Errorf("a wait over it: got %d %s", got.status, got.body)
	}
	d.catalog.fail(errors.New("down"))
	v := catalog.Verdict{Object: r.Object, Generation: r.Generation, State: catalog.Duplicate}
	body, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.staging.PutVerdict(t.Context(), r.Object, "", body); err != nil {
		t.Fatal(err)
	}
	if got := d.get(t, pathOf(t, r)); got.status != 200 || got.report(t).State != catalog.Duplicate {
		t.Errorf("with a verdict object: got %d %s", got.status, got.body)
	}
	if err := d.staging.Delete(t.Context(), d.staged(t)[0]); err != nil {
		t.Fatal(err)
	}
}

// A process that has seen nothing of an upload answers for it.
func TestARestartForgetsNothing(t *testing.T) {
	d := open(t, nil)
	r := d.put(t, place, "bytes", "Idempotency-Key: k").report(t)
	d.server.Close()
	d.start(t, nil)
	d.catalog.set(r.Object, published)
	if got := d.get(t, pathOf(t, r)); got.status != 200 || got.report(t).State != catalog.Published {
		t.Errorf("got %d %s", got.status, got.body)
	}
	if got := d.put(t, place, "bytes", "Idempotency-Key: k").report(t); got.ID != r.ID {
		t.Errorf("a retry is %s, want %s", got.ID, r.ID)
	}
	d.checkOne(t, "bytes")
}
