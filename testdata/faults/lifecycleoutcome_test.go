package faults_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"repomill/publish/check"
	"repomill/publish/sign"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

// readLifecycle reads the audit log, what was asked for and how far it is, and snapshots as clients see them.
func (s *site) readLifecycle(got *outcome) {
	s.t.Helper()
	ctx := s.t.Context()
	for e, err := range s.Catalog.Log(ctx, catalog.Target{}, time.Time{}) {
		if err != nil {
			s.t.Fatal(err)
		}
		switch e.Action {
		case catalog.ActionUpload, catalog.ActionReindex, catalog.ActionReindexCancel: // a repeat asks for another reindex
		default:
			got.Audit = append(got.Audit, shape(fmt.Sprintf("%s: %s of %s: %s (%s)", e.By, e.Action, e.Target, e.Detail, e.Why)))
		}
	}
	slices.Sort(got.Audit)
	uploads, err := s.Catalog.Recent(ctx, "", 1000)
	for _, v := range uploads {
		got.Asked = append(got.Asked, fmt.Sprintf("upload %s: %s %s %s %s", layout.ShownStaging(v.Object), v.State, v.Reason, v.Move, v.MoveDetail))
	}
	trains, failed := s.Catalog.Trains(ctx, "")
	for _, t := range trains {
		got.Asked = append(got.Asked, fmt.Sprintf("train %s: %s, holds %d, %d others, to be published: %v, %q", t.Train, t.State, t.Held, t.Others, t.NotBefore != nil, t.Faults))
	}
	err = errors.Join(err, failed)
	phases, failed := s.Catalog.Phases(ctx, catalog.PackageTarget{Repository: tools})
	if !errors.Is(failed, catalogdb.ErrNotFound) {
		err = errors.Join(err, failed)
	}
	for _, p := range phases {
		got.Asked = append(got.Asked, fmt.Sprintf("phase of %s %s: %d%% of %d packages, then %v", p.Source, p.Version, p.Percent, p.Packages, p.Steps))
	}
	slices.Sort(got.Asked)
	all, failed := s.Catalog.AllSnapshots(ctx)
	if err = errors.Join(err, failed); err != nil {
		s.t.Fatal(err)
	}
	for _, one := range all {
		got.Snapshots = append(got.Snapshots, s.readSnapshot(one))
	}
}

// readSnapshot returns the state of a snapshot, and what clients see in each of its releases, every package read with all its bytes.
func (s *site) readSnapshot(one catalog.Snapshot) string {
	s.t.Helper()
	text := fmt.Sprintf("%s %s, automatic: %v", one.Name, one.State, one.Automatic)
	if one.State != catalog.SnapshotKept {
		return text
	}
	one, err := s.Catalog.SnapshotByNumber(s.t.Context(), one.Number)
	if err != nil {
		s.t.Fatal(err)
	}
	keyring, err := sign.ReadKeyring(s.Signer().Public())
	if err != nil {
		s.t.Fatal(err)
	}
	for _, r := range one.Releases {
		var seen check.Release
		var problems []check.Problem
		opt := check.Options{Content: true, Now: s.clock.now(), Settle: time.Nanosecond}
		if r.Release.Arch == "" {
			seen, problems, err = check.Apt(s.t.Context(), snapshotTree{s.bucket}, layout.InSnapshot(one.Target.Repository, one.ID, layout.OSDir(r.Release)), r.Release.Distribution.Version, keyring, opt)
		} else {
			seen, problems, err = check.RPM(s.t.Context(), snapshotTree{s.bucket}, layout.InSnapshot(one.Target.Repository, one.ID, layout.RPMDir(r.Release)), keyring, opt)
		}
		problems = slices.DeleteFunc(problems, func(p check.Problem) bool { return slices.Contains(plainIndexes, path.Base(p.Path)) })
		if err != nil || len(problems) > 0 || seen.Revision.Number != r.Revision {
			s.t.Errorf("snapshot %s of %s, of revision %d: clients find %+v: %v, %v", one, r.Release, r.Revision, seen, problems, err)
		}
		text += fmt.Sprintf(", %s has %d", r.Release, seen.Packages)
	}
	return text
}

// plainIndexes are files that snapshots do not have.
var plainIndexes = []string{"Packages", "Packages.gz", "Sources", "Sources.gz"}

// A snapshotTree has the paths that clients use, as the resolver has.
type snapshotTree struct{ *bucket }

// Open implements check.Tree.
func (t snapshotTree) Open(ctx context.Context, name string) (io.ReadCloser, error) {
	ref, ok := layout.Parse(name)
	if !ok {
		return nil, fmt.Errorf("%s: %w", strings.ToValidUTF8(name, "?"), fs.ErrNotExist)
	}
	body, _, err := t.Get(ctx, ref.Key)
	return body, err
}
