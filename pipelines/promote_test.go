package pipelines_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"repomill/pipelines/worker"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
	"repomill/testdata/debtest"
	"repomill/testdata/proctest"
	"repomill/testdata/rpmtest"
	"repomill/testdata/s3test"
)

var (
	stableJammy = release("acme/stable/ubuntu/jammy")
	stableEl9   = release("acme/stable/el/9/x86_64")
	stableArm   = release("acme/stable/el/9/aarch64")
)

// declareStable declares acme/stable with a distribution of each format, with a component more.
func (s *site) declareStable() {
	s.t.Helper()
	for _, r := range []catalog.Release{stableJammy, stableEl9} {
		distro, rej := layout.DefaultTable().Lookup(r.Distribution)
		if rej != nil {
			s.t.Fatal(rej)
		}
		components := []string{""}
		if r.Arch == "" {
			components = []string{"main", "contrib"}
		}
		for _, c := range components {
			if _, err := s.Catalog.Declare(s.t.Context(), catalogdb.Declaration{Repository: r.Repository, Distro: distro, Component: c}, time.Now()); err != nil {
				s.t.Fatal(err)
			}
		}
	}
}

// everything returns the active packages of acme/tools.
func (s *site) everything() (all []catalog.Package) {
	s.t.Helper()
	page, err := s.Catalog.ListPackages(s.t.Context(), catalog.PackageQuery{Repository: jammy.Repository, Limit: 1000})
	if err != nil {
		s.t.Fatal(err)
	}
	for _, k := range page.Packages {
		all = append(all, k.Package)
	}
	return all
}

// promote asks for copies of packages, in their distributions of acme/stable.
func (s *site) promote(packages ...catalog.Package) []catalog.Upload {
	s.t.Helper()
	var wishes []catalogdb.Wish
	for _, k := range packages {
		to := k.Place()
		to.Repository = stableJammy.Repository
		wishes = append(wishes, catalogdb.Wish{Source: k, To: to})
	}
	return s.wish(wishes...)
}

func (s *site) wish(wishes ...catalogdb.Wish) []catalog.Upload {
	s.t.Helper()
	ctx := catalog.WithActor(s.t.Context(), catalog.Actor{User: "jo", Job: "https://ci.example/7"})
	uploads, err := s.Catalog.Promote(ctx, wishes, time.Now())
	if err != nil {
		s.t.Fatal(err)
	}
	return uploads
}

// once runs a dispatcher until nothing is left to do.
func (s *site) once() {
	s.t.Helper()
	d := worker.Dispatcher{Resources: s.Resources, Source: mute, Run: s.run, Once: true}
	if err := d.Serve(s.t.Context(), grace); err != nil {
		s.t.Error(err)
	}
}

// Sixty packages are one publish of each release that they go to, and a noarch package is in all its directories. Nothing of it
// is in staging.
func TestPromoteMany(t *testing.T) {
	t.Parallel()
	s := newSite(t, runDirect)
	const debs = 60
	uploads := s.putDebs(jammy, "p", debs)
	uploads = append(uploads, s.put("acme/tools/el/9/noarch.rpm", rpmtest.Build(t, rpmtest.Spec{Arch: "noarch"})))
	s.once()
	s.wantStates("published", uploads...)
	s.declareStable()
	s.once() // publishes the empty releases
	staged := s.stagedFiles()
	before := map[catalog.Release]int{}
	releases := []catalog.Release{stableJammy, stableEl9, stableArm}
	for _, r := range releases {
		before[r] = s.publishes(r)
	}
	asked := time.Now()
	copies := s.promote(s.everything()...)
	if len(copies) != debs+1 {
		t.Fatalf("%d copies are asked for", len(copies))
	}
	s.once()
	s.wantStates("published", copies...)
	for _, r := range releases {
		s.wantOnePublish(r, before[r], asked)
	}
	s.wantRelease(stableJammy, debs)
	s.wantRelease(stableEl9, 1)
	s.wantRelease(stableArm, 1)
	s.wantRelease(jammy, debs)
	if got := s.stagedFiles(); got != staged {
		t.Errorf("staging has\n%s\nnow, and had\n%s", got, staged)
	}
	k := s.everything()[0]
	k.Repository = stableJammy.Repository
	if k, err := s.Catalog.Find(t.Context(), k); err != nil || k.Pusher != (catalog.Pusher{User: "jo", Job: "https://ci.example/7"}) {
		t.Errorf("the copy is of %+v, %v", k.Pusher, err)
	}
}

// stagedFiles lists the files of the staging folder.
func (s *site) stagedFiles() string {
	s.t.Helper()
	var all []string
	err := filepath.WalkDir(filepath.Join(s.dir, "staging"), func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			all = append(all, path)
		}
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return strings.Join(all, "\n")
}

// What a copy becomes, by what was done between the wish and the work.
func TestPromoteJudges(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		fact    string
		between func(*site, catalog.Package)
		to      catalog.Place
		want    string
		says    string
	}{
		{"to another repository", nil, catalog.Place{Repository: stableJammy.Repository, Distribution: jammy.Distribution, Component: "main"}, "published", ""},
		{"to another component", nil, catalog.Place{Repository: stableJammy.Repository, Distribution: jammy.Distribution, Component: "contrib"}, "published", ""},
		{"to a component that there is none of", nil, catalog.Place{Repository: stableJammy.Repository, Distribution: jammy.Distribution, Component: "other"}, "rejected unknown-component", `does not have component "other"`},
		{"to a distribution of the other format", nil, catalog.Place{Repository: stableEl9.Repository, Distribution: el9.Distribution}, "rejected wrong-format", "takes rpm"},
		{"withdrawn before the copy", func(s *site, k catalog.Package) { s.withdraw(k) },
			stablePlace, "rejected yanked", "hello 1.0 amd64 was withdrawn from acme/tools/ubuntu/jammy/main (\"broken\") before it was copied"},
		{"removed before the copy", func(s *site, k catalog.Package) { s.withdraw(k); s.must(os.Remove(s.pathOf(k.Key))) },
			stablePlace, "rejected yanked", "was withdrawn from acme/tools/ubuntu/jammy/main"},
		{"its file is lost", func(s *site, k catalog.Package) { s.must(os.Remove(s.pathOf(k.Key))) },
			stablePlace, "rejected replaced", "is missing from the published bucket"},
		{"its file was damaged", func(s *site, k catalog.Package) {
			s.must(os.Remove(s.pathOf(k.Key)))
			s.must(os.WriteFile(s.pathOf(k.Key), debtest.Build(s.t, debtest.Spec{Arch: "amd64", Fields: []string{"Description: damaged"}}), 0o600))
		}, stablePlace, "rejected bad-digest", "other bytes under " + jammyHello},
		{"other bytes are there", func(s *site, _ catalog.Package) {
			s.push(stableJammy, debtest.Spec{Arch: "amd64", Fields: []string{"Description: another"}})
		},
			stablePlace, "rejected conflict", "with other bytes"},
		{"the same bytes are there", func(s *site, _ catalog.Package) { s.push(stableJammy, debtest.Spec{Arch: "amd64"}) },
			stablePlace, "duplicate", ""},
		{"signatures are required there", func(s *site, _ catalog.Package) { s.requireSigned() }, stablePlace, "rejected unsigned", ""},
	} {
		t.Run(tt.fact, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, runDirect)
			s.Config.Create = false
			s.declareStable()
			s.declare(jammy)
			s.Ingester.Create = false
			s.push(jammy, debtest.Spec{Arch: "amd64"})
			k := s.everything()[0]
			u := s.wish(catalogdb.Wish{Source: k, To: tt.to})
			if tt.between != nil {
				tt.between(s, k)
			}
			s.ingest(s.batch(u...))
			s.wantStates(tt.want, u...)
			v, err := s.Catalog.Verdict(t.Context(), u[0])
			if err != nil || !strings.Contains(v.Detail, tt.says) {
				t.Errorf("it says %q, %v; want %q", v.Detail, err, tt.says)
			}
			if v := s.verdict(u[0].Object); v.State != "" {
				t.Errorf("staging has a verdict on a promotion: %+v", v)
			}
		})
	}
}

const jammyHello = "acme/tools/ubuntu/pool/jammy/main/h/hello/hello_1.0_amd64.deb"

var stablePlace = catalog.Place{Repository: stableJammy.Repository, Distribution: jammy.Distribution, Component: "main"}

func (s *site) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) pathOf(key string) string { return filepath.Join(s.dir, "bucket", key) }

// push publishes a package.
func (s *site) push(r catalog.Release, spec debtest.Spec) {
	s.t.Helper()
	u := s.put(fmt.Sprintf("%s/%s.deb", r, layout.NewID()), debtest.Build(s.t, spec))
	s.ingest(s.batch(u))
	s.wantStates("published", u)
}

// requireSigned has acme/stable take signed packages only.
func (s *site) requireSigned() {
	s.t.Helper()
	_, err := s.Catalog.ChangeSettings(s.t.Context(), stableJammy.Repository, time.Now(), func(v *catalog.Settings) error {
		f := s.Signer().Fingerprints()[0]
		v.PackageKeys = []catalog.PackageKey{{ID: f[len(f)-16:], Armor: string(s.Signer().Public())}}
		v.RequireSigned = []catalog.Format{catalog.DEB}
		return nil
	})
	s.must(err)
}

func (s *site) withdraw(k catalog.Package) {
	s.t.Helper()
	w := catalogdb.PackageSelector{Repository: k.Repository, Distribution: k.Distribution, Name: k.Name, Version: k.Version}
	_, err := s.Catalog.Yank(s.t.Context(), w, catalog.Yank{Reason: "broken"}, time.Now())
	s.must(err)
}

// declare declares a release.
func (s *site) declare(r catalog.Release) {
	s.t.Helper()
	distro, rej := layout.DefaultTable().Lookup(r.Distribution)
	if rej != nil {
		s.t.Fatal(rej)
	}
	_, err := s.Catalog.Declare(s.t.Context(), catalogdb.Declaration{Repository: r.Repository, Distro: distro}, time.Now())
	s.must(err)
}

// Two workers find the same wishes: each copy is made once.
func TestPromoteByTwoWorkers(t *testing.T) {
	t.Parallel()
	s := newSite(t, runDirect)
	uploads := s.putDebs(jammy, "p", 20)
	s.once()
	s.wantStates("published", uploads...)
	s.declareStable()
	cfg := s.Config
	cfg.MaxPackageSize-- // another configuration has resources of its own
	other := openSite(t, s.dir, cfg, runDirect)
	stopHere, stopThere := s.serve(mute, grace), other.serve(mute, grace)
	var copies []catalog.Upload
	for _, k := range s.everything() {
		copies = append(copies, s.promote(k)...)
	}
	proctest.Eventually(t, "all copies are published", func() bool { return s.allAre("published", copies) })
	wantStopped(t, stopHere)
	wantStopped(t, stopThere)
	s.wantRelease(stableJammy, 20)
}

// A worker that dies at a copy leaves it to the next one, and the attempts count: the sixth is none.
func TestPromoteOfADeadWorker(t *testing.T) {
	t.Parallel()
	s := newSite(t, runDirect)
	s.declareStable()
	s.push(jammy, debtest.Spec{Arch: "amd64"})
	s.push(jammy, debtest.Spec{Name: "other", Arch: "amd64"})
	copies := s.promote(s.everything()...)
	dead := catalogdb.Lease{Owner: "dead", For: time.Minute}
	long := time.Now().Add(-time.Hour)
	if _, err := s.Catalog.TakeAll(t.Context(), copies, dead, long); err != nil {
		t.Fatal(err)
	}
	for range catalogdb.MaxAttempts - 1 {
		long = long.Add(2 * time.Minute)
		if _, _, err := s.Catalog.Take(t.Context(), copies[1], dead, long); err != nil {
			t.Fatal(err)
		}
	}
	s.once()
	s.wantStates("published", copies[0])
	s.wantStates("rejected poison", copies[1])
	if v, err := s.Catalog.Verdict(t.Context(), copies[1]); err != nil || !strings.HasSuffix(v.Detail, "; promote it again to have it tried once more") {
		t.Errorf("it says %q, %v", v.Detail, err)
	}
}

// The bytes of a copy are read, and not sent to the bucket again.
func TestPromoteCopiesInTheBucket(t *testing.T) {
	t.Parallel()
	s := newSite(t, runDirect)
	s.declareStable()
	s.push(jammy, debtest.Spec{Arch: "amd64"})
	copies := s.promote(s.everything()...)
	s.guard(func(_ context.Context, key string) error { return fmt.Errorf("%s: %w", key, errFault) })
	s.ingest(s.batch(copies...))
	s.wantStates("published", copies...)
	files := s.files()
	if a, b := files[jammyHello], files[strings.Replace(jammyHello, "tools", "stable", 1)]; a == "" || !bytes.Equal([]byte(a), []byte(b)) {
		t.Errorf("the copy has %d bytes, the package %d", len(b), len(a))
	}
}

// In a bucket of S3 and a catalog of MySQL, too: a noarch package is copied from one of its directories to all of the new place.
func TestProductionPromotes(t *testing.T) {
	t.Parallel()
	p := newProduction(t, s3test.Start(t))
	stop := p.serve(p.source(), grace)
	uploads := append(p.putDebs(jammy, "p", 3), p.put("acme/tools/el/9/noarch.rpm", rpmtest.Build(t, rpmtest.Spec{Arch: "noarch"})))
	proctest.Eventually(t, "the packages are published", func() bool { return p.allAre("published", uploads) })
	p.declareStable()
	copies := p.promote(p.everything()...)
	proctest.Eventually(t, "the copies are published", func() bool { return p.allAre("published", copies) })
	wantStopped(t, stop)
	p.wantRelease(stableJammy, 3)
	p.wantRelease(stableEl9, 1)
	p.wantRelease(stableArm, 1)
}
