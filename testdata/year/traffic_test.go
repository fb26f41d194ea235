package year_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"repomill/pipelines"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/testdata/debtest"
	"repomill/testdata/rpmtest"
)

// A traffic is what people and CI do to repositories.
type traffic struct {
	t            *testing.T
	r            *pipelines.Resources
	rand         *rand.Rand
	repositories []*repository
	n            int // things that were pushed
}

// A repository has packages of one format.
type repository struct {
	release catalog.Release
	pushed  []pushed // of the last days
	yanked  []pushed // that may come back
}

// A pushed is a package that was published.
type pushed struct {
	name, version string
	needs         string // the package that it needs by exact version, as in Depends
	at            time.Time
}

// An upload is one that was staged, with the state and the reason that it must get.
type upload struct {
	catalog.Upload
	want catalog.UploadState
	why  catalog.Reason
}

// namesEach is how many names a repository has, and newest how many versions of each its rule keeps. A package is pushed again within
// recent, while its upload is known.
const (
	namesEach = 4
	newest    = 3
	recent    = 4 * day
)

// declare pushes a package to each of n repositories, which creates them: two of three have DEBs, one has RPMs.
func (f *traffic) declare(n int) (all []upload, err error) {
	for i := range n {
		place := "ubuntu/jammy"
		if i%3 == 2 {
			place = "el/9/x86_64"
		}
		release, err := catalog.ParseRelease(fmt.Sprintf("acme/r%03d/%s", i, place))
		if err != nil {
			return nil, err
		}
		p := &repository{release: release}
		f.repositories = append(f.repositories, p)
		u, err := f.fresh(p)
		if err != nil {
			return nil, err
		}
		all = append(all, u)
	}
	return all, nil
}

// rules sets the rules of a repository that was created: each has one of retention, every tenth has snapshots of each day, and another
// tenth of each week.
func (f *traffic) rules(i int, p *repository) error {
	_, err := f.r.Catalog.ChangeSettings(f.t.Context(), p.release.Repository, time.Now(), func(s *catalog.Settings) error {
		s.Retention = []catalog.Retention{{Newest: newest, Automatic: true, AllowShrink: true}}
		switch i % 10 {
		case 0:
			s.Snapshots = &catalog.SnapshotRule{Every: catalog.Daily, Keep: 5}
		case 5:
			s.Snapshots = &catalog.SnapshotRule{Every: catalog.Weekly, Keep: 3}
		}
		return nil
	})
	return err
}

// day does what is done on one day, and returns the uploads. Before each one, a part of the day passes.
func (f *traffic) day(n int) (all []upload, err error) {
	for range (n + 29) / 30 { // before they are pushed again
		if err := f.withdraw(f.repositories[f.rand.IntN(len(f.repositories))]); err != nil {
			return nil, err
		}
	}
	for range n {
		p := f.repositories[f.rand.IntN(len(f.repositories))]
		var u upload
		switch x := f.rand.IntN(100); {
		case x < 5:
			u, err = f.junk(p)
		case x < 10 && f.old(p) != nil:
			u, err = f.again(p, catalog.Duplicate, "")
		case x < 13 && f.old(p) != nil:
			u, err = f.again(p, catalog.Rejected, "conflict")
		default:
			u, err = f.fresh(p)
		}
		if err != nil {
			return nil, err
		}
		all = append(all, u)
		time.Sleep(day / 2 / time.Duration(n))
	}
	return all, nil
}

// fresh pushes a new version.
func (f *traffic) fresh(p *repository) (upload, error) {
	f.n++
	k := pushed{name: fmt.Sprintf("tool%d", f.rand.IntN(namesEach)), version: fmt.Sprintf("1.%d", f.n), needs: "none", at: time.Now()}
	if n := len(p.pushed); n > 0 && f.n%5 == 0 {
		k.needs = fmt.Sprintf("%s (= %s)", p.pushed[n-1].name, p.pushed[n-1].version)
	}
	p.pushed = append(p.pushed, k)
	if len(p.pushed) > 20 {
		p.pushed = p.pushed[1:]
	}
	return f.put(p, f.build(p, k, 0), catalog.Published, "")
}

// old returns a package of the last days that is not withdrawn, or nil.
func (f *traffic) old(p *repository) *pushed {
	for i := range p.pushed {
		if k := &p.pushed[i]; time.Since(k.at) < recent && time.Since(k.at) > day/2 {
			return k
		}
	}
	return nil
}

// again pushes a package once more, with the same bytes or, to be rejected, with others.
func (f *traffic) again(p *repository, want catalog.UploadState, why catalog.Reason) (upload, error) {
	var seed uint64
	if want == catalog.Rejected {
		f.n++
		seed = uint64(f.n)
	}
	return f.put(p, f.build(p, *f.old(p), seed), want, why)
}

// junk pushes what cannot be a package.
func (f *traffic) junk(p *repository) (upload, error) {
	f.n++
	return f.put(p, fmt.Appendf(nil, "junk %d", f.n), catalog.Rejected, "not-a-package")
}

// withdraw withdraws a package, or brings one back that was withdrawn lately.
func (f *traffic) withdraw(p *repository) error {
	ctx := context.WithoutCancel(f.t.Context())
	if n := len(p.yanked); n > 0 && f.rand.IntN(2) == 0 {
		k := p.yanked[n-1]
		p.yanked = nil
		if time.Since(k.at) > recent {
			return nil // its file may be gone
		}
		_, err := f.r.Catalog.Unyank(ctx, f.which(p, k), time.Now())
		return err
	}
	k := f.old(p)
	if k == nil {
		return nil
	}
	gone := *k
	for i := range p.pushed {
		if p.pushed[i] == gone {
			p.pushed = append(p.pushed[:i], p.pushed[i+1:]...)
			break
		}
	}
	p.yanked = append(p.yanked, gone)
	_, err := f.r.Catalog.Yank(ctx, f.which(p, gone), catalog.Yank{Reason: "breaks", By: "year"}, time.Now())
	return err
}

func (f *traffic) which(p *repository, k pushed) catalogdb.PackageSelector {
	version := k.version
	if p.release.Arch != "" {
		version += "-1"
	}
	return catalogdb.PackageSelector{Repository: p.release.Repository, Distribution: p.release.Distribution, Name: k.name, Version: version}
}

func (f *traffic) build(p *repository, k pushed, seed uint64) []byte {
	if p.release.Arch != "" {
		return rpmtest.Build(f.t, rpmtest.Spec{Name: k.name, Version: k.version, Release: "1", Arch: "x86_64", Description: fmt.Sprint("build ", seed)})
	}
	return debtest.Build(f.t, debtest.Spec{Name: k.name, Version: k.version, Arch: "amd64", Fields: []string{fmt.Sprint("X-Build: ", seed), "Depends: " + k.needs}})
}

// ext returns how names of package files end.
func (p *repository) ext() string {
	if p.release.Arch != "" {
		return ".rpm"
	}
	return ".deb"
}

// put stages a file.
func (f *traffic) put(p *repository, body []byte, want catalog.UploadState, why catalog.Reason) (upload, error) {
	f.n++
	object := fmt.Sprintf("%s/%s/%d%s", p.release.Repository, p.release.Distribution, f.n, p.ext())
	u, err := f.r.Staging.Put(f.t.Context(), object, bytes.NewReader(body), catalog.Pusher{User: "ci"})
	return upload{u, want, why}, err
}
