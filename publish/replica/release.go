package replica

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"time"

	"repomill/publish/check"
	"repomill/publish/tree"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// release checks a release. Its State is empty if neither bucket has it. The replica is read before the primary: what is
// published while the check runs makes a replica look older than it is, never newer.
func (c *checker) release(ctx context.Context, r catalog.Release) Release {
	res := Release{Name: r.String(), Age: Unknown}
	pointer, err := c.readReplica(ctx, r, &res)
	if err != nil {
		res.add(layout.PointerKey(r), err)
	}
	if c.primary != nil {
		if err := c.compare(ctx, r, pointer, &res); err != nil {
			res.Age = Unknown
			c.fault(err)
		}
	}
	return res
}

func (r *Release) add(key string, err error) {
	r.State = Damaged
	r.Problems = append(r.Problems, check.Problem{Path: key, Detail: err.Error()})
}

// readReplica checks what the replica has of a release, and returns the bytes of its pointer.
func (c *checker) readReplica(ctx context.Context, r catalog.Release, res *Release) (pointer []byte, err error) {
	t := check.Bucket(c.replica)
	if c.primary != nil {
		t = check.Copy(c.replica, c.primary)
	}
	opt := check.Options{Content: c.opt.Full, Now: c.opt.Now, Settle: c.opt.Settle}
	var found check.Release
	var problems []check.Problem
	if r.Arch == "" {
		found, problems, err = check.Apt(ctx, t, layout.OSDir(r), r.Distribution.Version, c.opt.Keys, opt)
	} else {
		found, problems, err = check.RPM(ctx, t, layout.RPMDir(r), c.opt.Keys, opt)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, c.absent(ctx, r, res)
	}
	if err != nil {
		return nil, err
	}
	res.Revision, res.Indexes, res.Packages, res.Bytes = found.Revision, found.Indexes, found.Packages, found.Bytes
	res.State = Whole
	if len(problems) > 0 {
		res.State, res.Problems = Damaged, few(problems)
	}
	if pointer, _, err = tree.ReadSmall(ctx, c.replica, layout.PointerKey(r)); err == nil {
		c.checkHints(ctx, r, pointer, res)
	}
	return pointer, err
}

// checkHints checks that the keys that repomd.xml names are there: zypper imports them.
func (c *checker) checkHints(ctx context.Context, r catalog.Release, pointer []byte, res *Release) {
	ptr, err := tree.ParsePointer(r, pointer)
	if err != nil {
		return // a problem already
	}
	for _, hint := range ptr.Hints {
		name, _, _ := strings.Cut(hint, "?")
		key := layout.RPMDir(r) + "/repodata/" + name
		if err := c.checkThere(ctx, key); err != nil {
			res.add(key, err)
		}
	}
}

// absent returns an error if the replica has a manifest of a release whose pointer is not there: it has been published.
func (c *checker) absent(ctx context.Context, r catalog.Release, res *Release) error {
	if c.primary != nil {
		return nil // compare says whether it should be there
	}
	errFound := errors.New("is missing, and there are manifests of its publishes")
	return c.replica.List(ctx, layout.HistoryPrefix(r), func(string, layout.Meta) error { return errFound })
}

// compare sets how a release compares with the primary's.
func (c *checker) compare(ctx context.Context, r catalog.Release, pointer []byte, res *Release) error {
	body, meta, err := tree.ReadSmall(ctx, c.primary, layout.PointerKey(r))
	if err != nil {
		return err
	}
	if meta.Version == "" {
		if pointer != nil {
			res.Age = Ahead
		}
		return nil
	}
	ptr, err := tree.ParsePointer(r, body)
	if err != nil {
		return err
	}
	res.Primary = &ptr.Revision
	switch {
	case pointer == nil:
		res.Age = Behind
		if res.State == "" {
			res.State = Absent
		}
	case string(pointer) == string(body):
		res.Age = Current
	case res.Revision.Number > ptr.Revision.Number:
		res.Age = Ahead
		return nil
	default: // an older revision, or the same one with a later signature
		res.Age = Behind
	}
	if res.Age == Current && res.State == Whole {
		return nil
	}
	missing, err := c.oldestMissing(ctx, r, body, pointer, res.State == Whole)
	if err == nil {
		missing = earlier(missing, ptr.Date)
		res.Missing = &missing
	}
	return err
}

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}

// oldestMissing returns the date of the oldest publish in the primary's history that the replica has not whole: the one after its
// pointer, or that of its pointer if the replica is damaged. It follows the manifests back from the primary's pointer as far as
// they are kept.
func (c *checker) oldestMissing(ctx context.Context, r catalog.Release, body, pointer []byte, whole bool) (oldest time.Time, err error) {
	keys := map[string]string{} // by pointer
	err = c.primary.List(ctx, layout.HistoryPrefix(r), func(key string, _ layout.Meta) error {
		if sum, ok := tree.PointerOf(r, key); ok {
			keys[sum] = key
		}
		return nil
	})
	if err != nil {
		return oldest, err
	}
	has := tree.Sum(pointer)
	for sum := tree.Sum(body); sum != ""; {
		if sum == has && whole {
			return oldest, nil
		}
		key, ok := keys[sum]
		if !ok {
			return oldest, nil
		}
		delete(keys, sum) // a circle ends
		m, err := tree.ReadManifest(ctx, c.primary, r, key)
		if err != nil {
			return oldest, err
		}
		oldest = m.Date
		if sum == has {
			return oldest, nil
		}
		sum = m.Previous
	}
	return oldest, nil
}
