package main_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"repomill/publish/replica"
	"repomill/testdata/debtest"
	"repomill/testdata/proctest"
	"repomill/testdata/rpmtest"
)

// whole waits until install scripts and what else follows a publish is written.
func (s *site) whole(t *testing.T, ring string) {
	t.Helper()
	proctest.Eventually(t, "what follows a publish is published", func() bool {
		return repomill(t, "check", "--replica", "file://"+s.data+"/bucket", "--keyring", ring).Code == 0
	})
}

// check --replica says of each release of a copy whether it is whole, and how it compares with the primary.
func TestCheckReplica(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.publish(t, "acme/copied/ubuntu/noble", newDEB(t, debtest.Spec{}))
	s.publish(t, "acme/copied/el/9", newRPM(t, rpmtest.Spec{}))
	ring, primary := s.keyring(t, "acme/copied"), "file://"+s.data+"/bucket"
	dir := t.TempDir()
	s.whole(t, ring)
	copyBucket := func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		if err := os.CopyFS(dir, os.DirFS(s.data+"/bucket")); err != nil {
			t.Fatal(err)
		}
	}
	run := func(args ...string) (a proctest.Answer, rep replica.Report) {
		t.Helper()
		a = repomill(t, append([]string{"check", "--replica", "file://" + dir, "--keyring", ring}, args...)...)
		j := repomill(t, append([]string{"check", "--replica", "file://" + dir, "--keyring", ring, "--json"}, args...)...)
		if err := json.Unmarshal([]byte(j.Stdout), &rep); err != nil || j.Code != a.Code {
			t.Fatalf("%v: %v", err, j)
		}
		return a, rep
	}
	copyBucket()
	a, rep := run("--bucket", primary)
	if want := "whole: 4 releases, 2 packages, 17 indexes; up to date with the primary"; a.Code != 0 || lastLine(a.Stdout) != want || rep.Lag == nil || rep.Damaged != 0 {
		t.Errorf("a copy: %v %+v", a, rep)
	}
	if a, rep := run(); a.Code != 0 || !strings.HasSuffix(lastLine(a.Stdout), "; lag unknown: there is no primary to compare with") || rep.Lag != nil {
		t.Errorf("a copy alone: %v", a)
	}
	if a, _ := run("--bucket", "file://"+dir+"/lost"); a.Code != 0 || !strings.Contains(a.Stderr, "warning: the replica is not compared with the primary: --bucket file://") {
		t.Errorf("a lost primary: %v", a)
	}
	s.publish(t, "acme/copied/ubuntu/noble", newDEB(t, debtest.Spec{Name: "second"}))
	if a, rep := run("--bucket", primary); a.Code != 0 || !strings.Contains(lastLine(a.Stdout), ": 1 release and 0 settings behind") || rep.Lag.Releases != 1 || rep.Lag.Seconds <= 0 {
		t.Errorf("an older copy: %v", a)
	}
	copyBucket()
	flipByte(t, filepath.Join(dir, "acme/copied/el/9/x86_64/*.rpm"))
	if a, _ := run(); a.Code != 0 {
		t.Errorf("a wrong byte, quickly: %v", a)
	}
	if a, rep := run("--full"); a.Code != 1 || !strings.HasPrefix(lastLine(a.Stdout), "damaged: 1 of 4 releases and the settings of 0 of 2, ") || rep.Damaged != 1 {
		t.Errorf("a wrong byte: %v", a)
	}
	for fact, tt := range map[string]struct {
		args []string
		code int
		says string
	}{
		"a place and a replica":  {[]string{"check", dir, "--replica", "file://" + dir, "--keyring", ring}, 2, "name a place to check, or --replica"},
		"--full of a place":      {[]string{"check", dir, "--full", "--keyring", ring}, 2, "--full is for --replica"},
		"a replica that is away": {[]string{"check", "--replica", "file://" + dir + "/no", "--keyring", ring}, 4, "--replica file://" + dir + "/no: there is no such folder"},
		"another scheme":         {[]string{"check", "--replica", "gs://x", "--keyring", ring}, 2, `--replica "gs://x": use s3://`},
	} {
		if a := repomill(t, tt.args...); a.Code != tt.code || !strings.Contains(a.Stderr, tt.says) {
			t.Errorf("%s: %v", fact, a)
		}
	}
}
