package ingest_test

import (
	"bytes"
	"errors"
	"io/fs"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/ingest"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
	"repomill/testdata/rpmtest"
)

// Claim before blob: the identity is taken before anybody can see the object, and not earlier than
// all of its bytes were read.
func TestClaimBeforeVisibleObject(t *testing.T) {
	for _, tt := range []struct {
		name, object, key string
		body              []byte
	}{
		{"DEB", debObject, debKey, hello(t)},
		{"RPM", rpmObject, rpmKey, rpmtest.Build(t, rpmtest.Spec{})},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSite(t)
			var moments []string
			var claimed catalog.Package
			s.db.beforeClaim = func(k catalog.Package) {
				moments = append(moments, "claim")
				claimed = k
				if k.File.SHA256 != sha256Of(tt.body) {
					t.Errorf("the claim has digest %s", k.File.SHA256)
				}
				if _, err := s.bucket.Stat(t.Context(), tt.key); !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("at the claim the object is visible: %v", err)
				}
			}
			s.bucket.beforeVisible = func(key string) {
				moments = append(moments, "visible")
				if row := s.row(claimed); row.Key != key || row.State != catalog.Claimed || row.File != claimed.File {
					t.Errorf("before %s is visible, the row is %+v", key, row)
				}
			}
			s.store(s.put(tt.object, tt.body))
			if want := []string{"claim", "visible"}; !slices.Equal(moments, want) {
				t.Errorf("got %q, want %q", moments, want)
			}
		})
	}
}

// Each write fails twice: nothing stored, and stored although it reported failure. The next attempt goes
// on from there, and the catalog and the bucket end as if nothing had happened.
func TestFaults(t *testing.T) {
	deb, rpm := hello(t), rpmtest.Build(t, rpmtest.Spec{Arch: "noarch"})
	for _, tt := range []struct {
		write, object string
		body          []byte
		fail          func(*site, fault)
	}{
		{"claim of a DEB", debObject, deb, func(s *site, f fault) { s.db.claim = f }},
		{"claim of an RPM", rpmObject, rpm, func(s *site, f fault) { s.db.claim = f }},
		{"object of a DEB", debObject, deb, func(s *site, f fault) { s.bucket.create = f }},
		{"object of an RPM", rpmObject, rpm, func(s *site, f fault) { s.bucket.create = f }},
		{"copy of an RPM", rpmObject, rpm, func(s *site, f fault) { s.bucket.copy = f }},
	} {
		clean := newSite(t)
		want := clean.accept(clean.put(tt.object, tt.body))
		for _, f := range []fault{lost, stored} {
			t.Run(tt.write+" "+f.String(), func(t *testing.T) {
				s := newSite(t)
				u := s.put(tt.object, tt.body)
				tt.fail(s, f)
				if _, err := s.Store(t.Context(), u); !errors.Is(err, errFault) {
					t.Fatalf("got %v, want the fault", err)
				}
				got := s.accept(u)
				if !slices.Equal(got.Dirs, want.Dirs) {
					t.Errorf("got directories %q, want %q", got.Dirs, want.Dirs)
				}
				if diff := cmp.Diff(clean.row(want.Package), s.row(got.Package)); diff != "" {
					t.Errorf("row (-without fault +with):\n%s", diff)
				}
				if diff := cmp.Diff(clean.visible(), s.visible()); diff != "" {
					t.Errorf("bucket (-without fault +with):\n%s", diff)
				}
				if diff := cmp.Diff(clean.revisions(), s.revisions()); diff != "" {
					t.Errorf("revisions (-without fault +with):\n%s", diff)
				}
			})
		}
	}
}

// A worker that dies with the object stored and the row not yet active leaves work for the next one.
func TestCrashBetweenBlobAndActivation(t *testing.T) {
	s := newSite(t)
	before := s.revisions()
	u := s.put(debObject, hello(t))
	first := s.store(u)
	if diff := cmp.Diff(before, s.revisions()); diff != "" {
		t.Errorf("a claim changes revisions (-before +after):\n%s", diff)
	}
	second := s.accept(u)
	if first.Package.Key != second.Package.Key || first.Package.File != second.Package.File {
		t.Errorf("first %+v, then %+v", first.Package, second.Package)
	}
	before["acme/tools/ubuntu/jammy"]++
	if diff := cmp.Diff(before, s.revisions()); diff != "" {
		t.Errorf("revisions (-want +got):\n%s", diff)
	}
}

// A claim remembers where its object belongs, also when the set of directories grew in front of it.
func TestCrashBetweenClaimAndBlobOfAGrowingSet(t *testing.T) {
	s := newSite(t)
	body := rpmtest.Build(t, rpmtest.Spec{Arch: "noarch"})
	u := s.put(rpmObject, body)
	s.bucket.create = lost
	if _, err := s.Store(t.Context(), u); !errors.Is(err, errFault) {
		t.Fatalf("got %v, want the fault", err)
	}
	s.declare(el9, "aarch32")
	s.Now = func() time.Time { return noon.Add(ingest.TermsAge) } // the settings are read again
	got := s.accept(u)
	if want := []string{"aarch32", "aarch64", "x86_64"}; !slices.Equal(got.Dirs, want) {
		t.Errorf("got directories %q, want %q", got.Dirs, want)
	}
	s.wantObjects(string(body), noarchKey("aarch32"), noarchKey("aarch64"), noarchKey("x86_64"))
	if want := noarchKey("aarch64"); s.row(got.Package).Key != want {
		t.Errorf("got key %s, want %s", s.row(got.Package).Key, want)
	}
}

func noarchKey(dir string) string { return "acme/tools/el/9/" + dir + "/hello-1.0-1.noarch.rpm" }

// wantObjects checks that the bucket has the bytes under these keys, and nothing else.
func (s *site) wantObjects(body string, keys ...string) {
	s.t.Helper()
	found := s.visible()
	if got := slices.Sorted(maps.Keys(found)); !slices.Equal(got, keys) {
		s.t.Errorf("got objects %q, want %q", got, keys)
	}
	for _, key := range keys {
		if found[key] != body {
			s.t.Errorf("%s has other bytes", key)
		}
	}
}

func TestNoarchIsInEveryDirectory(t *testing.T) {
	s := newSite(t)
	s.declare(el9, "ppc64le")
	body := rpmtest.Build(t, rpmtest.Spec{Arch: "noarch"})
	got := s.accept(s.put(rpmObject, body))
	if want := []string{"aarch64", "ppc64le", "x86_64"}; !slices.Equal(got.Dirs, want) {
		t.Errorf("got directories %q, want %q", got.Dirs, want)
	}
	s.wantObjects(string(body), noarchKey("aarch64"), noarchKey("ppc64le"), noarchKey("x86_64"))
}

// A directory that is added between the copies and the active row is found out, and gets its copy.
func TestNoarchWhenTheSetGrew(t *testing.T) {
	s := newSite(t)
	body := rpmtest.Build(t, rpmtest.Spec{Arch: "noarch"})
	u := s.put(rpmObject, body)
	got := s.store(u)
	s.declare(el9, "s390x")
	if err := s.activate(u, got); !errors.Is(err, catalogdb.ErrDirectoryAdded) {
		t.Fatalf("got %v, want ErrDirectoryAdded", err)
	}
	dirs, err := s.CopyToArchDirs(t.Context(), got.Package)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.activate(u, ingest.Stored{Package: got.Package, Dirs: dirs}); err != nil {
		t.Fatal(err)
	}
	s.wantObjects(string(body), noarchKey("aarch64"), noarchKey("s390x"), noarchKey("x86_64"))
}

// A distribution that another process adds to a repository takes noarch packages at once, although the settings were read just before.
func TestNoarchOfADistributionThatIsNew(t *testing.T) {
	s := newSite(t)
	body := rpmtest.Build(t, rpmtest.Spec{Arch: "noarch"})
	s.accept(s.put(rpmObject, body))
	s.declare(catalog.Distribution{OS: "el", Version: "8"}, "")
	got := s.accept(s.put("acme/tools/el/8/hello.rpm", body))
	if want := []string{"aarch64", "x86_64"}; !slices.Equal(got.Dirs, want) {
		t.Errorf("got directories %q, want %q", got.Dirs, want)
	}
}

// plant puts an object into the bucket behind the ingester's back.
func (s *site) plant(key string, body []byte) {
	s.t.Helper()
	if err := s.bucket.Bucket.Create(s.t.Context(), layout.ObjectOf(key), bytes.NewReader(body)); err != nil {
		s.t.Fatal(err)
	}
}

// An object that no row names has a name that we want: what clients could have seen is not replaced.
func TestStrangersObjects(t *testing.T) {
	noarch := rpmtest.Build(t, rpmtest.Spec{Arch: "noarch"})
	for _, tt := range []struct {
		name, object, key string
		body              []byte
	}{
		{"under the key", debObject, debKey, hello(t)},
		{"under the key of a copy", rpmObject, noarchKey("x86_64"), noarch},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSite(t)
			s.plant(tt.key, []byte("strange"))
			_, err := s.Store(t.Context(), s.put(tt.object, tt.body))
			wantRejection(t, err, catalog.Conflict, tt.key, sha256Of(tt.body), sha256Of([]byte("strange")))
		})
		t.Run("the same bytes "+tt.name, func(t *testing.T) {
			s := newSite(t)
			s.plant(tt.key, tt.body)
			s.accept(s.put(tt.object, tt.body))
		})
	}
}
