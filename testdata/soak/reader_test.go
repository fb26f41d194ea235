package soak_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// A reader reads the releases as clients do, with parsers of its own, and remembers what it was promised.
type reader struct {
	*soaking
	rand *rand.Rand
	seen map[catalog.Release]*view
	kept map[string]fact // what pointers named, by key: it has to stay
	keys []string        // of kept, in order
	gpgv *gpgv
}

// A fact is what an index says of an object. A size of -1 is not said.
type fact struct {
	size   int64
	sha256 string
}

// A view is what a client saw in a release.
type view struct {
	digest   string // of the pointer
	revision int64
	date     time.Time
	rows     map[string]row
}

// A pointer is what a pointer file says.
type pointer struct {
	revision int64
	date     time.Time       // the Date of InRelease, the timestamp of repomd.xml
	indexes  map[string]fact // by key
	listings []string        // keys of the indexes that list packages
}

// A listed is a package in an index.
type listed struct {
	row
	key  string // of its file
	size int64
}

// allReleases are the releases of both sites.
var allReleases = func() (all []catalog.Release) {
	for _, name := range []string{"ubuntu/jammy", "ubuntu/noble", "el/9/x86_64", "el/9/aarch64", "el/9/SRPMS"} {
		r, err := catalog.ParseRelease("acme/tools/" + name)
		if err != nil {
			panic(err) // the names above are wrong
		}
		all = append(all, r)
	}
	return all
}()

// run reads until ctx ends, and what it had begun to its end.
func (r *reader) run(ctx context.Context) error {
	for ctx.Err() == nil {
		for _, release := range allReleases {
			r.read(context.WithoutCancel(ctx), release)
		}
		r.lookAgain(context.WithoutCancel(ctx), 30)
		r.rounds.Add(1)
		pause(ctx, time.Duration(r.rand.IntN(100))*time.Millisecond)
	}
	return nil
}

// read reads a release once: its pointer and, if that is new, all that it names.
func (r *reader) read(ctx context.Context, release catalog.Release) {
	begin, last := time.Now(), r.seen[release]
	calm := r.site.calm()
	body, err := read(ctx, r.site.tree, layout.PointerKey(release))
	end := time.Now()
	if err != nil {
		r.judge.violated("I1", "%s: pointer: %v", release, err)
		return
	}
	r.reads.Add(1)
	r.registers.of(layout.PointerKey(release)).saw(digest(body), begin, end)
	r.signature(ctx, release, body, calm)
	if last == nil || last.digest != digest(body) {
		next, err := r.newView(ctx, release, body)
		if err != nil {
			r.judge.violated("I1", "%s: %v", release, err)
			return
		}
		r.compare(release, last, next)
		r.seen[release], last = next, next
		r.pointers.Add(1)
	}
	r.ledger.saw(release, last.rows, begin, end)
}

// signature judges who signed a pointer. The signature beside repomd.xml has its time to follow.
func (r *reader) signature(ctx context.Context, release catalog.Release, body []byte, calm time.Duration) {
	if release.Arch == "" {
		if _, err := r.site.trusted.VerifyClear(body); err != nil {
			r.judge.violated("I8", "%s: %v", release, err)
		}
		r.gpgv.clear(release, body)
		return
	}
	key := layout.PointerKey(release) + ".asc"
	sig, err := read(ctx, r.site.tree, key)
	if err == nil {
		err = r.site.trusted.VerifyDetached(body, sig)
	}
	if err == nil {
		r.judge.pairs(byReader, key, nil, calm)
		r.gpgv.detached(release, body, sig)
		return
	}
	again, failed := read(ctx, r.site.tree, layout.PointerKey(release))
	if failed != nil || !bytes.Equal(again, body) {
		return // it was replaced between the two reads, as it may be
	}
	r.judge.pairs(byReader, key, []string{fmt.Sprintf("repomd.xml %.12s, signature %.12s: %v", digest(body), digest(sig), err)}, calm)
}

// newView reads all that a pointer names.
func (r *reader) newView(ctx context.Context, release catalog.Release, body []byte) (*view, error) {
	p, err := parsePointer(release, body)
	if err != nil {
		return nil, fmt.Errorf("pointer: %w", err)
	}
	v := &view{digest: digest(body), revision: p.revision, date: p.date, rows: map[string]row{}}
	for key, f := range p.indexes {
		r.keep(ctx, key, f)
	}
	for _, key := range p.listings {
		index, err := read(ctx, r.site.tree, key)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
		packages, err := parseListing(release, index)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
		for _, k := range packages {
			r.keep(ctx, k.key, fact{k.size, k.sha256})
			v.rows[idOf(release.Distribution.String(), k.name, k.version, k.arch)] = k.row
		}
	}
	return v, nil
}

// compare judges how one pointer follows another: revision and date rise strictly (I2 of publish/PROTOCOL.md, "Invariants").
func (r *reader) compare(release catalog.Release, last, next *view) {
	switch {
	case last == nil:
	case next.revision <= last.revision:
		r.judge.violated("I2", "%s: revision %d follows %d", release, next.revision, last.revision)
	case !next.date.After(last.date):
		r.judge.violated("I2", "%s: revision %d has the date %s, after %s", release, next.revision, next.date, last.date)
	}
}

// keep notes an object that an index names, and reads it if it is a new one.
func (r *reader) keep(ctx context.Context, key string, f fact) {
	old, there := r.kept[key]
	if there && old.sha256 != f.sha256 {
		r.judge.violated("I4", "%s is listed with the digest %s, and was with %s", key, f.sha256, old.sha256)
	}
	if there {
		return
	}
	r.kept[key] = f
	r.keys = append(r.keys, key)
	r.look(ctx, key, f)
}

// look reads one object that was named.
func (r *reader) look(ctx context.Context, key string, f fact) {
	r.objects.Add(1)
	body, err := read(ctx, r.site.tree, key)
	if err != nil {
		r.judge.violated("I1", "%s: %v", key, err)
		return
	}
	if sum := fmt.Sprintf("%x", sha256.Sum256(body)); int64(len(body)) != f.size || sum != f.sha256 {
		r.judge.violated("I1", "%s has %d bytes, sha256 %s; listed with %d, %s", key, len(body), sum, f.size, f.sha256)
	}
}

// lookAgain reads some objects, most of which only superseded pointers name.
func (r *reader) lookAgain(ctx context.Context, n int) {
	for range min(n, len(r.keys)) {
		key := r.keys[r.rand.IntN(len(r.keys))]
		r.look(ctx, key, r.kept[key])
	}
}

// lookAtAll reads all objects that any pointer ever named.
func (r *reader) lookAtAll(ctx context.Context) {
	for _, key := range r.keys {
		r.look(ctx, key, r.kept[key])
	}
}

// baseOf returns the folder that the names in a release's indexes are relative to.
func baseOf(release catalog.Release) string {
	if release.Arch == "" {
		return layout.OSDir(release)
	}
	return layout.RPMDir(release)
}

// isPair reports whether an object follows a pointer.
func isPair(key string) bool {
	switch name := filepath.Base(key); name {
	case "Release", "Release.gpg", "Packages", "Sources", "repomd.xml.asc":
		return true
	default:
		return strings.HasPrefix(name, "Packages.") || strings.HasPrefix(name, "Sources.")
	}
}
