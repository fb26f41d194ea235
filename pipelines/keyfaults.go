package pipelines

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"repomill/pipelines/kms"
	"repomill/publish/sign"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

// A BadKeyFile says why files of private keys are not signed with as they are now.
type BadKeyFile struct {
	urls []string
	error
}

// Unwrap returns the cause.
func (b *BadKeyFile) Unwrap() error { return b.error }

// checkLocked returns why keys of a file cannot be opened with which this process signs already: the file, or its passphrase,
// is not what it was.
func (k *keyring) checkLocked(url string, read *sign.Signer) error {
	if k.signer == nil {
		return nil
	}
	here := k.signer.Fingerprints()
	for _, u := range read.Unfit() {
		if sign.Locked(u.Why) && slices.Contains(here, u.Fingerprint) {
			return &BadKeyFile{[]string{url}, fmt.Errorf("key %s: %w", u.Fingerprint, u.Why)}
		}
	}
	return nil
}

// noteFiles notes which files of private keys are bad; what is new of it is logged, and announced to commands.
func (r *Resources) noteFiles(ctx context.Context, file *BadKeyFile) {
	if r.notedFiles(file) {
		r.AnnounceNow(ctx)
	}
}

func (r *Resources) notedFiles(file *BadKeyFile) (changed bool) {
	k := &r.keys
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.current == nil { // it does not run yet: the start says it
		return false
	}
	now := map[string]error{}
	if file != nil {
		for _, url := range file.urls {
			now[url] = file.error
		}
	}
	for url, why := range now {
		if was := k.bad[url]; was == nil || was.Error() != why.Error() {
			changed = true
			r.Log.Error("ALARM: a file of signing keys is bad: the keys that were read before sign until this worker ends, and its next start fails",
				"file", layout.Shown(url), "error", why)
		}
	}
	for url := range k.bad {
		if now[url] == nil {
			changed = true
			r.Log.Info("a file of signing keys is good again", "file", layout.Shown(url))
		}
	}
	k.bad = now
	return changed
}

// files returns the URLs of the files of private keys.
func (k *keyring) files(cfg Config) (urls []string) {
	for _, url := range SplitKeys(cfg.SigningKey) {
		if url != "" && !kms.IsURL(url) {
			urls = append(urls, url)
		}
	}
	return urls
}

// KeyRisk says why the next start of this process fails, or nothing: its files of private keys are not what it signs with.
func (r *Resources) KeyRisk() error {
	r.keys.mu.Lock()
	defer r.keys.mu.Unlock()
	for _, url := range slices.Sorted(maps.Keys(r.keys.bad)) {
		return fmt.Errorf("signing goes on with the keys that were read before, and the next start fails: %s: %w", layout.Shown(url), r.keys.bad[url])
	}
	return nil
}

// measured returns how each file of private keys is: 1 if it is bad, else 0.
func (k *keyring) measured(cfg Config) map[string]float64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	all := map[string]float64{}
	for _, url := range k.files(cfg) {
		all[layout.Shown(url)] = 0
		if k.bad[url] != nil {
			all[layout.Shown(url)] = 1
		}
	}
	return all
}

// faults returns why keys that were given to this process cannot sign, or not after its next start.
func (k *keyring) faults(now time.Time) (all []catalogdb.KeyFault) {
	left, closed := k.left(), k.leftClosed()
	k.mu.Lock()
	defer k.mu.Unlock()
	since := map[string]time.Time{}
	add := func(f catalogdb.KeyFault) {
		id := f.Key + " " + f.Place
		if since[id] = k.since[id]; since[id].IsZero() {
			since[id] = now.UTC().Truncate(time.Second)
		}
		f.Since = since[id]
		all = append(all, f)
	}
	for _, url := range slices.Sorted(maps.Keys(k.bad)) {
		add(catalogdb.KeyFault{Place: layout.Shown(url), Why: k.bad[url].Error()})
	}
	for _, f := range slices.Sorted(maps.Keys(left)) {
		add(catalogdb.KeyFault{Key: f, Why: left[f].Error()})
	}
	for _, url := range slices.Sorted(maps.Keys(closed)) {
		add(catalogdb.KeyFault{Place: layout.Shown(url), Why: closed[url].Error()})
	}
	k.since = since
	return all
}
