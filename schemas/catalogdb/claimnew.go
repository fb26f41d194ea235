package catalogdb

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"repomill/schemas/catalog"
)

// A NewClaim is a package that an upload claims, made ready for [DB.ClaimNew].
type NewClaim struct {
	pkg       catalog.Package
	by        catalog.Upload
	fragments []any
}

// MakeClaim compresses the fragments of k, which is most of the work of a claim outside of the database. by is as in [DB.Claim]. The
// error is a [catalog.Rejection] for a fragment that is too large.
func MakeClaim(k catalog.Package, by catalog.Upload) (c NewClaim, err error) {
	k.State = catalog.Claimed
	c = NewClaim{pkg: k, by: by}
	c.fragments, err = packAll(k)
	return c, err
}

// size returns how many bytes the row has, about.
func (c NewClaim) size() (bytes int) {
	const others = 1024
	for _, f := range c.fragments {
		if b, ok := f.([]byte); ok {
			bytes += len(b)
		}
	}
	return bytes + others
}

// ClaimNew is [DB.Claim] for those of several packages that nothing speaks against: no row has their identity, and their place takes them. They are
// inserted together, in one transaction, and claimed says which these are. The others, and all if there is an error, are not claimed
// here: [DB.Claim] has the answer for each. After an error that leaves its outcome unknown, that finds the claim that was made.
func (d *DB) ClaimNew(ctx context.Context, claims []NewClaim) (claimed []bool, err error) {
	places := map[distributionKey][]int{}
	for i, c := range claims {
		if c.pkg.Variant == "" { // in a mutable repository each is a case of its own
			at := distributionKey{c.pkg.Repository, c.pkg.Distribution}
			places[at] = append(places[at], i)
		}
	}
	inOrder := slices.SortedFunc(maps.Keys(places), func(a, b distributionKey) int { // so that processes wait for each other, and never in a circle
		return cmp.Or(cmp.Compare(a.repository.String(), b.repository.String()), cmp.Compare(a.distribution.String(), b.distribution.String()))
	})
	err = d.tx(ctx, func(tx *transaction) error {
		claimed = make([]bool, len(claims))
		for _, at := range inOrder {
			some, err := unopposed(ctx, tx, claims, places[at])
			if err != nil {
				return err
			}
			if err := some.insert(ctx, tx); err != nil {
				return err
			}
			for _, i := range some.numbers {
				claimed[i] = true
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("claim %d packages: %w", len(claims), err)
	}
	return claimed, nil
}

// An unopposedSet has claims in one distribution that nothing speaks against. No two have the same name, version and architecture.
type unopposedSet struct {
	distribution int64
	claims       []NewClaim
	numbers      []int // of the claims, among all
}

// unopposed returns those of the numbered claims, which are in one distribution, that need no decision. The distribution is locked as for
// [DB.Claim].
func unopposed(ctx context.Context, tx *transaction, claims []NewClaim, numbers []int) (set unopposedSet, err error) {
	id, ds, terms, err := lockPlace(ctx, tx, claims[numbers[0]].pkg)
	if errors.Is(err, ErrNotFound) {
		return set, nil
	}
	if err != nil {
		return set, err
	}
	set.distribution = id
	wanted := make([]catalog.Package, len(numbers))
	for i, n := range numbers {
		wanted[i] = claims[n].pkg
	}
	there, err := sameNamed(ctx, tx, wanted)
	if err != nil {
		return set, err
	}
	taken := map[packageName]bool{}
	for _, n := range numbers {
		k := claims[n].pkg
		if taken[nameOf(k)] || checkPlace(k, ds, terms) != nil || opposed(k, there[nameOf(k)]) {
			continue
		}
		taken[nameOf(k)] = true // the others of the name, in this component or another one, are judged by what it has
		set.claims, set.numbers = append(set.claims, claims[n]), append(set.numbers, n)
	}
	return set, nil
}

// opposed reports whether rows with the name, version and architecture of k leave something to be decided.
func opposed(k catalog.Package, rows []packageRow) bool {
	if slices.ContainsFunc(rows, func(row packageRow) bool {
		return row.pkg.Component == k.Component || row.pkg.State == catalog.Reserved
	}) {
		return true
	}
	_, blocked := blockedBy(k, rows)
	return blocked
}

// insert inserts the rows, and records which upload works on each.
func (set unopposedSet) insert(ctx context.Context, tx *transaction) error {
	if len(set.claims) == 0 {
		return nil
	}
	if err := insertRows(ctx, tx, set.distribution, set.claims); err != nil {
		return err
	}
	ids, err := set.ids(ctx, tx)
	if err != nil {
		return err
	}
	by := make([]claimant, 0, len(set.claims))
	for _, c := range set.claims {
		id, there := ids[componentName{nameOf(c.pkg), c.pkg.Component}]
		if !there {
			return fmt.Errorf("%s %s %s was inserted, and is not there", c.pkg.Name, c.pkg.Version, c.pkg.Arch)
		}
		if err := insertNeeds(ctx, tx, set.distribution, id, c.pkg.Needs); err != nil {
			return err
		}
		if c.by != (catalog.Upload{}) {
			by = append(by, claimant{upload: c.by, pusher: c.pkg.Pusher, pkg: id})
		}
	}
	return claimedByAll(ctx, tx, by)
}

// A componentName is the identity of a package in an immutable repository.
type componentName struct {
	packageName
	component string
}

// ids returns the ids of the rows that were inserted.
func (set unopposedSet) ids(ctx context.Context, tx *transaction) (map[componentName]int64, error) {
	ids := make(map[componentName]int64, len(set.claims))
	at := nameOf(set.claims[0].pkg).at
	for some := range slices.Chunk(set.claims, maxNames) {
		names := make([]packageName, len(some))
		for i, c := range some {
			names[i] = nameOf(c.pkg)
		}
		tables, args := namedTables(names)
		_, err := collect(ctx, tx, func(scan func(...any) error) (none struct{}, err error) {
			var id int64
			n := componentName{packageName: packageName{at: at}}
			if err = scan(&id, &n.name, &n.canonical, &n.arch, &n.component); err == nil {
				ids[n] = id
			}
			return none, err
		}, `SELECT k.id, k.name, k.canonical, k.arch, k.component FROM `+tables+` WHERE `+releaseKey, append(args, at.release()...)...)
		if err != nil {
			return nil, err
		}
	}
	return ids, nil
}

// The bounds of a statement that inserts rows: sizes in rows, so that there are few different statements, and in bytes, so that they go to
// a server in one packet.
var claimSizes = []int{32, 16, 8, 4, 2, 1}

const maxClaimBytes = maxInterpolated / 2

func insertRows(ctx context.Context, tx *transaction, distribution int64, claims []NewClaim) error {
	for len(claims) > 0 {
		n, bytes := 0, 0
		for n < len(claims) && (n == 0 || bytes+claims[n].size() <= maxClaimBytes) {
			bytes += claims[n].size()
			n++
		}
		for some := range sizedBy(claims[:n], claimSizes) {
			var args []any
			for _, c := range some {
				args = append(append(args, distribution), facts(c.pkg, c.fragments)...)
			}
			row := `(?` + strings.Repeat(`, ?`, len(args)/len(some)-1) + `)`
			if _, err := tx.ExecContext(ctx, `INSERT INTO packages (distribution_id, `+factColumns+`) VALUES `+row+strings.Repeat(`, `+row, len(some)-1), args...); err != nil {
				return err
			}
		}
		claims = claims[n:]
	}
	return nil
}

// A claimant is an upload that works on a claimed package.
type claimant struct {
	upload catalog.Upload
	pusher catalog.Pusher
	pkg    int64
}

// claimedByAll is claimedBy for several uploads.
func claimedByAll(ctx context.Context, tx *transaction, all []claimant) error {
	ids, err := receivedIDs(ctx, tx, all)
	if err != nil {
		return err
	}
	pushed := map[catalog.Pusher][][2]any{} // uploads and their packages
	for _, c := range all {
		if id, received := ids[keyOf(c.upload)]; received {
			by := catalog.Pusher{User: cut(c.pusher.User, maxUser), Job: cut(c.pusher.Job, maxJob)}
			pushed[by] = append(pushed[by], [2]any{id, c.pkg})
		}
	}
	for by, pairs := range pushed {
		for some := range sizedBy(pairs, claimSizes) {
			var cases, uploads []any
			for _, p := range some {
				cases, uploads = append(cases, p[:]...), append(uploads, p[0])
			}
			_, err := tx.ExecContext(ctx, `UPDATE uploads SET package_id = CASE id`+strings.Repeat(` WHEN ? THEN ?`, len(some))+` END, pushed_by = ?, pushed_job = ?
				WHERE id IN (?`+strings.Repeat(`, ?`, len(some)-1)+`)`, append(append(cases, by.User, by.Job), uploads...)...)
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// receivedIDs returns the rows of those uploads that have no outcome yet, and locks them.
func receivedIDs(ctx context.Context, tx *transaction, all []claimant) (map[catalog.Upload]int64, error) {
	var uploads []catalog.Upload
	for _, c := range all {
		uploads = append(uploads, c.upload)
	}
	ids := map[catalog.Upload]int64{}
	for some := range byBucket(uploads) {
		where, args := uploadsCondition(some)
		_, err := collect(ctx, tx, func(scan func(...any) error) (none struct{}, err error) {
			u := catalog.Upload{Bucket: some[0].Bucket}
			var id int64
			var state catalog.UploadState
			if err = scan(&id, &u.Object, &u.Generation, &state); err == nil && state == catalog.Received {
				ids[u] = id
			}
			return none, err
		}, `SELECT u.id, u.object, u.generation, u.state FROM uploads u WHERE `+where+tx.forUpdate, args...)
		if err != nil {
			return nil, err
		}
	}
	return ids, nil
}
