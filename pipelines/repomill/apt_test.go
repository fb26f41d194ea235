package main_test

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/publish/sign"
	"repomill/testdata/debtest"
	"repomill/testdata/proctest"
)

// helloVersions are in dpkg's order, the newest first.
var helloVersions = []string{"1:0.5", "1.0+x", "1.0", "1.0~rc1"}

// Real apt reads what was pushed, through the redirects of the resolver.
func TestApt(t *testing.T) {
	t.Parallel()
	proctest.Need(t, "apt-get")
	s := shared(t)
	var files []packageFile
	hello := map[string]packageFile{}
	for i, v := range helloVersions {
		hello[v] = newDEB(t, debtest.Spec{Version: v, Arch: "amd64", Control: []string{"", "gz", "xz", "zst"}[i], Data: "gz"})
		files = append(files, hello[v])
	}
	common := newDEB(t, debtest.Spec{Name: "common"})
	files = append(files, common, newDEB(t, debtest.Spec{Name: "arm", Arch: "arm64"}))
	s.publish(t, "acme/apt/ubuntu/jammy", files...)
	s.publish(t, "acme/apt/ubuntu/jammy/extra", newDEB(t, debtest.Spec{Name: "more"}))
	sources := string(s.fetch(t, "acme/apt/ubuntu/jammy.sources"))

	t.Run("the configuration file is all that a client needs", func(t *testing.T) {
		t.Parallel()
		a := newApt(t, "amd64")
		a.Source(t, "sources", sources)
		a.Update(t)
		if diff := cmp.Diff(helloVersions, a.versions(t, "hello")); diff != "" {
			t.Errorf("versions (-want +got):\n%s", diff)
		}
		if out := a.Run(t, "apt-cache", "policy", "hello"); !strings.Contains(out.Stdout, "Candidate: 1:0.5\n") {
			t.Errorf("%v", out)
		}
		want := []string{common.sha256()}
		a.download(t, "common", "more") // of two components
		for _, v := range helloVersions {
			want = append(want, hello[v].sha256())
			got := a.download(t, "hello="+v)
			for _, sum := range want {
				if !slices.Contains(got, sum) {
					t.Errorf("hello %s is not what was pushed", v)
				}
			}
		}
	})
	t.Run("an old line with deb-src and a keyring file does not warn", func(t *testing.T) {
		t.Parallel()
		for name, line := range map[string]string{
			"the old layout":     s.url + "/acme/apt/ubuntu/ jammy main extra",
			"the layout of 2026": s.url + "/acme/apt/ubuntu/jammy jammy main",
		} {
			a := newApt(t, "amd64")
			key := a.Write(t, "key.asc", string(s.fetch(t, "acme/apt/gpgkey")))
			a.Source(t, "list", fmt.Sprintf("deb [signed-by=%[1]s] %[2]s\ndeb-src [signed-by=%[1]s] %[2]s\n", key, line))
			a.Update(t)
			if got := a.download(t, "hello=1.0+x"); !cmp.Equal(got, []string{hello["1.0+x"].sha256()}) {
				t.Errorf("%s: got %q", name, got)
			}
		}
	})
	t.Run("packages for all are seen by clients of every architecture", func(t *testing.T) {
		t.Parallel()
		for _, tt := range []struct {
			native, foreign string
			want            string
		}{
			{"amd64", "", "common hello more"},
			{"arm64", "", "arm common more"},
			{"riscv64", "", "common more"}, // not listed in the release
			{"i386", "", "common more"},
			{"amd64", "i386", "common hello more"},
			{"riscv64", "arm64", "arm common more"},
		} {
			a := newApt(t, tt.native, strings.Fields(tt.foreign)...)
			a.Source(t, "sources", sources)
			a.Update(t)
			out := a.Run(t, "apt-cache", "pkgnames")
			names := strings.Fields(out.Stdout)
			slices.Sort(names)
			if got := strings.Join(names, " "); got != tt.want {
				t.Errorf("%s with foreign %q sees %q, want %q", tt.native, tt.foreign, got, tt.want)
			}
			if got := a.download(t, "common"); !cmp.Equal(got, []string{common.sha256()}) {
				t.Errorf("%s: common is %q", tt.native, got)
			}
		}
	})
	t.Run("another key is refused", func(t *testing.T) {
		t.Parallel()
		a := newApt(t, "amd64")
		a.Source(t, "list", fmt.Sprintf("deb [signed-by=%s] %s/acme/apt/ubuntu jammy main\n", a.Write(t, "key.asc", otherKey(t)), s.url))
		out := a.Run(t, "apt-get", "update", "-o", "APT::Update::Error-Mode=any")
		if out.Code == 0 || !strings.Contains(out.Said(), "NO_PUBKEY") {
			t.Errorf("apt-get update with another key: %v", out)
		}
		if got := a.versions(t, "hello"); len(got) > 0 {
			t.Errorf("apt knows hello %q", got)
		}
	})
	t.Run("indexes are fetched by hash, and all of it is redirected", func(t *testing.T) {
		t.Parallel()
		a := newApt(t, "amd64")
		a.Source(t, "sources", sources)
		out := a.Update(t, "-o", "Debug::Acquire::http=true").Said()
		if !strings.Contains(out, "GET /acme/apt/ubuntu/dists/jammy/main/binary-amd64/by-hash/SHA256/") {
			t.Errorf("no index is asked for by its hash:\n%s", out)
		}
		if strings.Contains(out, "/Packages.gz") {
			t.Errorf("an index is asked for by its name:\n%s", out)
		}
		if redirects, signed := strings.Count(out, "HTTP/1.1 302 Found"), strings.Count(out, "Signature="); redirects < 2 || signed < redirects {
			t.Errorf("%d redirects, %d signed URLs:\n%s", redirects, signed, out)
		}
	})
	t.Run("the bucket is a repository by itself", func(t *testing.T) {
		t.Parallel()
		a := newApt(t, "amd64")
		line := strings.Replace(sources, "URIs: "+s.url, "URIs: file://"+s.data+"/bucket", 1)
		if u, err := url.Parse(s.url); err != nil || strings.Contains(line, u.Host) {
			t.Fatalf("%v in\n%s", err, line)
		}
		a.Source(t, "sources", line)
		a.Update(t)
		a.download(t, "hello=1.0+x", "common") // apt reads and verifies them where they are
	})
}

// otherKey returns the armoured public key of a stranger.
func otherKey(t *testing.T) string {
	t.Helper()
	key, err := sign.Generate("a stranger", sign.MinRSABits, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return string(key.Public())
}

// apt compares times of whole seconds: two publishes within one would hide the second (publish/PROTOCOL.md, "Clocks").
func TestAptSeesEveryPublish(t *testing.T) {
	t.Parallel()
	s := shared(t)
	a := newApt(t, "amd64")
	for i := range 4 {
		version := fmt.Sprintf("%d.0", i)
		s.publish(t, "acme/often/debian/bookworm", newDEB(t, debtest.Spec{Version: version}))
		if i == 0 {
			a.Source(t, "sources", string(s.fetch(t, "acme/often/debian/bookworm.sources")))
		}
		a.Update(t)
		if got := a.versions(t, "hello"); len(got) == 0 || got[0] != version {
			t.Errorf("after the push of %s apt knows %q", version, got)
		}
	}
}
