package ingest_test

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
	"repomill/testdata/debtest"
	"repomill/testdata/rpmtest"
)

const (
	debKey = "acme/tools/ubuntu/pool/jammy/main/h/hello/hello_1.0_amd64.deb"
	rpmKey = "acme/tools/el/9/x86_64/hello-1.0-1.x86_64.rpm"
)

func hello(t *testing.T) []byte { return debtest.Build(t, debtest.Spec{Arch: "amd64", Data: "gz"}) }

func sha256Of(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func md5Of(b []byte) string {
	sum := md5.Sum(b)
	return hex.EncodeToString(sum[:])
}

func TestStore(t *testing.T) {
	for _, tt := range []struct {
		name, object, key string
		body              []byte
		want              catalog.Package
		dirs              []string
	}{
		{"a DEB package is in the pool", debObject, debKey, hello(t),
			catalog.Package{Format: catalog.DEB, Component: "main", Name: "hello", Version: "1.0", Arch: "amd64"}, nil},
		{"an RPM package is in its directory", rpmObject, rpmKey, rpmtest.Build(t, rpmtest.Spec{}),
			catalog.Package{Format: catalog.RPM, Name: "hello", Version: "1.0-1", Arch: "x86_64"}, []string{"x86_64"}},
		{"a source RPM is in SRPMS", rpmObject, "acme/tools/el/9/SRPMS/hello-1.0-1.src.rpm", rpmtest.Build(t, rpmtest.Spec{Source: true}),
			catalog.Package{Format: catalog.RPM, Name: "hello", Version: "1.0-1", Arch: "src"}, []string{"SRPMS"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSite(t)
			got := s.store(s.put(tt.object, tt.body))
			if !slices.Equal(got.Dirs, tt.dirs) {
				t.Errorf("got directories %q, want %q", got.Dirs, tt.dirs)
			}
			want := tt.want
			want.Repository, want.Distribution, want.Key = tools, jammy, tt.key
			want.Uploaded = noon.Truncate(time.Second)
			want.File = catalog.File{Size: int64(len(tt.body)), SHA256: sha256Of(tt.body)}
			if want.Format == catalog.DEB {
				want.File.MD5 = md5Of(tt.body)
			} else {
				want.Distribution = el9
			}
			ignore := cmp.FilterPath(func(p cmp.Path) bool { return p.String() == "SortKey" || p.String() == "Canonical" }, cmp.Ignore())
			if diff := cmp.Diff(want, got.Package, ignore); diff != "" {
				t.Errorf("package (-want +got):\n%s", diff)
			}
			want.State = catalog.Claimed
			if diff := cmp.Diff(want, s.row(got.Package), ignore); diff != "" {
				t.Errorf("row (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(map[string]string{tt.key: string(tt.body)}, s.visible()); diff != "" {
				t.Errorf("bucket (-want +got):\n%s", diff)
			}
		})
	}
}

// The row has what the indexes need, as soon as the object is there.
func TestStoreMakesFragments(t *testing.T) {
	s := newSite(t)
	s.accept(s.put(debObject, hello(t)))
	s.accept(s.put(rpmObject, rpmtest.Build(t, rpmtest.Spec{})))
	for _, tt := range []struct {
		release catalog.Release
		want    []string
	}{
		{catalog.Release{Repository: tools, Distribution: jammy}, []string{"Package: hello\n", "Filename: " + strings.TrimPrefix(debKey, "acme/tools/ubuntu/")}},
		{catalog.Release{Repository: tools, Distribution: el9, Arch: "x86_64"}, []string{"<name>hello</name>", `href="hello-1.0-1.x86_64.rpm"`}},
	} {
		snap, err := s.db.Snapshot(t.Context(), tt.release)
		if err != nil {
			t.Fatal(err)
		}
		defer snap.Close()
		for k, err := range snap.Packages(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range tt.want {
				if text := string(k.Stanza) + string(k.Primary); !strings.Contains(text, want) {
					t.Errorf("%s: no %q in\n%s", tt.release, want, text)
				}
			}
		}
	}
}

// A rejected file leaves nothing: no object, no temporary file, no claim.
func TestRejections(t *testing.T) {
	deb, rpm := hello(t), rpmtest.Build(t, rpmtest.Spec{})
	for _, tt := range []struct {
		name   string
		object string
		body   []byte
		reason catalog.Reason
		detail string // a part of it
	}{
		{"an empty DEB", debObject, nil, catalog.Empty, "upload"},
		{"an empty RPM", rpmObject, nil, catalog.Empty, "upload"},
		{"a DEB of garbage", debObject, bytes.Repeat([]byte("garbage\x00\xff"), 1000), catalog.NotAPackage, ""},
		{"a source package", "acme/tools/ubuntu/jammy/hello_1.0.dsc", []byte("Format: 3.0 (quilt)\nSource: hello\n"), catalog.Unsupported, "source packages of Debian are not taken"},
		{"a changes file", "acme/tools/ubuntu/jammy/hello_1.0_amd64.changes", []byte("Format: 1.8\n"), catalog.Unsupported, "source packages of Debian are not taken"},
		{"a package of the installer by its name", "acme/tools/ubuntu/jammy/hello_1.0_amd64.udeb", []byte("!<arch>\n"), catalog.Unsupported, "Debian installer"},
		{"an RPM of garbage", rpmObject, bytes.Repeat([]byte("garbage\x00\xff"), 1000), catalog.NotAPackage, ""},
		{"a DEB without its last bytes", debObject, deb[:len(deb)-2], catalog.Truncated, "upload"},
		{"an RPM without its last byte", rpmObject, rpm[:len(rpm)-1], catalog.Truncated, "upload"},
		{"a DEB that ends in its control member", debObject, deb[:150], catalog.Truncated, "upload"},
		{"an RPM that ends in its header", rpmObject, rpm[:300], catalog.Truncated, "upload"},
		{"an RPM for a DEB distribution", debObject, rpm, catalog.WrongFormat, "format rpm, but ubuntu/jammy takes deb"},
		{"a DEB for an RPM distribution", rpmObject, deb, catalog.WrongFormat, "format deb, but el/9 takes rpm"},
		{"a repository that is not declared", "acme/other/ubuntu/jammy/hello.deb", deb, catalog.UnknownRepository, "acme/other"},
		{"a distribution that the repository does not have", "acme/tools/ubuntu/noble/hello.deb", deb, catalog.UnknownDistribution, "ubuntu/noble"},
		{"an unknown distribution", "acme/tools/ubuntu/jolly/hello.deb", deb, catalog.UnknownDistribution, "ubuntu/jolly"},
		{"a distribution under another name", "acme/tools/ubuntu/22.04/hello.deb", deb, catalog.UnknownDistribution, "ubuntu/jammy"},
		{"a component that is not declared", "acme/tools/ubuntu/jammy/contrib/hello.deb", deb, catalog.UnknownComponent, "it has main"},
		{"a DEB architecture that is not declared", debObject, debtest.Build(t, debtest.Spec{Arch: "riscv64"}), catalog.UnknownArchitecture, "it has amd64, arm64"},
		{"an RPM architecture that is not declared", rpmObject, rpmtest.Build(t, rpmtest.Spec{Arch: "s390x"}), catalog.UnknownArchitecture, "it has SRPMS, aarch64, x86_64"},
		{"a component of an RPM distribution", "acme/tools/el/9/main/hello.rpm", rpm, catalog.BadPath, "use acme/tools/el/9/hello.rpm"},
		{"a path without a distribution", "acme/tools/hello.deb", deb, catalog.BadPath, "owner/name/os/version"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSite(t)
			before := s.revisions()
			_, err := s.Store(t.Context(), s.put(tt.object, tt.body))
			wantRejection(t, err, tt.reason, tt.detail)
			s.wantNothing()
			if diff := cmp.Diff(before, s.revisions()); diff != "" {
				t.Errorf("revisions (-before +after):\n%s", diff)
			}
		})
	}
}

// wantNothing checks that an upload left no trace.
func (s *site) wantNothing() {
	s.t.Helper()
	if found := s.visible(); len(found) > 0 {
		s.t.Errorf("the bucket has %q", slices.Sorted(maps.Keys(found)))
	}
	if s.db.claims > 0 {
		s.t.Errorf("%d claims were made", s.db.claims)
	}
}

func TestSizeLimit(t *testing.T) {
	for _, tt := range []struct {
		name, object string
		body         []byte
	}{
		{"DEB", debObject, debtest.Build(t, debtest.Spec{Arch: "amd64", Size: 100_000})},
		{"RPM", rpmObject, rpmtest.Build(t, rpmtest.Spec{PayloadSize: 100_000})},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSite(t)
			u := s.put(tt.object, tt.body)
			for _, limit := range []int64{100, int64(len(tt.body)) - 1} {
				s.MaxSize = limit
				_, err := s.Store(t.Context(), u)
				wantRejection(t, err, catalog.TooLarge, "--max-package-size")
				s.wantNothing()
			}
			s.MaxSize = int64(len(tt.body))
			s.store(u)
		})
	}
}

func TestCreateDeclares(t *testing.T) {
	s := newSite(t)
	s.Create = true
	s.accept(s.put("acme/new/ubuntu/noble/contrib/hello.deb", debtest.Build(t, debtest.Spec{Arch: "riscv64"})))
	s.accept(s.put("acme/new/el/9/hello.rpm", rpmtest.Build(t, rpmtest.Spec{Arch: "ppc64le"})))
	s.accept(s.put("acme/new/el/9/multilib.rpm", rpmtest.Build(t, rpmtest.Spec{Arch: "i686"})))
	got, err := s.db.Settings(t.Context(), catalog.Repository{Owner: "acme", Name: "new"})
	if err != nil {
		t.Fatal(err)
	}
	want := []catalog.DistributionSettings{
		{Distribution: el9, Format: catalog.RPM, Components: []string{}, Architectures: []string{"SRPMS", "aarch64", "ppc64le", "x86_64"}},
		{Distribution: catalog.Distribution{OS: "ubuntu", Version: "noble"}, Format: catalog.DEB, Components: []string{"contrib", "main"}, Architectures: []string{"amd64", "arm64", "riscv64"}},
	}
	if diff := cmp.Diff(want, got.Distributions); diff != "" {
		t.Errorf("distributions (-want +got):\n%s", diff)
	}
}

func TestWhatAnUploadCreatesIsRecordedAsThePushers(t *testing.T) {
	s := newSite(t)
	s.Create = true
	s.Staging = pushed{s.Staging, catalog.Pusher{User: "token ci of acme", Job: "https://ci/1"}}
	s.accept(s.put("acme/new/ubuntu/noble/hello.deb", debtest.Build(t, debtest.Spec{})))
	for e, err := range s.db.Log(t.Context(), catalog.Target{Owner: "acme", Name: "new"}, time.Time{}) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Action == catalog.ActionRepoCreate {
			if e.By != "token ci of acme" || e.Job != "https://ci/1" {
				t.Errorf("got %+v", e)
			}
			return
		}
	}
	t.Error("the repository is not in the log")
}

// A repository comes into being with its first good package, not with a bad one.
func TestRejectedUploadsDeclareNothing(t *testing.T) {
	s := newSite(t)
	s.Create = true
	deb, rpm := hello(t), rpmtest.Build(t, rpmtest.Spec{Arch: "noarch"})
	for object, body := range map[string][]byte{
		"acme/new/ubuntu/noble/hello.deb": deb[:len(deb)-2],
		"acme/new/el/9/hello.rpm":         rpm[:len(rpm)-1],
	} {
		_, err := s.Store(t.Context(), s.put(object, body))
		wantRejection(t, err, catalog.Truncated, "upload")
	}
	for _, arch := range []string{"SRPMS", "repodata"} {
		_, err := s.Store(t.Context(), s.put("acme/new/el/9/hello.rpm", rpmtest.Build(t, rpmtest.Spec{Arch: arch})))
		wantRejection(t, err, catalog.BadField, arch)
	}
	if got, err := s.db.Settings(t.Context(), catalog.Repository{Owner: "acme", Name: "new"}); !errors.Is(err, catalogdb.ErrNotFound) {
		t.Errorf("the repository is there: %+v, %v", got, err)
	}
}

// What takes the place of an object is an upload of its own.
func TestReplaced(t *testing.T) {
	body := debtest.Build(t, debtest.Spec{Arch: "amd64", Size: 300_000})
	t.Run("before it is read", func(t *testing.T) {
		s := newSite(t)
		u := s.put(debObject, body)
		s.put(debObject, hello(t))
		_, err := s.Store(t.Context(), u)
		wantRejection(t, err, catalog.Replaced, debObject)
		s.wantNothing()
	})
	t.Run("removed before it is read", func(t *testing.T) {
		s := newSite(t)
		_, err := s.Store(t.Context(), catalog.Upload{Bucket: "staging", Object: debObject, Generation: "1"})
		wantRejection(t, err, catalog.Replaced, debObject)
	})
	t.Run("the name is that of the file which was pushed", func(t *testing.T) {
		s := newSite(t)
		dir := path.Dir(debObject) + "/"
		_, err := s.Store(t.Context(), catalog.Upload{Bucket: "staging", Object: dir + layout.StagedName(layout.NewID(), "hello.deb"), Generation: "1"})
		wantRejection(t, err, catalog.Replaced, dir+"hello.deb was replaced")
	})
	t.Run("while it is read", func(t *testing.T) {
		s := newSite(t)
		u := s.put(debObject, body)
		done := false
		s.Staging = staging{s.staging, func(read int64) {
			if read > 100_000 && !done {
				done = true
				s.put(debObject, hello(t))
			}
		}}
		_, err := s.Store(t.Context(), u)
		wantRejection(t, err, catalog.Replaced, debObject)
		s.wantNothing()
	})
}

// Work that is cancelled stops, for a package of any size.
func TestCancelledWhileReading(t *testing.T) {
	s := newSite(t)
	u := s.put(debObject, debtest.Build(t, debtest.Spec{Arch: "amd64", Size: 1_000_000}))
	ctx, cancel := context.WithCancel(t.Context())
	reads := 0
	s.Staging = staging{s.staging, func(read int64) {
		if reads++; read > 100_000 {
			cancel()
		}
	}}
	_, err := s.Store(ctx, u)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	s.wantNothing()
	if reads > 8 {
		t.Errorf("read %d times: to the end", reads)
	}
}

// A reader that panics represents a parser that does.
func TestPanicIsARejection(t *testing.T) {
	for _, tt := range []struct {
		name, object string
		body         []byte
		at           int64 // bytes
	}{
		{"DEB, in the head", debObject, debtest.Build(t, debtest.Spec{Arch: "amd64", Fields: []string{"X-Noise: " + strings.Repeat("x", 200_000)}}), 1},
		{"RPM, in the header", rpmObject, rpmtest.Build(t, rpmtest.Spec{Description: strings.Repeat("x", 200_000)}), 1},
		{"DEB, in the body", debObject, debtest.Build(t, debtest.Spec{Arch: "amd64", Size: 300_000}), 200_000},
		{"RPM, in the body", rpmObject, rpmtest.Build(t, rpmtest.Spec{PayloadSize: 300_000}), 200_000},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSite(t)
			u := s.put(tt.object, tt.body)
			s.Staging = staging{s.staging, func(read int64) {
				if read >= tt.at {
					panic("index out of range\x1b[2J")
				}
			}}
			_, err := s.Store(t.Context(), u)
			wantRejection(t, err, catalog.ParserPanic, "index out of range")
			s.wantNothing()
		})
	}
}
