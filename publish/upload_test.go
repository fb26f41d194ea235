package publish_test

import (
	"bytes"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"time"

	"repomill/ingest/deb"
	"repomill/ingest/rpm"
	"repomill/publish/publishtest"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
	"repomill/testdata/debtest"
	"repomill/testdata/rpmtest"
)

// An upload is a package with its bytes.
type upload struct {
	row  catalog.Package
	body []byte
}

// source is what the readers of both formats are.
type source interface {
	Identity() catalog.Package
	Body() io.Reader
	Describe(k *catalog.Package) error
}

// deb makes a package for a component of a release, uploaded when the bucket was made.
func (w *world) deb(r catalog.Release, component string, s debtest.Spec) upload {
	w.t.Helper()
	pkg, err := deb.Peek(bytes.NewReader(debtest.Build(w.t, s)))
	if err != nil {
		w.t.Fatal(err)
	}
	k := identity(r, pkg)
	k.Component = component
	k.Key = layout.PoolKey(k)
	return w.describe(k, pkg)
}

// rpm makes a package for the distribution of a release.
func (w *world) rpm(r catalog.Release, s rpmtest.Spec) upload {
	w.t.Helper()
	pkg, err := rpm.Peek(bytes.NewReader(rpmtest.Build(w.t, s)))
	if err != nil {
		w.t.Fatal(err)
	}
	k := identity(r, pkg)
	k.Key = layout.RPMKey(k, w.dirs(k)[0])
	return w.describe(k, pkg)
}

// some makes a small package of a release's format.
func (w *world) some(r catalog.Release, name string) upload {
	w.t.Helper()
	if r.Arch == "" {
		return w.deb(r, "main", debtest.Spec{Name: name, Arch: "amd64"})
	}
	return w.rpm(r, rpmtest.Spec{Name: name, Arch: r.Arch})
}

func identity(r catalog.Release, pkg source) catalog.Package {
	k := pkg.Identity()
	k.Repository, k.Distribution, k.Uploaded = r.Repository, r.Distribution, publishtest.Start
	return k
}

func (w *world) describe(k catalog.Package, pkg source) upload {
	w.t.Helper()
	body, err := io.ReadAll(pkg.Body())
	if err != nil {
		w.t.Fatal(err)
	}
	sum, old := sha256.Sum256(body), md5.Sum(body)
	k.File = catalog.File{Size: int64(len(body)), SHA256: hex.EncodeToString(sum[:])}
	if k.Format == catalog.DEB {
		k.File.MD5 = hex.EncodeToString(old[:])
	}
	if err := pkg.Describe(&k); err != nil {
		w.t.Fatal(err)
	}
	return upload{k, body}
}

// dirs returns the directories in which an RPM package appears now.
func (w *world) dirs(k catalog.Package) []string {
	w.t.Helper()
	s, err := w.db.Settings(w.t.Context(), k.Repository)
	if err != nil {
		w.t.Fatal(err)
	}
	ds, _ := s.Find(k.Distribution)
	return layout.RPMDirs(k, ds.Architectures)
}

// push does for uploads all that comes before a publish, and makes their rows active together.
func (w *world) push(uploads ...upload) {
	w.t.Helper()
	ctx := w.t.Context()
	var stored []catalogdb.Stored
	for _, u := range uploads {
		s := catalogdb.Stored{Package: u.row, Upload: catalog.Upload{Bucket: "staging", Object: u.row.Key, Generation: fmt.Sprint(w.uploads.Add(1))}}
		var state catalog.UploadState
		var err error
		if s.Token, state, err = w.db.Take(ctx, s.Upload, catalogdb.Lease{Owner: "test", For: time.Hour}, w.bucket.Now()); err != nil || s.Token == "" {
			w.t.Fatalf("take %s: state %s, %v", s.Upload, state, err)
		}
		if _, claimed, err := w.db.Claim(ctx, u.row, catalog.Upload{}); err != nil || !claimed {
			w.t.Fatalf("claim %s: claimed %v, %v", s.Upload, claimed, err)
		}
		w.bucket.Put(u.row.Key, u.body)
		if u.row.Format == catalog.RPM {
			s.Dirs = w.dirs(u.row)
			for _, dir := range s.Dirs {
				w.bucket.Put(layout.RPMKey(u.row, dir), u.body)
			}
		}
		stored = append(stored, s)
	}
	if err := w.db.Activate(ctx, stored, w.bucket.Now()); err != nil {
		w.t.Fatal(err)
	}
}

func specOf(name, arch string) debtest.Spec { return debtest.Spec{Name: name, Arch: arch} }

// rowReader reads rows back as ingest made them.
type rowReader struct{}

func (rowReader) Deb(stanza []byte) (catalog.Package, error)  { return deb.Row(stanza) }
func (rowReader) RPM(primary []byte) (catalog.Package, error) { return rpm.Row(primary) }

func (rowReader) Identity(f catalog.Format, name, version, arch string) (catalog.Package, error) {
	if f == catalog.DEB {
		return deb.Identity(name, version, arch)
	}
	return rpm.Identity(name, version, arch)
}
