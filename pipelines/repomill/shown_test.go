package main_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"repomill/testdata/debtest"
)

// A push gives its file a name with an ID in staging. People see the name that they know; JSON has both.
func TestTheIDOfAPushIsNotShown(t *testing.T) {
	t.Parallel()
	s := shared(t)
	const jammy = "acme/shown/ubuntu/jammy"
	hello := newDEB(t, debtest.Spec{})
	name := filepath.Base(hello.path)
	want := hello.path + ": stored in staging as " + jammy + "/" + name + "; add --wait to wait for its verdict\n"
	if a := repomill(t, "push", "--staging", s.staging(), jammy, hello.path); a.Code != 0 || a.Stdout != want {
		t.Errorf("got %v, want %q", a, want)
	}
	s.publish(t, jammy, hello)
	a := repomill(t, "status", "--data", s.data, jammy)
	if a.Code != 0 || strings.Contains(a.Stdout, "@") || strings.Count(a.Stdout, "\n"+jammy+"/"+name+" ") != 2 {
		t.Errorf("%v", a)
	}
	var report struct {
		Uploads []struct{ File, Object string }
	}
	a = repomill(t, "status", "--data", s.data, "--json", jammy)
	if err := json.Unmarshal([]byte(a.Stdout), &report); err != nil || len(report.Uploads) != 2 {
		t.Fatalf("%v, %v", err, a)
	}
	for _, u := range report.Uploads {
		if _, there := s.verdict(t, u.Object); u.File != name || !there {
			t.Errorf("%+v is not of %s, or has no verdict of this name", u, name)
		}
	}

	blocked := t.TempDir()
	if err := os.WriteFile(blocked+"/acme", nil, 0o644); err != nil {
		t.Fatal(err)
	}
	a = repomill(t, "push", "--retries", "0", "--staging", "file://"+blocked, jammy, hello.path)
	if a.Code != 4 || strings.Contains(a.Stderr, "@") || !strings.Contains(a.Stderr, "stage "+jammy+"/"+name+": ") {
		t.Errorf("%v", a)
	}
}
