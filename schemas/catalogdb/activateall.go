package catalogdb

import (
	"context"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// An activator makes packages active in one transaction. Those that need no decision, which are nearly all, are read together and
// written together; each of the others takes [activate].
type activator struct {
	tx       *transaction
	now      time.Time
	ready    map[catalog.Upload]*readyUpload
	gone     map[catalog.Repository]catalog.Settings // what is deleted of them
	packages []int64                                 // to become active
	uploads  map[catalog.Checked][]int64             // to wait for their releases, by what was looked at
}

// A readyUpload is a received upload with the package that it claimed.
type readyUpload struct {
	id, pkg int64
	token   string
	holder  catalog.Package
}

// newActivator reads the uploads and their packages. The caller holds the locks on the releases.
func newActivator(ctx context.Context, tx *transaction, stored []Stored, now time.Time) (*activator, error) {
	a := &activator{tx: tx, now: now, ready: map[catalog.Upload]*readyUpload{}, gone: map[catalog.Repository]catalog.Settings{}, uploads: map[catalog.Checked][]int64{}}
	uploads := make([]catalog.Upload, len(stored))
	for i, s := range stored {
		uploads[i] = s.Upload
	}
	for some := range byBucket(uploads) {
		where, args := uploadsCondition(some)
		rows, err := collect(ctx, tx, func(scan func(...any) error) (r readyUpload, err error) {
			u := catalog.Upload{Bucket: some[0].Bucket}
			err = scan(&r.id, &r.pkg, &r.token, &u.Object, &u.Generation)
			a.ready[u] = &r
			return r, err
		}, `SELECT u.id, u.package_id, u.lease_token, u.object, u.generation FROM uploads u WHERE `+where+` AND u.state = ? AND u.package_id IS NOT NULL`+tx.forUpdate,
			append(args, catalog.Received)...)
		if err != nil || len(rows) == 0 {
			return a, err
		}
		ids := make([]int64, len(rows))
		for i, r := range rows {
			ids[i] = r.pkg
		}
		holders := map[int64]catalog.Package{}
		in, args := in("k.id", padded(ids))
		if _, err := collect(ctx, tx, func(scan func(...any) error) (id int64, err error) {
			var k catalog.Package
			err = scanPackage(&k, scan, &id)
			holders[id] = k
			return id, err
		}, `SELECT k.id, `+packageColumns+` FROM `+packagesByID+` WHERE `+in, args...); err != nil {
			return a, err
		}
		for _, r := range a.ready {
			if k, ok := holders[r.pkg]; ok {
				r.holder = k
			}
		}
	}
	return a, nil
}

// activate is [activate] for one upload. Its rows are changed at the next flush.
func (a *activator) activate(ctx context.Context, s Stored, releases []releaseRow) ([]packageChange, error) {
	r := a.ready[keyOf(s.Upload)]
	if r == nil || r.token != s.Token || !plain(s, r.holder) {
		if err := a.flush(ctx); err != nil {
			return nil, err
		}
		for _, other := range a.ready { // what this does to their package is to be read
			if of := other.holder; of.Name == s.Package.Name && of.Canonical == s.Package.Canonical && of.Arch == s.Package.Arch {
				other.holder.State = ""
			}
		}
		return activate(ctx, a.tx, s, releases, a.now)
	}
	gone, known := a.gone[s.Package.Repository]
	if !known {
		var err error
		if gone, err = deletions(ctx, a.tx, s.Package.Repository); err != nil {
			return nil, err
		}
		a.gone[s.Package.Repository] = gone
	}
	if t, del := gone.DeletedTarget(s.Package.Distribution, s.Package.Component); del != nil {
		return nil, reject(ctx, a.tx, r.id, *DeletedRejection(t, *del), a.now)
	}
	showing, err := releasesShowing(s, releases)
	if err != nil {
		return nil, err
	}
	a.packages = append(a.packages, r.pkg)
	a.uploads[s.Checked] = append(a.uploads[s.Checked], r.id)
	for _, other := range a.ready { // of the same package
		if other.pkg == r.pkg {
			other.holder.State = catalog.Active
		}
	}
	return []packageChange{{upload: r.id, pkg: r.pkg, releases: showing, changed: true}}, nil
}

// plain reports whether a claimed row of a package can become active without a further look.
func plain(s Stored, holder catalog.Package) bool {
	k := s.Package
	return layout.TrainOf(s.Upload.Object) == "" && holder.State == catalog.Claimed && holder.Variant == "" && k.Variant == "" && holder.Yank == nil &&
		holder.File.SHA256 == k.File.SHA256 && holder.Repository == k.Repository && holder.Distribution == k.Distribution && holder.Component == k.Component &&
		holder.Name == k.Name && holder.Canonical == k.Canonical && holder.Arch == k.Arch
}

// flush changes the rows of packages and uploads that are to be changed.
func (a *activator) flush(ctx context.Context) error {
	for some := range sized(a.packages) {
		where, ids := in("id", some)
		if _, err := a.tx.ExecContext(ctx, `UPDATE packages SET state = ? WHERE `+where, append([]any{catalog.Active}, ids...)...); err != nil {
			return err
		}
	}
	for checked, uploads := range a.uploads {
		for some := range sized(uploads) {
			where, ids := in("id", some)
			_, err := a.tx.ExecContext(ctx, `UPDATE uploads SET state = ?, outcome = ?, detail = '', checked = ? WHERE `+where,
				append([]any{catalog.Stored, catalog.Published, checked}, ids...)...)
			if err != nil {
				return err
			}
		}
	}
	a.packages = nil
	clear(a.uploads)
	return nil
}
