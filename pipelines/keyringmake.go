package pipelines

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"repomill/publish/keypack"
	"repomill/publish/sign"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// A KeyringMaker makes the keyring packages of repositories, and puts them into staging.
type KeyringMaker struct {
	r       *Resources
	source  keyringSource
	signer  *sign.Signer
	enqueue func(catalog.Upload)
}

// Make returns nil if everything is as it should be, and ErrUnderWay if it will soon be.
func (m KeyringMaker) Make(ctx context.Context, repository catalog.Repository) error {
	s, err := m.r.Catalog.Settings(ctx, repository)
	if err != nil || s.Keyring == nil || !s.Keyring.On {
		return err
	}
	if k := s.Keyring; m.source.revision < k.Keys && time.Since(k.Made) < keysAge {
		return ErrUnderWay // another worker has read the keys since
	}
	parts, without := m.source.parts(s)
	rows, err := m.rows(ctx, s)
	if err == nil {
		err = KeyringTaken(s, rows)
	}
	if err != nil {
		return err
	}
	for _, why := range without {
		m.r.Log.Warn("a distribution has no keyring package", "repository", s.Repository.String(), "why", why)
	}
	made, err := m.record(ctx, s, parts, rows)
	if err != nil {
		return err
	}
	done := true
	for _, p := range parts {
		for _, place := range p.places {
			there, err := m.publish(ctx, made, p, place, rows)
			if err != nil {
				return err
			}
			done = done && there
		}
	}
	if !done || made.Version != s.Keyring.Version {
		return ErrUnderWay
	}
	return nil
}

// rows returns the packages that have the name of the keyring package, of each format.
func (m KeyringMaker) rows(ctx context.Context, s catalog.Settings) (all []catalog.Package, err error) {
	for _, f := range []catalog.Format{catalog.DEB, catalog.RPM} {
		some, err := m.r.Catalog.PackagesNamed(ctx, s.Repository, f, layout.KeyringName(s.Repository, f))
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	return all, nil
}

// build returns a file of a version.
func (m KeyringMaker) build(made catalog.KeyringPackage, p keyringPart) ([]byte, error) {
	p.spec.Version, p.spec.Made = made.Version, made.Made
	if p.format == catalog.DEB {
		return keypack.DEB(p.spec)
	}
	var by keypack.Sign
	if p.sign {
		by = func(content []byte) ([]byte, bool, error) { return m.signer.Packet(content, made.Made) }
	}
	return keypack.RPM(p.spec, by)
}

// publish stages a file for a place that lacks it, and reports whether the place has it.
func (m KeyringMaker) publish(ctx context.Context, made catalog.KeyringPackage, p keyringPart, place catalog.Package, rows []catalog.Package) (there bool, err error) {
	p.spec.Version = made.Version
	want := p.spec.Identity(p.format)
	for _, k := range rows {
		if k.Distribution == place.Distribution && k.Component == place.Component && k.Format == want.Format && k.Version == want.Version && k.State != catalog.Claimed {
			return true, nil // or was withdrawn
		}
	}
	object := stagedKeyring(place, p.spec.File(p.format))
	u, err := m.r.Staging.Stat(ctx, object)
	if err == nil {
		if state, err := m.r.Catalog.State(ctx, u); err != nil || state != catalog.Rejected {
			return false, nil // taken up soon
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return false, fmt.Errorf("--staging: %w", err)
	}
	b, err := m.build(made, p)
	if err != nil {
		return false, err
	}
	if u, err = m.r.Staging.Put(ctx, object, bytes.NewReader(b), catalog.Pusher{User: "repomill"}); err != nil {
		return false, fmt.Errorf("stage the keyring package: %w; the worker needs permission to write into staging (in gs://: roles/storage.objectUser), or have the package made no more: repomill repo set %s --keyring-package off",
			err, place.Repository)
	}
	m.r.Log.Info("keyring package staged", "upload", u.String(), "object", layout.ShownStaging(object))
	m.enqueue(u)
	return false, nil
}

// stagedKeyring returns the staging key of a keyring package: always the same, so that several workers do not stage it
// several times.
func stagedKeyring(place catalog.Package, file string) string {
	dir := place.Repository.String() + "/" + place.Distribution.String() + "/"
	if place.Component != "" {
		dir += place.Component + "/"
	}
	sum := sha256.Sum256([]byte(dir + file))
	id := strings.ToLower(base32.StdEncoding.EncodeToString(sum[:]))
	return dir + layout.StagedName(id[:26], file)
}

// record returns the version that is to be published: the one of the settings, if it is what it should be, else a new one,
// which is put into the settings before anything of it is staged.
func (m KeyringMaker) record(ctx context.Context, s catalog.Settings, parts []keyringPart, rows []catalog.Package) (catalog.KeyringPackage, error) {
	made, old := *s.Keyring, *s.Keyring
	made.Files = slices.Clone(old.Files)
	if m.stale(old, parts, rows) {
		if err := m.draw(&made, rows); err != nil {
			return made, err
		}
	}
	made.Keys = m.source.revision
	for _, p := range parts {
		if _, ok := fileOf(made, p.of); ok {
			continue
		}
		b, err := m.build(made, p)
		if err != nil {
			return made, err
		}
		sum := sha256.Sum256(b)
		made.Files = append(made.Files, catalog.KeyringFile{For: p.of, Content: p.spec.Content(p.format), SHA256: hex.EncodeToString(sum[:])})
		made.Repo = made.Repo || p.spec.Repo.Body != nil
	}
	if made.Version == old.Version && len(made.Files) == len(old.Files) {
		return old, nil
	}
	after, err := m.r.Catalog.ChangeSettings(ctx, s.Repository, m.r.Now(ctx), func(now *catalog.Settings) error {
		if now.Revision != s.Revision {
			return ErrUnderWay // another worker was faster; the next pass reads what it made
		}
		now.Keyring = &made
		return nil
	})
	if err != nil {
		return made, err
	}
	m.r.Log.Info("keyring package made", "repository", s.Repository.String(), "version", made.Version)
	return *after.Keyring, nil
}

// stale reports whether a new version has to be made: the last one lacks what it should have, or other bytes have its name.
func (m KeyringMaker) stale(made catalog.KeyringPackage, parts []keyringPart, rows []catalog.Package) bool {
	if made.Version == "" {
		return true
	}
	for _, p := range parts {
		f, ok := fileOf(made, p.of)
		if ok && f.Content != p.spec.Content(p.format) {
			return true
		}
		p.spec.Version = made.Version
		want := p.spec.Identity(p.format)
		for _, k := range rows {
			here := k.Format == catalog.DEB && p.format == catalog.DEB || k.Distribution.String() == p.of
			if here && k.Version == want.Version && ok && k.File.SHA256 != f.SHA256 {
				return true
			}
		}
	}
	return false
}

// draw makes a new version out of made, without files.
func (m KeyringMaker) draw(made *catalog.KeyringPackage, rows []catalog.Package) error {
	now := time.Now().UTC().Truncate(time.Second)
	than := []string{made.Version}
	for _, k := range rows {
		than = append(than, strings.TrimSuffix(k.Version, "-1"))
	}
	next := layout.NextKeyringVersion(now, than...)
	if last := made.Made; layout.KeyringSerial(next) > maxSerial && now.Sub(last) < serialPause && !now.Before(last) {
		return fmt.Errorf("version %s would be the next of many: it is made in an hour; do all workers have the same --public-url, and are they of one version?", next)
	}
	made.Version, made.Made, made.Files, made.Given = next, now, nil, m.source.given
	return nil
}

func fileOf(k catalog.KeyringPackage, of string) (catalog.KeyringFile, bool) {
	i := slices.IndexFunc(k.Files, func(f catalog.KeyringFile) bool { return f.For == of })
	if i < 0 {
		return catalog.KeyringFile{}, false
	}
	return k.Files[i], true
}
