package main_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"repomill/publish/sign"
	"repomill/serve/cloudfront"
	"repomill/testdata/debtest"
	"repomill/testdata/porttest"
	"repomill/testdata/proctest"
	"repomill/testdata/rpmtest"
)

// An audited site is one with a front that may change where redirects lead.
type audited struct {
	*site
	front  string
	change atomic.Pointer[func(location string) string]
	ring   string
}

func newAudited(t *testing.T) *audited {
	t.Helper()
	s := &audited{site: newSite(t)}
	s.publish(t, "acme/tools/ubuntu/noble", newDEB(t, debtest.Spec{}))
	s.publish(t, "acme/tools/el/9", newRPM(t, rpmtest.Spec{}))
	s.ring = s.keyring(t, "acme/tools")
	to, err := url.Parse(s.url)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) },
		ModifyResponse: func(r *http.Response) error {
			if f := s.change.Load(); f != nil && r.Header.Get("Location") != "" {
				r.Header.Set("Location", (*f)(r.Header.Get("Location")))
			}
			return nil
		},
	})
	t.Cleanup(srv.Close)
	s.front = srv.URL
	return s
}

// redirect changes where redirects lead; nil changes nothing.
func (s *audited) redirect(f func(string) string) {
	if f == nil {
		s.change.Store(nil)
		return
	}
	s.change.Store(&f)
}

// audit looks at so much that all is drawn.
func (s *audited) audit(t *testing.T, args ...string) proctest.Answer {
	t.Helper()
	return repomill(t, append([]string{"audit", "--url", s.front, "--keyring", s.ring, "--sample", "1000", "--settle", "1ms"}, args...)...)
}

var goodVerdict = regexp.MustCompile(`^[0-9]+ objects of 4 releases: [0-9]+ ok, 0 absent, 0 differ, 0 unreachable$`)

// Each fault of a site is found from outside, in its word.
func TestAudit(t *testing.T) {
	t.Parallel()
	s := newAudited(t)
	bucket := s.data + "/bucket"
	of := []string{"--bucket", "file://" + bucket}
	for fact, args := range map[string][]string{"the bucket": of, "an argument": {"acme/tools"}} {
		if a := s.audit(t, args...); a.Code != 0 || !goodVerdict.MatchString(lastLine(a.Stdout)) || a.Stderr != "" {
			t.Errorf("a good site, by %s: %v", fact, a)
		}
	}
	s.bounded(t, of)
	cdn := redirectOf(t, s.url+"/acme/tools/ubuntu/dists/noble/InRelease")
	if a := s.audit(t, "acme/tools", "--cdn", cdn); a.Code != 0 {
		t.Errorf("by its CDN: %v", a)
	}
	if a := s.audit(t, "acme/tools", "--cdn", "http://localhost:1"); a.Code != 4 || !strings.Contains(a.Stdout, "the redirect leads to "+cdn+" and not to http://localhost:1 of --cdn") {
		t.Errorf("by another CDN: %v", a)
	}
	other, err := sign.Generate("a stranger", 2048, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		fact, of string // pattern below the bucket
		harm     func(body []byte) []byte
		word     string
		says     string
	}{
		{"a deleted index", "acme/tools/ubuntu/dists/noble/main/binary-amd64/Packages.gz", nil, "absent", "is missing"},
		{"a deleted by-hash copy", "acme/tools/ubuntu/dists/noble/main/source/by-hash/SHA256/*", nil, "absent", "is missing"},
		{"a deleted package", "acme/tools/ubuntu/pool/noble/main/h/hello/*.deb", nil, "absent", "is missing"},
		{"a deleted RPM", "acme/tools/el/9/x86_64/*.rpm", nil, "absent", "is missing"},
		{"a deleted pointer", "acme/tools/el/9/x86_64/repodata/repomd.xml", nil, "absent", "is missing"},
		{"a changed byte", "acme/tools/ubuntu/pool/noble/main/h/hello/*.deb", func(b []byte) []byte { b[len(b)/2] ^= 1; return b }, "differs", "hash sum mismatch"},
		{"a package cut off", "acme/tools/el/9/x86_64/*.rpm", func(b []byte) []byte { return b[:len(b)-1] }, "differs", "bytes, listed with"},
		{"a wrong signature", "acme/tools/ubuntu/dists/noble/InRelease", func(b []byte) []byte {
			signed, err := other.Clear([]byte("Suite: noble\n"), time.Now())
			if err != nil {
				t.Fatal(err)
			}
			return signed
		}, "differs", "signature"},
		{"a signature of another publish", "acme/tools/el/9/x86_64/repodata/repomd.xml", func(b []byte) []byte { return append(b, '\n') }, "differs", "bad GPG signature"},
	} {
		path, restore := s.harm(t, tt.of, tt.harm)
		want := regexp.MustCompile(`(?m)^` + tt.word + `  ` + regexp.QuoteMeta(s.front+"/"+path) + `.*: .*` + regexp.QuoteMeta(tt.says))
		if a := s.audit(t, of...); a.Code != 1 || !want.MatchString(a.Stdout) || strings.Contains(a.Stdout, "\nunreachable") {
			t.Errorf("%s: %v, want %s", tt.fact, a, want)
		}
		restore()
	}
	for _, tt := range []struct {
		fact   string
		change func(string) string
		says   string
	}{
		{"an expired URL", s.expired(t, cdn), "403 Forbidden: the signed URL has expired"},
		{"an unreachable CDN", func(l string) string { return strings.Replace(l, cdn, "http://"+porttest.Free(t), 1) }, "connection refused"},
	} {
		s.redirect(tt.change)
		if a := s.audit(t, of...); a.Code != 4 || !strings.Contains(a.Stdout, tt.says) || !strings.Contains(lastLine(a.Stdout), ": 0 ok, 0 absent, 0 differ, ") || strings.Contains(a.Stdout, "Signature=") {
			t.Errorf("%s: %v", tt.fact, a)
		}
	}
	s.redirect(nil)
	if a := s.audit(t, of...); a.Code != 0 {
		t.Errorf("all is restored: %v", a)
	}
}

// bounded looks within fewer bytes than there are, and with a bound that is none.
func (s *audited) bounded(t *testing.T, of []string) {
	t.Helper()
	read := func(args ...string) (bytes int64, sized, ok int) {
		a := s.audit(t, append(append(args, "--json"), of...)...)
		var rep struct {
			Bytes  int64          `json:"bytes"`
			Sized  int            `json:"sized"`
			Counts map[string]int `json:"counts"`
		}
		if err := json.Unmarshal([]byte(a.Stdout), &rep); err != nil || a.Code != 0 {
			t.Errorf("%q: %v, %v", args, err, a)
		}
		return rep.Bytes, rep.Sized, rep.Counts["ok"]
	}
	all, sized, _ := read("--max-bytes", "0")
	if sized != 0 || all < 1000 {
		t.Errorf("without a bound %d bytes were read, and of %d objects only the size", all, sized)
	}
	if some, sized, ok := read("--max-bytes", "1000"); some > 1000 || sized == 0 || sized >= ok {
		t.Errorf("within 1000 bytes %d were read, and of %d of %d objects only the size", some, sized, ok)
	}
	if a := s.audit(t, append(of, "--max-bytes", "1000")...); a.Code != 0 || !boundedVerdict.MatchString(lastLine(a.Stdout)) {
		t.Errorf("within 1000 bytes: %v", a)
	}
	if a := s.audit(t, append(of, "--max-bytes=-1")...); a.Code != 2 || !strings.Contains(a.Stderr, "--max-bytes -1: use a number of bytes") {
		t.Errorf("of less than nothing: %v", a)
	}
}

var boundedVerdict = regexp.MustCompile(`: [0-9]+ ok, 0 absent, 0 differ, 0 unreachable; only the size of [1-9][0-9]* \(--max-bytes\)$`)

// expired returns what replaces a signed URL by one that the same key signed yesterday.
func (s *audited) expired(t *testing.T, cdn string) func(location string) string {
	t.Helper()
	text, err := os.ReadFile(s.data + "/url-key.pem")
	if err != nil {
		t.Fatal(err)
	}
	key, err := cloudfront.ParseKey(text)
	if err != nil {
		t.Fatal(err)
	}
	edge, err := url.Parse(cdn)
	if err != nil {
		t.Fatal(err)
	}
	id := regexp.MustCompile(`Key-Pair-Id=([^&]+)`)
	return func(location string) string {
		to, err := url.Parse(location)
		if err != nil {
			return err.Error()
		}
		signer, err := cloudfront.NewSigner(edge, id.FindStringSubmatch(location)[1], key)
		if err != nil {
			return err.Error()
		}
		old, err := signer.Sign(strings.TrimPrefix(to.Path, "/"), time.Now().Add(-24*time.Hour))
		if err != nil {
			return err.Error()
		}
		return old
	}
}

// harm changes an object below a pattern, or removes it, and returns its key and what restores it.
func (s *audited) harm(t *testing.T, pattern string, f func([]byte) []byte) (key string, restore func()) {
	t.Helper()
	paths, err := filepath.Glob(s.data + "/bucket/" + pattern)
	if err != nil || len(paths) == 0 {
		t.Fatalf("%s: %v, %v", pattern, paths, err)
	}
	path := paths[0]
	body, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil { // so that no other link has the new bytes
		t.Fatal(err)
	}
	put := func(b []byte) {
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if f != nil {
		put(f(append([]byte(nil), body...)))
	}
	return strings.TrimPrefix(path, s.data+"/bucket/"), func() { put(body) }
}

// redirectOf returns the scheme and host that a URL redirects to.
func redirectOf(t *testing.T, from string) string {
	t.Helper()
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Get(from)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	to, err := resp.Location()
	if err != nil {
		t.Fatal(err)
	}
	return to.Scheme + "://" + to.Host
}

// A private repository is looked at with its token, which is printed nowhere; without one it is skipped.
func TestAuditOfAPrivateRepository(t *testing.T) {
	t.Parallel()
	s := newAudited(t)
	if a := repomill(t, "repo", "set", "acme/tools", "--visibility", "private", "--data", s.data); a.Code != 0 {
		t.Fatal(a)
	}
	token := strings.TrimSpace(repomill(t, "token", "create", "acme/tools", "audit", "--data", s.data).Stdout)
	file := newFile(t, "tokens", []byte("# of customers\nacme/tools "+token+"\n")).path
	of := []string{"--bucket", "file://" + s.data + "/bucket"}
	proctest.Eventually(t, "the repository is private", func() bool {
		a := s.audit(t, of...)
		return strings.Contains(a.Stdout, "skipped  acme/tools: it is private, and --tokens has no token of it\n") && a.Code == 4
	})
	proctest.Eventually(t, "the token opens it", func() bool { return s.audit(t, append(of, "--tokens", file)...).Code == 0 })
	a := s.audit(t, append(of, "--tokens", file, "--json")...)
	var rep struct {
		Counts map[string]int `json:"counts"`
	}
	if err := json.Unmarshal([]byte(a.Stdout), &rep); err != nil || rep.Counts["ok"] < 20 || len(rep.Counts) != 1 || strings.Contains(a.String(), token) {
		t.Errorf("with a token: %v, %v", err, a)
	}
	path, restore := s.harm(t, "acme/tools/ubuntu/dists/noble/InRelease", nil)
	defer restore()
	if a := s.audit(t, append(of, "--tokens", file)...); a.Code != 1 || !strings.Contains(a.Stdout, "absent  "+s.front+"/"+path+": ") || strings.Contains(a.String(), token) {
		t.Errorf("a deleted pointer: %v", a)
	}
	for _, tt := range []struct {
		fact string
		args []string
		says string
	}{
		{"a line that has no token", []string{"acme/tools", "--tokens", newFile(t, "tokens", []byte("acme/tools\n")).path}, "is not owner/name TOKEN"},
		{"nothing to look at", nil, "name repositories, or the bucket that lists them with --bucket"},
		{"a URL that is none", []string{"acme/tools", "--url", "packages.example.org"}, "use http://NAME"},
	} {
		if a := s.audit(t, tt.args...); a.Code != 2 || !strings.Contains(a.Stderr, tt.says) {
			t.Errorf("%s: %v", tt.fact, a)
		}
	}
}

// An auditor that goes on says in metrics what it has found, also of the replica.
func TestAuditMetrics(t *testing.T) {
	t.Parallel()
	s := newAudited(t)
	copied := t.TempDir()
	s.whole(t, s.ring)
	if err := os.CopyFS(copied, os.DirFS(s.data+"/bucket")); err != nil {
		t.Fatal(err)
	}
	ops := porttest.Free(t)
	p := start(t, "audit", "--every", "300ms", "--ops-listen", ops, "--url", s.front, "--keyring", s.ring, "--sample", "1000", "--settle", "1ms",
		"--bucket", "file://"+s.data+"/bucket", "--replica", "file://"+copied)
	value := func(name string) string { return sampleOf(t, ops, name) }
	proctest.Eventually(t, "a round has ended well", func() bool { return len(value("repomill_audit_last_success_timestamp_seconds")) > 1 })
	if got := value("repomill_audit_read_bytes_total"); got == "0" || got == "" {
		t.Errorf("%q bytes were read", got)
	}
	for name, want := range map[string]string{
		`repomill_audit_objects_total{result="absent"}`: "0", `repomill_audit_objects_total{result="differs"}`: "0", `repomill_audit_objects_total{result="unreachable"}`: "0",
		"repomill_replica_lag_seconds": "0", "repomill_replica_damaged_releases": "0",
	} {
		if got := value(name); got != want {
			t.Errorf("%s is %q, want %s", name, got, want)
		}
	}
	if got := value(`repomill_audit_objects_total{result="ok"}`); got == "0" || got == "" {
		t.Errorf("%q objects are ok", got)
	}
	s.publish(t, "acme/tools/ubuntu/noble", newDEB(t, debtest.Spec{Name: "second"}))
	proctest.Eventually(t, "the replica lags", func() bool { v := value("repomill_replica_lag_seconds"); return v != "0" && v != "" })
	s.harm(t, "acme/tools/el/9/x86_64/*.rpm", nil)
	s.harm(t, "acme/tools/ubuntu/pool/noble/main/h/hello/*.deb", func(b []byte) []byte { return b[1:] })
	if err := os.Remove(copied + "/acme/tools/ubuntu/dists/noble/Release.gpg"); err != nil {
		t.Fatal(err)
	}
	proctest.Eventually(t, "a deleted and a changed package are counted", func() bool {
		return value(`repomill_audit_objects_total{result="absent"}`) != "0" && value(`repomill_audit_objects_total{result="differs"}`) != "0"
	})
	proctest.Eventually(t, "the replica is damaged", func() bool { return value("repomill_replica_damaged_releases") == "1" })
	s.redirect(func(string) string { return "http://" + porttest.Free(t) })
	proctest.Eventually(t, "what is unreachable is counted", func() bool { return value(`repomill_audit_objects_total{result="unreachable"}`) != "0" })
	if body := answerOf(ops + "/healthz"); body != "ok\n" {
		t.Errorf("healthz answers %q", body)
	}
	p.Signal(t, os.Interrupt)
	if a := p.Wait(t); a.Code != 0 {
		t.Errorf("ended with %v", a)
	}
}

// The replica is watched while the primary is lost, also by an auditor that starts then.
func TestAuditWhileThePrimaryIsLost(t *testing.T) {
	t.Parallel()
	s := newAudited(t)
	primary := t.TempDir() + "/primary"
	ops := porttest.Free(t)
	start(t, "audit", "--every", "300ms", "--ops-listen", ops, "--url", s.front, "--keyring", s.ring, "--settle", "1ms",
		"--bucket", "file://"+primary, "--replica", "file://"+s.data+"/bucket")
	value := func(name string) string { return sampleOf(t, ops, name) }
	proctest.Eventually(t, "the replica is checked", func() bool { return value("repomill_replica_damaged_releases") == "0" })
	if lag, ok := value("repomill_replica_lag_seconds"), value(`repomill_audit_objects_total{result="ok"}`); lag != "" || ok != "0" {
		t.Errorf("without the primary, the lag is %q, and %q objects are ok", lag, ok)
	}
	if err := os.CopyFS(primary, os.DirFS(s.data+"/bucket")); err != nil {
		t.Fatal(err)
	}
	proctest.Eventually(t, "the primary is compared with", func() bool {
		return value("repomill_replica_lag_seconds") != "" && value(`repomill_audit_objects_total{result="ok"}`) != "0"
	})
}

// sampleOf returns the value of a sample; "" if there is none.
func sampleOf(t *testing.T, ops, name string) string {
	t.Helper()
	for line := range strings.Lines(answerOf(ops + "/metrics")) {
		if v, ok := strings.CutPrefix(line, name+" "); ok {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

// answerOf returns what an address answers; "" if it does not.
func answerOf(address string) string {
	resp, err := http.Get("http://" + address)
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return ""
	}
	return string(body)
}
