package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"repomill/schemas/catalog"
	"repomill/testdata/debtest"
)

// A push that gives up waiting says the stage that status has, also where it cannot ask the catalog.
func TestPushSaysTheStageOfStatus(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for _, tt := range []struct {
		target string
		block  string // a file where the program needs a folder
		want   catalog.UploadState
	}{
		{"acme/unread/ubuntu/jammy", "bucket/acme/unread/ubuntu/pool", catalog.Received},
		{"acme/behind/ubuntu/jammy", "bucket/acme/behind/ubuntu/dists", catalog.Stored},
	} {
		t.Run(string(tt.want), func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(s.data, tt.block)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, nil, 0o644); err != nil {
				t.Fatal(err)
			}
			hello := newDEB(t, debtest.Spec{Arch: "amd64"})
			a := repomill(t, "push", "--wait", "--json", "--timeout", "15s", "--staging", s.staging(), tt.target, hello.path)
			vs := verdicts(t, a.Stdout)
			if a.Code != 3 || len(vs) != 1 || vs[0].State != tt.want || !strings.Contains(a.Stderr, "timed out after 15s: "+string(tt.want)+": ") || strings.Contains(a.Stderr, "does one") {
				t.Errorf("want %s, got %v", tt.want, a)
			}
			if up := s.status(t, tt.target).Uploads; len(up) != 1 || up[0].State != tt.want {
				t.Errorf("status says %+v", up)
			}
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			if v := s.await(t, vs[0].Object); v.State != catalog.Published { // what was in its way is gone
				t.Errorf("%+v", v)
			}
		})
	}
}
