package main_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"repomill/schemas/catalog"
	"repomill/testdata/debtest"
	"repomill/testdata/proctest"
	"repomill/testdata/rpmtest"
)

// A packageFile is a package to push.
type packageFile struct {
	path string
	body []byte
}

func (f packageFile) sha256() string { return digest(f.body) }

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func newFile(t *testing.T, name string, body []byte) packageFile {
	t.Helper()
	f := packageFile{filepath.Join(t.TempDir(), name), body}
	if err := os.WriteFile(f.path, body, 0o644); err != nil {
		t.Fatal(err)
	}
	return f
}

// newDEB makes a package file; its name is nothing that the program could go by.
func newDEB(t *testing.T, s debtest.Spec) packageFile {
	t.Helper()
	body := debtest.Build(t, s)
	return newFile(t, "upload-"+digest(body)[:8]+".deb", body)
}

func newRPM(t *testing.T, s rpmtest.Spec) packageFile {
	t.Helper()
	body := rpmtest.Build(t, s)
	return newFile(t, "upload-"+digest(body)[:8]+".rpm", body)
}

// push pushes files and waits. It returns the verdicts in the order in which they came.
func (s *site) push(t *testing.T, target string, files ...packageFile) (proctest.Answer, []catalog.Verdict) {
	t.Helper()
	args := []string{"push", "--wait", "--json", "--timeout", "3m", "--staging", s.staging(), target}
	for _, f := range files {
		args = append(args, f.path)
	}
	a := repomill(t, args...)
	return a, verdicts(t, a.Stdout)
}

// verdicts reads lines of JSON; each must be a verdict and nothing more.
func verdicts(t *testing.T, lines string) (all []catalog.Verdict) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(lines))
	d.DisallowUnknownFields()
	for {
		var v struct {
			File    string
			Outcome string // of what has another word than its state
			catalog.Verdict
		}
		err := d.Decode(&v)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, lines)
		}
		if v.File == "" || v.Outcome != "" && v.Outcome != v.Verdict.Outcome() || strings.Contains(lines, "0001-01-01") {
			t.Errorf("a verdict without its file, or with a time that is none:\n%s", lines)
		}
		all = append(all, v.Verdict)
	}
}

// publish pushes files that must become installable.
func (s *site) publish(t *testing.T, target string, files ...packageFile) []catalog.Verdict {
	t.Helper()
	a, vs := s.push(t, target, files...)
	if a.Code != 0 || len(vs) != len(files) {
		t.Fatalf("push to %s: %v", target, a)
	}
	return vs
}

// drop puts bytes into staging as a copy does whose last step is a rename, and returns the staging key.
func (s *site) drop(t *testing.T, object string, body []byte) string {
	t.Helper()
	path := filepath.Join(s.data, "staging", object)
	temp := filepath.Join(filepath.Dir(path), ".dropped-"+digest([]byte(object)))
	err := os.MkdirAll(filepath.Dir(path), 0o755)
	if err = errors.Join(err, os.WriteFile(temp, body, 0o644)); err == nil {
		err = os.Rename(temp, path)
	}
	if err != nil {
		t.Fatal(err)
	}
	return object
}

// verdict returns the verdict of a staged object as it is now.
func (s *site) verdict(t *testing.T, object string) (v catalog.Verdict, there bool) {
	t.Helper()
	body, err := os.ReadFile(filepath.Join(s.data, "staging/.results", object+".json"))
	if errors.Is(err, fs.ErrNotExist) {
		return v, false
	}
	if err == nil {
		err = json.Unmarshal(body, &v)
	}
	if err != nil {
		t.Fatal(err)
	}
	return v, true
}

// await waits for the final verdict of a staged object.
func (s *site) await(t *testing.T, object string) catalog.Verdict {
	t.Helper()
	return proctest.Until(t, "verdict on "+object, func() catalog.Verdict {
		v, _ := s.verdict(t, object)
		return v
	}, func(v catalog.Verdict) bool { return v.State.Final() })
}

// A statusReport is what `repomill status --json` prints.
type statusReport struct {
	Releases []struct {
		Release             string
		Revision, Published int64
		Since               *time.Time
		Packages            int
	}
	Uploads []catalog.Verdict
	Backlog int
}

func (s *site) status(t *testing.T, target string) (r statusReport) {
	t.Helper()
	a := repomill(t, "status", "--data", s.data, "--json", "--limit", "1000", target)
	if err := json.Unmarshal([]byte(a.Stdout), &r); err != nil || a.Code != 0 {
		t.Fatalf("%v, %v", err, a)
	}
	return r
}

// client follows redirects, as apt and dnf do.
var client = &http.Client{Timeout: time.Minute}

// fetch returns what a client gets from the public URL; the status must be 200.
func (s *site) fetch(t *testing.T, key string) []byte {
	t.Helper()
	status, body := get(t, s.url+"/"+key)
	if status != http.StatusOK {
		t.Fatalf("GET %s: %d %.200s", key, status, body)
	}
	return body
}

func get(t *testing.T, url string) (status int, body []byte) {
	t.Helper()
	resp, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var b bytes.Buffer
	if _, err := b.ReadFrom(io.LimitReader(resp.Body, 10_000_000)); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, b.Bytes()
}

// What sets the mode of a file after it has closed it, as install and cp with chmod do, makes another generation of it: that one
// is published, at once.
func TestFilesWhoseModeIsSetLate(t *testing.T) {
	t.Parallel()
	s := shared(t)
	for i := range 5 {
		const target = "acme/modes/ubuntu/jammy"
		object := fmt.Sprintf("%s/late%d.deb", target, i)
		path := filepath.Join(s.data, "staging", object)
		err := os.MkdirAll(filepath.Dir(path), 0o755)
		err = errors.Join(err, os.WriteFile(path, debtest.Build(t, debtest.Spec{Name: fmt.Sprintf("late%d", i)}), 0o600), os.Chmod(path, 0o644))
		time.Sleep(time.Duration(i) * 10 * time.Millisecond)
		if err = errors.Join(err, os.Chmod(path, 0o640)); err != nil {
			t.Fatal(err)
		}
		if v := s.await(t, object); v.State != catalog.Published {
			t.Errorf("%+v", v)
		}
	}
}
