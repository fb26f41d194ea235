package publish

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"

	"repomill/publish/apt"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

// debFormat publishes a codename: by-hash indexes, InRelease, then Release.gpg, Release and the
// plain-named indexes for clients without by-hash.
type debFormat struct{}

func (debFormat) parse(pointer []byte) (catalog.Revision, time.Time, error) {
	r, err := parseInRelease(pointer)
	return r.Revision, r.Date, err
}

func parseInRelease(signed []byte) (apt.Release, error) {
	body, err := clearBody(signed)
	if err != nil {
		return apt.Release{}, err
	}
	return apt.Parse(body)
}

// clearBody returns the text inside a cleartext signature that we made ourselves: no line of a
// Release file starts with a dash.
func clearBody(signed []byte) ([]byte, error) {
	_, rest, ok := bytes.Cut(signed, []byte("\n\n"))
	body, _, ok2 := bytes.Cut(rest, []byte("-----BEGIN PGP SIGNATURE-----"))
	if !ok || !ok2 {
		return nil, errors.New("read InRelease: it has no cleartext signature")
	}
	return body, nil
}

func (debFormat) pairKeys(r catalog.Release, pointer []byte) ([]string, error) {
	dir := layout.DebDir(r)
	keys := []string{dir + "/Release.gpg", dir + "/Release"}
	if len(pointer) == 0 {
		return keys, nil
	}
	rel, err := parseInRelease(pointer)
	for _, f := range rel.Files {
		if strings.HasSuffix(f.Path, ".gz") {
			keys = append(keys, dir+"/"+f.Path)
		}
	}
	return keys, err
}

// pause keeps swaps a full second of the store's clock apart: apt asks with If-Modified-Since, whose
// resolution is one second, and would take a second publish in one second for the first.
func (debFormat) pause(old pointer) time.Duration {
	if !old.exists {
		return 0
	}
	return min(old.meta.Modified.Add(time.Second).Sub(old.meta.Now), time.Second)
}

// A shelf is the place of an index: a component, and an architecture or "source".
type shelf struct{ component, arch string }

// folder returns the index's folder below the release's.
func (s shelf) folder() string {
	if s.arch == "source" {
		return s.component + "/source"
	}
	return s.component + "/binary-" + s.arch
}

// name returns the index's uncompressed name below the release's folder.
func (s shelf) name() string {
	if s.arch == "source" {
		return s.folder() + "/Sources"
	}
	return s.folder() + "/Packages"
}

func (debFormat) render(ctx context.Context, p *Publisher, snap *catalogdb.Snapshot, date time.Time) (d draft, err error) {
	d.release = snap.Release
	ds, ok := snap.Settings.Find(snap.Release.Distribution)
	if !ok {
		return d, fmt.Errorf("repository %s has no distribution %s", snap.Release.Repository, snap.Release.Distribution)
	}
	shelves, indexes, err := openShelves(ds)
	defer func() {
		if err != nil {
			for _, x := range indexes {
				x.close()
			}
		}
	}()
	if err != nil {
		return d, err
	}
	w := newCompressor()
	for k, err := range snap.Packages(ctx) {
		if err != nil {
			return d, err
		}
		if err := addStanza(w, indexes, ds, k); err != nil {
			return d, err
		}
		d.packages++
	}
	rel := apt.Release{
		Origin: snap.Settings.Origin, Label: snap.Settings.Label, Codename: snap.Release.Distribution.Version,
		Date: date, Revision: snap.Revision,
		Architectures: slices.Sorted(slices.Values(append([]string{"all"}, ds.Architectures...))), Components: ds.Components,
	}
	for _, s := range shelves {
		x := indexes[s]
		if err := x.finish(w); err != nil {
			return d, err
		}
		rel.Files = append(rel.Files,
			apt.File{Path: s.name(), Size: x.plain.size, SHA256: x.plain.sum()}, // verified by apt, not stored
			apt.File{Path: s.name() + ".gz", Size: x.packed.size, SHA256: x.packed.sum()})
		plain := layout.DebDir(snap.Release) + "/" + s.name() + ".gz"
		d.indexes = append(d.indexes, indexFile{key: layout.ByHashKey(plain, x.packed.sum()), plain: plain, index: x})
	}
	d.pointer = rel.Render()
	return d, nil
}

// openShelves makes the indexes of a distribution, in the order in which Release lists them.
func openShelves(ds catalog.DistributionSettings) (shelves []shelf, indexes map[shelf]*index, err error) {
	indexes = map[shelf]*index{}
	for _, c := range ds.Components {
		for _, a := range append(slices.Sorted(slices.Values(append([]string{"all"}, ds.Architectures...))), "source") {
			s := shelf{c, a}
			shelves = append(shelves, s)
			if indexes[s], err = newIndex(); err != nil {
				delete(indexes, s)
				return shelves, indexes, err
			}
		}
	}
	return shelves, indexes, nil
}

// addStanza puts a package into the index of its architecture or, for "all", of every one.
func addStanza(w *gzip.Writer, indexes map[shelf]*index, ds catalog.DistributionSettings, k catalog.Package) error {
	arches := []string{k.Arch}
	if k.Arch == "all" {
		arches = append(arches, ds.Architectures...)
	}
	border := startsSegment(k)
	for _, a := range arches {
		x, ok := indexes[shelf{k.Component, a}]
		if !ok {
			return fmt.Errorf("row %s %s %s is in component %q, which the repository does not have for that architecture", k.Name, k.Version, k.Arch, k.Component)
		}
		if err := x.add(w, border, k.Stanza, []byte("\n")); err != nil {
			return err
		}
	}
	return nil
}

func (debFormat) sign(p *Publisher, d draft, date time.Time) (pointer []byte, pairs pairFiles, err error) {
	if pointer, err = p.signer.Clear(d.pointer, date); err != nil {
		return nil, pairs, fmt.Errorf("sign InRelease: %w", err)
	}
	if body, err := p.keyring.VerifyClear(pointer); err != nil || !bytes.Equal(body, d.pointer) {
		return nil, pairs, fmt.Errorf("sign InRelease: the signature does not verify: %w", err)
	}
	detached, err := p.signer.Detach(d.pointer, date)
	if err != nil {
		return nil, pairs, fmt.Errorf("sign Release: %w", err)
	}
	dir := layout.DebDir(d.release)
	pairs.after = []pairFile{{key: dir + "/Release.gpg", body: detached}, {key: dir + "/Release", body: d.pointer}}
	for _, x := range d.indexes {
		pairs.after = append(pairs.after, pairFile{key: x.plain, from: x.index})
	}
	return pointer, pairs, nil
}

// repair compares the pair files with InRelease and writes those again that differ.
func (debFormat) repair(ctx context.Context, p *Publisher, r catalog.Release, ptr pointer) error {
	body, err := clearBody(ptr.body)
	if err != nil {
		return err
	}
	rel, err := apt.Parse(body)
	if err != nil {
		return err
	}
	dir := layout.DebDir(r)
	sig, _, err := readSmall(ctx, p.bucket, dir+"/Release.gpg")
	if err != nil {
		return err
	}
	var torn []pairFile
	if p.keyring.VerifyDetached(body, sig) != nil {
		if sig, err = p.signer.Detach(body, ptr.date); err != nil {
			return fmt.Errorf("sign Release: %w", err)
		}
		torn = append(torn, pairFile{key: dir + "/Release.gpg", body: sig})
	}
	plain, _, err := readSmall(ctx, p.bucket, dir+"/Release")
	if err != nil {
		return err
	}
	if !bytes.Equal(plain, body) {
		torn = append(torn, pairFile{key: dir + "/Release", body: body})
	}
	p.writePairs(ctx, ptr, torn)
	for _, f := range rel.Files {
		if strings.HasSuffix(f.Path, ".gz") {
			if err := p.repairIndex(ctx, ptr, path.Join(dir, f.Path), f.SHA256); err != nil {
				return err
			}
		}
	}
	return nil
}

// repairIndex makes a plain-named index equal to its by-hash copy.
func (p *Publisher) repairIndex(ctx context.Context, ptr pointer, plain, sha256 string) error {
	sum, err := sumOf(ctx, p.bucket, plain)
	if err != nil || sum == sha256 {
		return err
	}
	body, _, err := p.bucket.Get(ctx, layout.ByHashKey(plain, sha256))
	if err != nil {
		return err
	}
	defer body.Close()
	if _, err := p.bucket.Swap(ctx, ptr.pairs[plain], layout.ObjectOf(plain), body); err != nil && !errors.Is(err, ErrConflict) {
		return err
	}
	return nil
}
