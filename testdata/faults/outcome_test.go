package faults_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"repomill/publish/check"
	"repomill/publish/sign"
	"repomill/publish/tree"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

// An outcome is the state after a scenario, without random values and times.
type outcome struct {
	Packages map[string][]string          // "name version arch" that clients see, by release
	Rows     map[string][]catalog.Package // likewise, of the catalog
	Indexes  map[string]string            // digests of what pointers name, by key
	Objects  map[string]string            // digests of what is never replaced, by key; "" of what is
	Uploads  map[string]string            // state and reason, by object
	Verdicts map[string]string            // state and reason, by object, in the verdict for the uploader
	Staged   []string                     // what lies in staging
	Settings []catalog.Settings           // that are published

	Audit     []string // entries of the audit log, without times
	Asked     []string // uploads, promotions and release trains that the catalog has, and phases
	Snapshots []string // and what clients see in those that are kept
}

// outcome reads everything. It fails the test if clients find anything wrong.
func (s *site) outcome() outcome {
	s.t.Helper()
	got := outcome{
		Packages: map[string][]string{}, Rows: map[string][]catalog.Package{}, Indexes: map[string]string{}, Objects: map[string]string{},
		Uploads: map[string]string{}, Verdicts: map[string]string{},
	}
	for _, r := range s.releases() {
		s.readRelease(r, &got)
	}
	s.readObjects(&got)
	s.readLifecycle(&got)
	for _, u := range s.uploads {
		got.Uploads[u.Object], got.Verdicts[u.Object] = s.state(u), s.verdict(u)
		_, err := s.Staging.Stat(s.t.Context(), u.Object)
		if err == nil {
			got.Staged = append(got.Staged, u.Object)
		} else if !errors.Is(err, fs.ErrNotExist) {
			s.t.Error(err)
		}
	}
	return got
}

// releases returns the states of the releases in the catalog.
func (s *site) releases() []catalogdb.ReleaseState {
	s.t.Helper()
	all, err := s.Catalog.Releases(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	return all
}

// readRelease reads a release as clients do, and compares it with its rows.
func (s *site) readRelease(r catalogdb.ReleaseState, got *outcome) {
	s.t.Helper()
	rows, name := s.rows(r.Release), r.Release.String()
	got.Rows[name] = rows
	for _, k := range rows {
		if k.State == catalog.Active {
			got.Packages[name] = append(got.Packages[name], k.Name+" "+k.Version+" "+k.Arch)
		}
	}
	seen, problems, err := s.read(r.Release)
	if err != nil {
		s.t.Errorf("%s: %v", name, err)
		return
	}
	for _, p := range problems {
		s.t.Errorf("%s: clients find %s", name, p)
	}
	if seen.Revision != r.Revision || r.Published != r.Revision.Number || seen.Packages != len(got.Packages[name]) {
		s.t.Errorf("%s: clients see %d packages of revision %s; rows are %d, of %s, and %d is recorded",
			name, seen.Packages, seen.Revision, len(got.Packages[name]), r.Revision, r.Published)
	}
	for _, x := range s.manifest(r.Release).Indexes {
		got.Indexes[x.Key] = x.SHA256
	}
}

// rows returns the packages that a release shows, in order.
func (s *site) rows(r catalog.Release) (all []catalog.Package) {
	s.t.Helper()
	for k, err := range s.Catalog.List(s.t.Context(), r, "") {
		if err != nil {
			s.t.Fatal(err)
		}
		all = append(all, k)
	}
	return all
}

// A clientTree reads a bucket as clients do.
type clientTree struct{ *bucket }

// Open implements check.Tree.
func (t clientTree) Open(ctx context.Context, name string) (io.ReadCloser, error) {
	body, _, err := t.Get(ctx, name)
	return body, err
}

// read reads a release as a client does, every package with all its bytes.
func (s *site) read(r catalog.Release) (check.Release, []check.Problem, error) {
	keyring, err := sign.ReadKeyring(s.Signer().Public())
	if err != nil {
		return check.Release{}, nil, err
	}
	ctx, opt := context.WithoutCancel(s.t.Context()), check.Options{Content: true, Now: s.clock.now(), Settle: time.Nanosecond}
	if r.Arch == "" {
		return check.Apt(ctx, clientTree{s.bucket}, layout.OSDir(r), r.Distribution.Version, keyring, opt)
	}
	return check.RPM(ctx, clientTree{s.bucket}, layout.RPMDir(r), keyring, opt)
}

// besidePointers are the files that follow a pointer. A crash may leave them torn until the next start: clients
// with by-hash never read them, and those of RPM refuse the pointer until then.
var besidePointers = []string{"Release", "Release.gpg", "Packages.gz", "Packages", "Sources.gz", "repomd.xml.asc"}

// wantWhole checks, at any time, that clients see complete releases, and that no verdict names a package that clients do not
// see.
func (s *site) wantWhole(releases []catalogdb.ReleaseState) {
	s.t.Helper()
	for _, r := range releases {
		seen, problems, err := s.read(r.Release)
		if errors.Is(err, fs.ErrNotExist) && r.Published == 0 {
			continue
		}
		problems = slices.DeleteFunc(problems, func(p check.Problem) bool { return slices.Contains(besidePointers, path.Base(p.Path)) })
		if err != nil || len(problems) > 0 {
			s.t.Errorf("%s, after the fault: clients find %v, %v", r.Release, problems, err)
		}
		if seen.Revision.Number < r.Published {
			s.t.Errorf("%s, after the fault: clients see revision %d, and %d is recorded as published", r.Release, seen.Revision.Number, r.Published)
		}
	}
}

// manifest returns the record of what clients see of a release.
func (s *site) manifest(r catalog.Release) (m tree.Manifest) {
	s.t.Helper()
	pointer, found := sum(s.bytes(layout.PointerKey(r))), ""
	err := s.Bucket.List(s.t.Context(), layout.HistoryPrefix(r), func(key string, _ layout.Meta) error {
		if strings.HasSuffix(key, "-"+pointer+".json") {
			found = key
		}
		return nil
	})
	if err == nil && found != "" {
		err = json.Unmarshal(s.bytes(found), &m)
	}
	if err != nil || found == "" {
		s.t.Errorf("%s has no manifest: %v", r, err)
	}
	return m
}

// readObjects reads what lies in the bucket besides indexes and their history, and the published settings.
func (s *site) readObjects(got *outcome) {
	s.t.Helper()
	err := s.Bucket.List(s.t.Context(), "", func(key string, _ layout.Meta) error {
		base := path.Base(key)
		switch {
		case base == path.Base(layout.SnapshotListKey(tools)): // snapshots are read by themselves
		case strings.HasPrefix(key, layout.SettingsPrefix):
			var c catalog.Settings
			if err := json.Unmarshal(s.bytes(key), &c); err != nil {
				return err
			}
			c.Revision = catalog.Revision{}
			got.Settings = append(got.Settings, c)
		case layout.Hidden(key), strings.Contains(key, "/by-hash/"), strings.Contains(key, "/repodata/"):
		case strings.HasPrefix(key, layout.SnapshotDir(tools, "")):
			got.Objects[shape(key)] = ""
		case base == "InRelease" || slices.Contains(besidePointers, base):
			got.Objects[key] = ""
		default:
			got.Objects[key] = sum(s.bytes(key))
		}
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

// state returns the state of an upload, with the reason of a rejection.
func (s *site) state(u catalog.Upload) string {
	s.t.Helper()
	v, err := s.Catalog.Verdict(s.t.Context(), u)
	if err != nil && !errors.Is(err, catalogdb.ErrNotFound) {
		s.t.Fatal(err)
	}
	return strings.TrimSpace(string(v.State) + " " + string(v.Reason))
}

// verdict returns the verdict for the uploader.
func (s *site) verdict(u catalog.Upload) string {
	s.t.Helper()
	body, _, err := s.Staging.Verdict(s.t.Context(), u.Object)
	if errors.Is(err, fs.ErrNotExist) {
		return ""
	}
	var v catalog.Verdict
	if err == nil {
		err = json.Unmarshal(body, &v)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	if v.Generation != u.Generation {
		return "of another generation"
	}
	return strings.TrimSpace(string(v.State) + " " + string(v.Reason))
}

func sum(body []byte) string {
	digest := sha256.Sum256(body)
	return hex.EncodeToString(digest[:])
}
