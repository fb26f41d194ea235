package ingest_test

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/testdata/debtest"
	"repomill/testdata/rpmtest"
)

// The same bytes are stored once for each component that they are pushed to.
func TestTheSameBytesInTwoComponents(t *testing.T) {
	s := newSite(t)
	s.Create = true
	deb := hello(t)
	first := s.accept(s.put("acme/tools/ubuntu/jammy/testing/hello.deb", deb))
	second := s.accept(s.put(debObject, deb))
	again := s.store(s.put("acme/tools/ubuntu/jammy/again.deb", deb))
	if first.Package.Key == second.Package.Key || again.Package.Key != second.Package.Key || again.Package.State != catalog.Active {
		t.Errorf("stored as %s, %s and %s", first.Package.Key, second.Package.Key, again.Package.Key)
	}
	want := map[string]string{first.Package.Key: string(deb), second.Package.Key: string(deb)}
	if diff := cmp.Diff(want, s.visible()); diff != "" {
		t.Errorf("bucket (-want +got):\n%s", diff)
	}
	for _, k := range []catalog.Package{first.Package, second.Package} {
		if row := s.row(k); row.State != catalog.Active || row.Component != k.Component {
			t.Errorf("row %+v", row)
		}
	}
}

// Of different files that want one name in two components at the same time, those of one win.
func TestRaceForAnIdentityInTwoComponents(t *testing.T) {
	s := newSite(t)
	if _, err := s.db.Declare(t.Context(), catalogdb.Declaration{Repository: tools, Distro: s.distro(jammy), Component: "testing"}, noon); err != nil {
		t.Fatal(err)
	}
	s.Bucket, s.Catalog = s.bucket.Bucket, s.db.DB
	objects := []string{"main/a.deb", "testing/b.deb", "main/c.deb", "testing/d.deb"}
	errs := make([]error, len(objects))
	var all sync.WaitGroup
	for i, object := range objects {
		u := s.put("acme/tools/ubuntu/jammy/"+object, debtest.Build(t, debtest.Spec{Arch: "amd64", Size: 50_000, Seed: uint64(i % 2)}))
		all.Go(func() { _, errs[i] = s.Store(t.Context(), u) })
	}
	all.Wait()
	for i := range errs {
		rej, rejected := errors.AsType[*catalog.Rejection](errs[i])
		if (errs[i] == nil) != (errs[(i+2)%4] == nil) || (errs[i] == nil) == (errs[(i+1)%4] == nil) || errs[i] != nil && (!rejected || rej.Reason != catalog.Conflict) {
			t.Fatalf("got %v: want those of one component stored, and the others as conflicts", errs)
		}
	}
	if got := len(s.visible()); got != 1 {
		t.Errorf("the bucket has %d objects, want one", got)
	}
}

// The rejection of a claimed identity is right about whether a worker publishes the claim.
func TestConflictSaysWhetherTheOtherIsOnItsWay(t *testing.T) {
	s := newSite(t)
	now := noon
	s.Now = func() time.Time { return now }
	first := s.put(debObject, hello(t))
	if _, _, err := s.db.Take(t.Context(), first, catalogdb.Lease{Owner: "test", For: time.Minute}, now); err != nil {
		t.Fatal(err)
	}
	s.store(first)
	other := debtest.Build(t, debtest.Spec{Arch: "amd64", Seed: 1, Size: 10})
	second := s.put("acme/tools/ubuntu/jammy/other.deb", other)
	digests := []string{sha256Of(hello(t)) + " there", sha256Of(other) + " here"}
	_, err := s.Store(t.Context(), second)
	wantRejection(t, err, catalog.Conflict, append(digests, "another file of the name hello 1.0 amd64 is being published in acme/tools ubuntu/jammy right now")...)
	now = now.Add(2 * time.Minute) // it died
	_, err = s.Store(t.Context(), second)
	wantRejection(t, err, catalog.Conflict, append(digests, "did not finish", "push that file again, or raise the version")...)
}

// Packages for 32-bit x86 go where systems look for them.
func TestMultilib(t *testing.T) {
	i686 := rpmtest.Build(t, rpmtest.Spec{Arch: "i686"})
	for _, tt := range []struct {
		name, object string
		create       bool
		arch         string // that is declared besides
		want         []string
	}{
		{"x86_64 systems install it", rpmObject, false, "", []string{"x86_64"}},
		{"the repository has i386, too", rpmObject, false, "i386", []string{"i386", "x86_64"}},
		{"no directory is made that systems do not use", rpmObject, true, "", []string{"x86_64"}},
		{"one is made for systems that are there", "acme/new/opensuse/tumbleweed/hello.rpm", true, "", []string{"i386", "x86_64"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSite(t)
			s.Create = tt.create
			if tt.arch != "" {
				s.declare(el9, tt.arch)
			}
			stored := s.accept(s.put(tt.object, i686))
			if !slices.Equal(stored.Dirs, tt.want) || !s.row(stored.Package).Multilib || len(s.visible()) != len(tt.want) {
				t.Errorf("it is in %q, with %d files; want %q", stored.Dirs, len(s.visible()), tt.want)
			}
		})
	}
}
