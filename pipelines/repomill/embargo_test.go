package main_test

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"repomill/schemas/catalog"
	"repomill/testdata/debtest"
	"repomill/testdata/porttest"
	"repomill/testdata/proctest"
	"repomill/testdata/rpmtest"
)

// embargo pushes files for a train under embargo, which have to be held.
func (s *site) embargo(t *testing.T, train, target string, files ...packageFile) []catalog.Verdict {
	t.Helper()
	args := []string{"push", "--wait", "--json", "--timeout", "3m", "--staging", s.staging(), "--train", train, "--embargo", target}
	for _, f := range files {
		args = append(args, f.path)
	}
	a := repomill(t, args...)
	vs := verdicts(t, a.Stdout)
	for _, v := range vs {
		if v.State != catalog.Held || !strings.HasPrefix(v.Object, "_embargo/") || !strings.Contains(v.Detail, "under embargo") {
			t.Errorf("%+v is not held under embargo", v)
		}
	}
	if a.Code != 6 || len(vs) == 0 {
		t.Fatalf("push --embargo to %s: %v", target, a)
	}
	return vs
}

// A secret is what nothing may show.
type secret struct {
	t     *testing.T
	texts []string // names, versions and digests
}

// in fails the test if a text has a part of the secret.
func (s secret) in(where, text string) {
	s.t.Helper()
	for _, part := range s.texts {
		if i := strings.Index(text, part); i >= 0 {
			s.t.Errorf("%s has %q: %.300q", where, part, text[max(0, i-100):])
		}
	}
}

// below looks for the secret in the names and the bytes of all files of a folder but those under some of its own folders. Of what is
// compressed it reads the bytes, too.
func (s secret) below(dir string, but ...string) {
	s.t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if os.IsNotExist(err) {
			return nil
		}
		if err != nil {
			return err
		}
		key, _ := filepath.Rel(dir, path)
		for _, b := range but {
			if key == b {
				return fs.SkipDir
			}
		}
		s.in(dir+": the name", key)
		if d.IsDir() {
			return nil
		}
		body, err := os.ReadFile(path)
		if os.IsNotExist(err) {
			return nil
		}
		s.in(path, string(body))
		if z, err := gzip.NewReader(bytes.NewReader(body)); err == nil {
			text, _ := io.ReadAll(z) //nolint:errcheck // a part of it is looked at, too
			s.in(path+", decompressed", string(text))
		}
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

// filesBelow returns the files below a folder of a site.
func filesBelow(t *testing.T, dir string) (files []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			files = append(files, path)
		}
		if os.IsNotExist(err) {
			err = nil
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// What is pushed for a train under embargo can be fetched, and is named, nowhere before the train is published: in public and private
// repositories, DEB and RPM. Then all of it is there; what was dropped is nowhere.
func TestL4EmbargoLeaksNothing(t *testing.T) {
	t.Parallel()
	proctest.Need(t, "curl")
	ops := porttest.Free(t)
	s := newSite(t, "--ops-listen", ops)
	const open, closed = "acme/open", "acme/closed"
	for _, r := range []string{open, closed} {
		s.publish(t, r+"/ubuntu/jammy", newDEB(t, debtest.Spec{Name: "before", Arch: "amd64"}))
		s.publish(t, r+"/el/9", newRPM(t, rpmtest.Spec{Name: "before"}))
	}
	s.does(t, 0, "", "repo", "set", closed, "--visibility", "private")
	reader := strings.TrimSpace(s.does(t, 0, "", "token", "create", closed, "host").Stdout)
	looks, pushes := apiToken(t, s.data, "acme", "web", "read"), apiToken(t, s.data, "acme", "ci", "push")
	s.awaitPage(t, "/"+open+"/")
	deb := newDEB(t, debtest.Spec{Name: "quietly", Version: "7.31.4", Arch: "amd64", Size: 4000})
	rpm, every := newRPM(t, rpmtest.Spec{Name: "quietly", Version: "7.31.4"}), newRPM(t, rpmtest.Spec{Name: "quietly-doc", Version: "7.31.4", Arch: "noarch"})
	what := secret{t, []string{"quietly", "7.31.4", deb.sha256(), rpm.sha256(), every.sha256(), filepath.Base(deb.path), filepath.Base(rpm.path)}}

	var all []catalog.Verdict
	for _, r := range []string{open, closed} {
		all = append(all, s.embargo(t, "may", r+"/ubuntu/jammy", deb)...)
		all = append(all, s.embargo(t, "may", r+"/el/9", rpm, every)...)
	}
	keys := []string{}
	for _, r := range []string{open, closed} {
		keys = append(keys, r+"/ubuntu/pool/jammy/main/q/quietly/quietly_7.31.4_amd64.deb", r+"/el/9/x86_64/quietly-7.31.4-1.x86_64.rpm",
			r+"/el/9/x86_64/quietly-doc-7.31.4-1.noarch.rpm", r+"/el/9/aarch64/quietly-doc-7.31.4-1.noarch.rpm")
	}
	l := leak{site: s, secret: what, ops: ops, open: open, closed: closed, reader: reader, looks: looks, pushes: pushes, keys: keys, held: all}
	taken := s.snapshot(t, open)
	l.snapshotID = taken.ID
	l.look("held")
	l.fetch("/" + open + "/snapshots/" + taken.ID + "/ubuntu/dists/jammy/InRelease")
	l.conflicts()

	s.does(t, 0, "", "train", "publish", "acme/may")
	for _, key := range keys {
		if status, body := l.get(key); status != http.StatusOK || !strings.Contains(what.texts[2]+what.texts[3]+what.texts[4], digest(body)) {
			t.Errorf("published: GET %s: %d, %d bytes", key, status, len(body))
		}
	}
	for _, r := range []string{open, closed} {
		if a := s.does(t, 0, "", "log", "--json", r); !strings.Contains(a.Stdout, "quietly 7.31.4") || !strings.Contains(a.Stdout, "train.publish") {
			t.Errorf("published: the log says %s", a.Stdout)
		}
		if got := len(lsVersions(t, s, r+"/ubuntu/jammy")) + len(lsVersions(t, s, r+"/el/9")); got != 5 {
			t.Errorf("published: %d packages of %s are listed, want 5", got, r)
		}
	}
	if left := filesBelow(t, s.data+"/bucket/.embargo"); len(left) > 0 {
		t.Errorf("published: %q are left", left)
	}
	if status, body := s.ask(t, http.MethodGet, looks, "/api/v1/repos/"+open+"/status.json", ""); status != 200 || !strings.Contains(body, "quietly 7.31.4") {
		t.Errorf("published: the status is %d %s", status, body)
	}
	l.afterDrop()
}

// A leak looks for a secret in every place.
type leak struct {
	*site
	secret
	ops, open, closed     string
	reader, looks, pushes string // tokens
	keys                  []string
	held                  []catalog.Verdict
	snapshotID            string
}

// get fetches an object as a client does who may.
func (l leak) get(key string) (status int, body []byte) {
	l.secret.t.Helper()
	at := l.url + "/" + key
	if strings.HasPrefix(key, l.closed) {
		at = strings.Replace(l.url, "://", "://"+l.reader+":@", 1) + "/" + key
	}
	return get(l.secret.t, at)
}

// fetch fetches what is there, and looks for the secret in it.
func (l leak) fetch(path string) {
	t := l.secret.t
	t.Helper()
	status, body := get(t, l.url+path)
	if status != http.StatusOK {
		t.Errorf("GET %s: %d", path, status)
	}
	l.in("GET "+path, string(body))
}

func (l leak) look(when string) {
	t := l.secret.t
	t.Helper()
	for _, key := range l.keys {
		if status, _ := l.get(key); status == http.StatusOK {
			t.Errorf("%s: %s can be fetched", when, key)
		}
	}
	l.hidden(when)
	l.below(l.data+"/bucket", ".embargo")
	for _, f := range filesBelow(t, l.data+"/bucket/.embargo") {
		l.in("the name under embargo", f)
	}
	l.below(l.data+"/staging", "_embargo", ".results/_embargo")
	for _, path := range []string{"/", "/index.json", "/" + l.open + "/", "/" + l.open + "/index.json", "/" + l.open + "/status.json", "/" + l.open + "/feed.atom"} {
		if status, body := get(t, l.url+path); status == http.StatusOK {
			l.in("GET "+path, string(body))
		} else if path == "/"+l.open+"/" {
			t.Errorf("GET %s: %d", path, status)
		}
	}
	for _, r := range []string{l.open, l.closed} {
		for _, path := range []string{"status.json", "packages.json", "snapshots", "search.json?q=quietly", "retention.json"} {
			if status, body := l.ask(t, http.MethodGet, l.looks, "/api/v1/repos/"+r+"/"+path, ""); path != "search.json?q=quietly" || status != http.StatusOK {
				l.in(path, body)
			} else if strings.Contains(body, "7.31.4") {
				t.Errorf("%s: the search finds %s", when, body)
			}
		}
		l.in("log", l.does(t, 0, "", "log", "--json", r).Said())
		l.in("ls", l.does(t, 0, "", "ls", r+"/ubuntu/jammy").Said())
		l.in("status", l.does(t, 0, "", "status", r).Said())
	}
	l.in("diff", l.does(t, 0, "", "diff", l.open+"/ubuntu/jammy@"+l.snapshotID, l.open+"/ubuntu/jammy").Said())
	l.in("log of all", l.does(t, 0, "", "log", "--json").Said())
	_, metrics := get(t, "http://"+l.ops+"/metrics")
	l.in("metrics", string(metrics))
	l.verdicts()
}

// verdicts asks for the verdicts with the rights to read, and to push.
func (l leak) verdicts() {
	t := l.secret.t
	t.Helper()
	for _, v := range l.held {
		id := uploadID(v.Object)
		if status, body := l.ask(t, http.MethodGet, l.looks, "/api/v1/uploads/"+id, ""); status != http.StatusNotFound {
			t.Errorf("who may read gets the verdict %d %s", status, body)
		}
		if status, body := l.ask(t, http.MethodGet, l.pushes, "/api/v1/uploads/"+id, ""); status != http.StatusOK || !strings.Contains(body, `"held"`) {
			t.Errorf("who may push gets the verdict %d %s", status, body)
		}
		open := strings.TrimPrefix(v.Object, "_embargo/")
		if status, _ := l.ask(t, http.MethodGet, l.pushes, "/api/v1/uploads/"+uploadID(open), ""); status != http.StatusNotFound {
			t.Errorf("there is a verdict on %s", open)
		}
	}
}

// hidden fetches the hidden keys themselves: by the resolver, and by the edge with the signature of another object.
func (l leak) hidden(when string) {
	t := l.secret.t
	t.Helper()
	files := filesBelow(t, l.data+"/bucket/.embargo")
	if len(files) != len(l.held) {
		t.Errorf("%s: %d files lie under embargo, want %d", when, len(files), len(l.held))
	}
	noRedirect := &http.Client{Timeout: time.Minute, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := noRedirect.Get(l.url + "/" + l.open + "/ubuntu/pool/jammy/main/b/before/before_1.0_amd64.deb")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	signed, err := url.Parse(res.Header.Get("Location"))
	if err != nil || signed.Host == "" {
		t.Fatalf("%v: %s", err, signed)
	}
	if status, _ := get(t, signed.String()); status != http.StatusOK {
		t.Fatalf("the signed URL is answered with %d", status)
	}
	paths := []string{"/.embargo/", "/.embargo", "/" + l.open + "/.embargo/", "/.embargo/../" + l.open}
	for _, f := range files {
		paths = append(paths, "/.embargo/"+filepath.Base(f), "/%2eembargo/"+filepath.Base(f), "/"+l.open+"/../../.embargo/"+filepath.Base(f), "/"+l.open+"/%2e%2e/%2e%2e/.embargo/"+filepath.Base(f))
	}
	for _, p := range paths {
		for _, at := range []string{l.url + p, signed.Scheme + "://" + signed.Host + p + "?" + signed.RawQuery} {
			status, body := curl(t, "--path-as-is", "-L", at)
			if status == "200" && strings.Contains(p, ".embargo/") && !strings.HasSuffix(p, "/.embargo/../"+l.open) {
				t.Errorf("%s: GET %s: %s", when, at, status)
			}
			l.in("GET "+at, body)
		}
	}
}

// conflicts pushes what has the identities under embargo: the answer names neither bytes nor the train.
func (l leak) conflicts() {
	t := l.secret.t
	t.Helper()
	other := newDEB(t, debtest.Spec{Name: "quietly", Version: "7.31.4", Arch: "amd64", Size: 5000})
	same := newDEB(t, debtest.Spec{Name: "quietly", Version: "7.31.4", Arch: "amd64", Size: 4000})
	for fact, f := range map[string]packageFile{"other bytes": other, "the same bytes": same} {
		a, vs := l.push(t, l.open+"/ubuntu/jammy", f)
		if a.Code != 1 || vs[0].Reason != catalog.ReservedIdentity || vs[0].Detail != "quietly 7.31.4 amd64 in acme/open/ubuntu/jammy/main is reserved: raise the version" {
			t.Errorf("%s: %v", fact, a)
		}
		secret{t, []string{same.sha256()[:16], "may"}}.in(fact, a.Said())
	}
	a, vs := l.pushTrain(t, "may", l.open+"/ubuntu/jammy", newDEB(t, debtest.Spec{Name: "late"}))
	if a.Code != 1 || vs[0].Reason != catalog.TrainEmbargo || !strings.Contains(vs[0].Detail, "release train acme/may is under embargo, and this push is not") {
		t.Errorf("a push without --embargo: %v", a)
	}
	l.gone(t, "staging/"+vs[0].Object)
	l.does(t, 0, "", "train", "drop", "acme/may", "--rejected")
	if a := repomill(t, "push", "--wait", "--staging", l.staging(), "--embargo", "--train", "2", "acme/new/ubuntu/jammy", other.path); a.Code != 1 || !strings.Contains(a.Stderr, "an upload under embargo adds nothing") {
		t.Errorf("a push to a repository that is not there: %v", a)
	}
	if a := repomill(t, "push", "--staging", l.staging(), "--embargo", l.open+"/ubuntu/jammy", other.path); a.Code != 2 || !strings.Contains(a.Stderr, "add --train NAME") {
		t.Errorf("a push without --train: %v", a)
	}
}

// afterDrop drops a train under embargo, of which nothing is left.
func (l leak) afterDrop() {
	t := l.secret.t
	t.Helper()
	deb, rpm := newDEB(t, debtest.Spec{Name: "discarded", Version: "3.41.5"}), newRPM(t, rpmtest.Spec{Name: "discarded", Version: "3.41.5", Arch: "noarch"})
	vs := append(l.embargo(t, "june", l.open+"/ubuntu/jammy", deb), l.embargo(t, "june", l.open+"/el/9", rpm)...)
	l.does(t, 0, "", "train", "drop", "acme/june", "--why", "cancelled")
	for _, v := range vs {
		l.gone(t, "staging/"+v.Object, "staging/.results/"+v.Object+".json")
	}
	what := secret{t, []string{"discarded", "3.41.5", deb.sha256(), rpm.sha256()}}
	what.below(l.data + "/bucket")
	what.below(l.data + "/staging")
	what.in("log", l.does(t, 0, "", "log", "--json").Said())
	if left := filesBelow(t, l.data+"/bucket/.embargo"); len(left) > 0 {
		t.Errorf("dropped: %q are left", left)
	}
	l.publish(t, l.open+"/ubuntu/jammy", deb) // its name is free
}

// Killed anywhere around the publish of a train under embargo, the program shows all of it or nothing, and the next start ends it.
func TestL1EmbargoIsNeverHalf(t *testing.T) {
	t.Parallel()
	data := proctest.OpenDir(t)
	targets := []string{"acme/l1/ubuntu/jammy", "acme/l1/ubuntu/noble", "acme/l1rpm/el/9"}
	s := restart(t, data)
	for _, target := range targets {
		f := newDEB(t, debtest.Spec{Name: "before"})
		if strings.Contains(target, "/el/") {
			f = newRPM(t, rpmtest.Spec{Name: "before"})
		}
		s.publish(t, target, f)
	}
	for round, pause := range []time.Duration{0, 5, 15, 40, -1, -10, 500} {
		train, version := fmt.Sprint(round), fmt.Sprintf("%d.0", round)
		for _, target := range targets {
			files := []packageFile{newDEB(t, debtest.Spec{Version: version}), newDEB(t, debtest.Spec{Name: "other", Version: version})}
			if strings.Contains(target, "/el/") {
				files = []packageFile{newRPM(t, rpmtest.Spec{Version: version}), newRPM(t, rpmtest.Spec{Name: "common", Arch: "noarch", Version: version})}
			}
			s.embargo(t, train, target, files...)
		}
		s.does(t, 0, "recorded", "train", "publish", "acme/"+train, "--no-wait")
		if pause < 0 {
			proctest.Eventually(t, "the train is committed", func() bool { _, committed := s.activeOf(t, "acme/"+train); return committed })
		}
		time.Sleep(max(pause, -pause) * time.Millisecond)
		if err := s.Kill(); err != nil {
			t.Fatal(err)
		}
		n, committed := s.activeOf(t, "acme/"+train)
		if n != 0 && n != 2*len(targets) || committed != (n > 0) {
			t.Errorf("killed after %s, %d packages are active; committed: %v", pause*time.Millisecond, n, committed)
		}
		t.Logf("killed after %s: committed: %v, %d files under embargo", pause*time.Millisecond, committed, len(filesBelow(t, data+"/bucket/.embargo")))
		s = restart(t, data)
		s.does(t, 0, "", "train", "publish", "acme/"+train)
		if n, _ := s.activeOf(t, "acme/"+train); n != 2*len(targets) {
			t.Errorf("after the next start %d packages are active", n)
		}
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := s.checkBucket(); err != nil {
		t.Error(err)
	}
}

// A train under embargo that cannot be published is refused before any file of it has a public key.
func TestL4RefusedEmbargoStaysHidden(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	s := restart(t, data)
	jammy, _ := s.mutable(t, "acme/nightly")
	s.publish(t, "acme/plain/ubuntu/jammy", newDEB(t, debtest.Spec{Name: "before"}))
	debs, _ := builds(t, 2)
	s.embargo(t, "twice", jammy, debs...)
	s.embargo(t, "twice", "acme/plain/ubuntu/jammy", newDEB(t, debtest.Spec{Name: "secret"}))
	s.does(t, 1, "and nothing is changed: it holds two files of hello 1.0 amd64", "train", "publish", "acme/twice")
	if a := s.does(t, 0, "", "train", "show", "acme/twice"); strings.Contains(a.Stdout, "being") {
		t.Errorf("the train is %s", a.Stdout)
	}
	for _, file := range filesBelow(t, data+"/bucket/acme") {
		if strings.Contains(file, "secret") {
			t.Errorf("%s is public", file)
		}
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
}

// uploadID returns the ID that the API gives an upload.
func uploadID(object string) string { return base64.RawURLEncoding.EncodeToString([]byte(object)) }
