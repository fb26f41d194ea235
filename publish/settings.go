package publish

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"repomill/publish/sign"
	"repomill/publish/tree"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

// Settings publishes the static objects of a repository: its settings, its public keys, and the configuration of clients. A repeat
// changes nothing. If the catalog never issued the revision of the published settings, it has lost history, and the published settings
// are imported first, so that a token stays revoked and a private repository private. It retries lost swaps; the caller retries other
// errors.
func (p *Publisher) Settings(ctx context.Context, r catalog.Repository) error {
	for n := 1; ; n++ {
		err := p.publishSettings(ctx, r)
		if err == nil {
			return nil
		}
		if !retryable(err) || n == maxAttempts {
			return fmt.Errorf("publish settings of %s: %w", r, err)
		}
		p.log.Debug("publish again", "settings", r.String(), "cause", err)
		if err := wait(ctx, backoff(n)); err != nil {
			return err
		}
	}
}

// publishSettings is one attempt of [Publisher.Settings]. It reads the object before the catalog, as with pointers.
func (p *Publisher) publishSettings(ctx context.Context, r catalog.Repository) error {
	old, err := tree.ReadSettings(ctx, p.bucket, r)
	if err != nil {
		return err
	}
	s, err := p.catalog.Settings(ctx, r)
	if errors.Is(err, catalogdb.ErrNotFound) {
		err = errors.Join(p.importUnknown(ctx, r, old), err)
	}
	if err == nil {
		err = p.checkSettings(ctx, old, s)
	}
	if err != nil {
		return err
	}
	given := p.keys.Load().Given() // read before the objects are written: it may be older than theirs, never newer
	var all []catalog.Release
	for _, ds := range s.Distributions {
		all = append(all, catalog.Release{Repository: r, Distribution: ds.Distribution})
	}
	if s.Deleted != nil && s.Deleted.Removing {
		_, err = p.swapSettings(ctx, old, s) // the others are being removed
	} else {
		var installs []pairFile
		if installs, err = p.clientFiles().installs(s); err == nil {
			err = p.writeSettings(ctx, old, s, installs, all...)
		}
	}
	if err != nil {
		return err
	}
	if err := p.catalog.PublishSettings(ctx, r, s.Revision.Number); err != nil {
		return err
	}
	return p.catalog.RecordGivenKeys(ctx, r, given)
}

// snapshot opens the rows of a release. It imports settings first that the catalog lacks and the bucket has.
func (p *Publisher) snapshot(ctx context.Context, old tree.Published) (*catalogdb.Snapshot, error) {
	snap, err := p.catalog.Snapshot(ctx, old.Release)
	if errors.Is(err, catalogdb.ErrNotFound) {
		err = errors.Join(p.importUnknown(ctx, old.Release.Repository, old.Settings), err)
	}
	if err != nil {
		return nil, err
	}
	if err := p.checkSettings(ctx, old.Settings, snap.Settings); err != nil {
		snap.Close() //nolint:errcheck // a read
		return nil, err
	}
	return snap, nil
}

// importUnknown imports the settings of a repository, or of a release in it, that the catalog does not have. It returns
// nil if there are none, or if the catalog knows their revision.
func (p *Publisher) importUnknown(ctx context.Context, r catalog.Repository, old tree.Declared) error {
	if old.Version == "" {
		return nil
	}
	known, err := p.catalog.KnowsSettingsRevision(ctx, r, old.Revision)
	if err != nil && !errors.Is(err, catalogdb.ErrNotFound) || known {
		return err
	}
	return p.importSettings(ctx, old)
}

// checkSettings returns an error unless published settings are as old as those of the catalog, or older. Settings without a revision
// are from an early version, and older than all.
func (p *Publisher) checkSettings(ctx context.Context, old tree.Declared, s catalog.Settings) error {
	if old.Version == "" || old.Revision == s.Revision || old.Revision == (catalog.Revision{}) {
		return nil
	}
	known, err := p.catalog.KnowsSettingsRevision(ctx, s.Repository, old.Revision)
	switch {
	case err != nil:
		return err
	case !known:
		return p.importSettings(ctx, old)
	case old.Revision.Number > s.Revision.Number:
		return fmt.Errorf("read %s at revision %s, the catalog at %s: %w", layout.SettingsKey(s.Repository), old.Revision, s.Revision, ErrConflict)
	}
	return nil
}

// importSettings imports settings whose revision this catalog did not issue. It returns errRecovered when it has.
func (p *Publisher) importSettings(ctx context.Context, old tree.Declared) error {
	s := old.Settings
	if err := tree.CheckOurs(ctx, p.bucket, p.keys.Load().trusted, s.Repository); err != nil {
		return err
	}
	if s.Revision.Nonce == "" { // from a version in which settings had none
		s.Revision.Nonce = "0000000000000000"
	}
	if err := p.catalog.ImportSettings(ctx, s, old.Now); err != nil {
		return err
	}
	p.log.Error("ALARM: the catalog had lost history: settings of a repository imported from the bucket",
		"repository", s.Repository.String(), "revision", old.Revision.String())
	return errRecovered
}

// writeSettings publishes settings, more files of the repository, and the configuration of clients for the releases of. It writes the
// settings first, and checks afterwards that they are unchanged: a publisher that has lost them to another one gets [ErrConflict],
// before or after writing the other objects.
func (p *Publisher) writeSettings(ctx context.Context, old tree.Declared, s catalog.Settings, more []pairFile, of ...catalog.Release) error {
	// A crash behind it leaves static objects of older settings. The next run replaces those.
	fence, err := p.swapSettings(ctx, old, s)
	if err != nil {
		return err
	}
	wrote := false
	statics, err := p.clientFiles().statics(s, of)
	if err != nil {
		return err
	}
	for _, o := range append(statics, more...) {
		changed, err := writeStatic(ctx, p.bucket, o)
		if err != nil {
			return err
		}
		wrote = wrote || changed
	}
	if !wrote {
		return nil
	}
	// Another publisher may have written newer settings, and its objects before these.
	key := layout.SettingsKey(s.Repository)
	if v, err := tree.VersionOf(ctx, p.bucket, key); err != nil || v != fence {
		return errors.Join(err, fmt.Errorf("%s: %w", key, ErrConflict))
	}
	return nil
}

// swapSettings publishes settings, unless the bucket has their revision, and returns the version of the object.
func (p *Publisher) swapSettings(ctx context.Context, old tree.Declared, s catalog.Settings) (layout.Version, error) {
	if old.Version != "" && old.Revision == s.Revision {
		return old.Version, nil
	}
	body, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return "", err
	}
	return p.bucket.Swap(ctx, old.Version, layout.ObjectOf(layout.SettingsKey(s.Repository)), bytes.NewReader(append(body, '\n')))
}

// writeStatic replaces an object that has other bytes. Several repositories may have one package key in different states: the latest
// state is kept, because by any other rule they would replace each other's endlessly.
func writeStatic(ctx context.Context, b Bucket, o pairFile) (changed bool, err error) {
	body, meta, err := tree.ReadSmall(ctx, b, o.key)
	if err != nil || meta.Version != "" && (bytes.Equal(body, o.body) || layout.IsSharedKey(o.key) && !sign.Later(o.body, body)) {
		return false, err
	}
	_, err = b.Swap(ctx, meta.Version, layout.ObjectOf(o.key), o.reader())
	return true, err
}
