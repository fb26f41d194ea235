package check

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"

	"repomill/publish/sign"
	"repomill/schemas/catalog"
)

// Apt reads the release codename below base, such as "acme/tools/ubuntu", as apt does, with the keys
// that a client trusts. It returns the problems in order of path; none means that every client can install
// every package.
//
// The error is not nil only if InRelease is absent or cannot be read, or ctx has ended: then nothing is known
// of the release. If InRelease has no valid signature, the files that it names are not read.
//
// Files that are written after InRelease (Release, Release.gpg and plain-named indexes) are read again
// once, after opt.Settle, before they count as wrong.
func Apt(ctx context.Context, t Tree, base, codename string, k sign.Keyring, opt Options) (Release, []Problem, error) {
	dist := path.Join(base, "dists", codename)
	pointer := dist + "/InRelease"
	return steady(ctx, t, pointer, func() (*run, []byte, error) {
		signed, err := readSmall(ctx, t, pointer)
		if err != nil {
			return nil, nil, fmt.Errorf("read %s: %w", pointer, err)
		}
		a := &aptRun{
			run:      newRun(t, base, k, opt),
			codename: codename,
			dist:     dist,
			pointer:  pointer,
			entries:  map[string]fact{},
			good:     map[string]string{},
		}
		a.release.Format, a.release.Name = catalog.DEB, path.Join(base, codename)
		a.read(ctx, signed)
		return a.run, signed, ctx.Err()
	})
}

// An aptRun is one reading of a DEB release.
type aptRun struct {
	*run
	codename   string
	dist       string // key of the folder of InRelease
	pointer    string // key of InRelease
	components []string
	archs      []string
	entries    map[string]fact   // what InRelease lists, by name below dist
	good       map[string]string // entries of which a copy is as listed, to the key of that copy
}

func (a *aptRun) read(ctx context.Context, signed []byte) {
	body, err := a.keys.VerifyClear(signed)
	if err != nil {
		a.add(a.pointer, "signature: %v", err)
		return
	}
	if !a.parseRelease(body) {
		return
	}
	pairs := a.pairFiles(ctx, body)
	if len(pairs) > 0 && a.settle(ctx) == nil {
		pairs = a.pairFiles(ctx, body)
	}
	for _, p := range pairs {
		a.add(p.Path, "%s", p.Detail)
	}
	a.byHash(ctx)
	a.indexes(ctx)
	a.checkFiles(ctx)
}

// pairFiles returns the problems of the files that are written after InRelease, for clients that do not read
// InRelease or by-hash names.
func (a *aptRun) pairFiles(ctx context.Context, body []byte) []Problem {
	var found []Problem
	report := func(name string, err error) {
		if err != nil {
			found = append(found, Problem{Path: a.dist + "/" + name, Detail: err.Error()})
		}
	}
	report("Release", a.sameBody(ctx, body))
	report("Release.gpg", a.verifyDetached(ctx, body))
	for _, name := range slices.Sorted(maps.Keys(a.entries)) {
		key := a.dist + "/" + name
		err := a.compare(ctx, key, a.entries[name])
		if err == nil {
			a.good[name] = key
		} else if !errors.Is(err, errMissing) || !a.optional(name) && !a.opt.ByHash {
			report(name, err)
		}
	}
	return found
}

func (a *aptRun) sameBody(ctx context.Context, body []byte) error {
	plain, err := readSmall(ctx, a.tree, a.dist+"/Release")
	if err != nil {
		return unreadable(err)
	}
	if !bytes.Equal(plain, body) {
		return errors.New("differs from the body of InRelease")
	}
	return nil
}

func (a *aptRun) verifyDetached(ctx context.Context, body []byte) error {
	sig, err := readSmall(ctx, a.tree, a.dist+"/Release.gpg")
	if err != nil {
		return unreadable(err)
	}
	if err := a.keys.VerifyDetached(body, sig); err != nil {
		return fmt.Errorf("does not sign the body of InRelease: %w", err)
	}
	return nil
}

// forms are the endings of the names of an index, in the order in which they are tried.
var forms = []string{".gz", ".zst", ".xz", ".bz2", ".lzma", ".lz4", ""}

// optional reports whether the file of an entry need not be stored. InRelease lists the digest of an uncompressed
// index, because apt verifies what it has decompressed; only the compressed form has to be stored.
func (a *aptRun) optional(name string) bool {
	return !packed(name) && slices.ContainsFunc(forms, func(ext string) bool {
		_, ok := a.entries[name+ext]
		return ok && ext != ""
	})
}

// byHash checks the by-hash copies, which apt requests first.
func (a *aptRun) byHash(ctx context.Context) {
	for _, name := range slices.Sorted(maps.Keys(a.entries)) {
		f := a.entries[name]
		key := a.dist + "/" + path.Join(path.Dir(name), "by-hash", "SHA256", f.sum.String())
		err := a.compare(ctx, key, f)
		switch {
		case err == nil:
			a.good[name] = key
		case !errors.Is(err, errMissing) || !a.optional(name):
			a.add(key, "%v (by-hash copy of %s)", err, name)
		}
	}
}
