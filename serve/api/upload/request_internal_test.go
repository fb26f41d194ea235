package upload

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"repomill/schemas/layout"
)

// A request that is accepted names a place that staging takes, below the repository that was
// authorized, and its ID leads back there.
func FuzzRequest(f *testing.F) {
	for _, path := range []string{
		"acme/tools/ubuntu/jammy/hello_1.0_amd64.deb", "acme/tools/el/9/a.rpm", "acme/tools/ubuntu/jammy/main/a.deb", "acme/tools/ubuntu/jammy/",
		"acme%2ftools/ubuntu/jammy/a.deb", "../../x/y/z.deb", "acme/tools/ubuntu/jammy/@aaaaaaaaaaaaaaaaaaaaaaaaaa~a.deb", "acme/tools/ubuntu/jammy/%E2%80%AE.deb",
		"acme/tools/ubuntu/jammy/" + strings.Repeat("ä", 200) + ".deb", "acme/tools/ubuntu/jammy/a%00.deb",
	} {
		f.Add(path, "k", "SHA-256=YQ==", "sha-256=:YQ==:", "00", "30s")
	}
	f.Add("acme/tools/ubuntu/jammy/a.deb", "\x00", "sha-256", "sha-256=:", strings.Repeat("0", 64), "-1")
	table := layout.DefaultTable()
	f.Fuzz(func(t *testing.T, path, key, digest, contentDigest, checksum, wait string) {
		u, err := url.Parse("http://x" + ReceivePath + path)
		if err != nil {
			return
		}
		u.RawQuery = "wait=" + wait
		r := &http.Request{Method: http.MethodPut, URL: u, Header: http.Header{
			"Idempotency-Key": {key}, digestHeader: {digest}, contentDigestHeader: {contentDigest}, checksumHeader: {checksum}}}
		req, refused := parse(r, "t1", table)
		if refused != nil {
			if refused.message == "" || refused.status < 400 || refused.status > 499 {
				t.Errorf("refused with %d %q", refused.status, refused.message)
			}
			return
		}
		at, rej := layout.ParseStaging(req.object)
		if rej != nil || at != req.at || at.ID == "" || layout.Hidden(req.object) || strings.Count(req.object, "/") > 5 || len(req.object) > layout.MaxStagingKey {
			t.Errorf("%q: %+v, %v", req.object, at, rej)
		}
		if unescaped, err := url.PathUnescape(path); err != nil || !strings.HasPrefix(unescaped, at.Repository.String()+"/") {
			t.Errorf("%q is put into %s", path, at.Repository)
		}
		if object, again, ok := parseID(idOf(req.object)); !ok || object != req.object || again != at {
			t.Errorf("its ID leads to %q, %v", object, ok)
		}
		if len(req.digest) != 0 && len(req.digest) != 32 || req.wait < 0 || req.wait > maxWait {
			t.Errorf("digest %x, wait %s", req.digest, req.wait)
		}
	})
}

func TestWaits(t *testing.T) {
	for _, tt := range []struct {
		name, method, query, agent, prefer string
		want                               time.Duration
	}{
		{"a program does not wait", "PUT", "", "x/1", "", 0},
		{"a person with curl does", "PUT", "", "curl/8.5.0", "", curlWait},
		{"if it is wanted", "PUT", "", "curl/8.5.0", "respond-async", 0},
		{"a question with curl does not", "GET", "", "curl/8.5.0", "", 0},
		{"as it says", "PUT", "wait=5s", "x/1", "", 5 * time.Second},
		{"in seconds, too", "PUT", "wait=5", "x/1", "", 5 * time.Second},
		{"nor does curl then", "PUT", "wait=0", "curl/8.5.0", "", 0},
		{"at most so long", "GET", "wait=24h", "x/1", "", maxWait},
	} {
		r := httptest.NewRequest(tt.method, "/?"+tt.query, nil)
		r.Header.Set("User-Agent", tt.agent)
		r.Header.Set("Prefer", tt.prefer)
		if got, err := waitOf(r); got != tt.want || err != nil {
			t.Errorf("%s: got %s, %v; want %s", tt.name, got, err, tt.want)
		}
	}
	for _, bad := range []string{"x", "-1s", "-1", "99999999", "%zz", "1e3s"} {
		r := &http.Request{Method: "GET", URL: &url.URL{RawQuery: "wait=" + bad}}
		if got, err := waitOf(r); err == nil {
			t.Errorf("%s: got %s", bad, got)
		}
	}
}

// IDs of pushes with an Idempotency-Key never change: a retry may meet another release of the program.
func TestPushIDs(t *testing.T) {
	if got, want := pushID("t1", "k"), "y6baiwrxv2ykxyuuhljqept734"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	ids := map[string]bool{pushID("t1", "k"): true, pushID("t1", "k2"): true, pushID("t", "1k"): true, pushID("t2", "k"): true, pushID("t1", ""): true, pushID("t1", ""): true}
	if len(ids) != 6 {
		t.Errorf("got %v, want six", ids)
	}
	for id := range ids {
		if cut, file := layout.CutID(layout.StagedName(id, "a.deb")); cut != id || file != "a.deb" {
			t.Errorf("%s: got %s, %s", id, cut, file)
		}
	}
}
