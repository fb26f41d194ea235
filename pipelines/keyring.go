package pipelines

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"repomill/pipelines/kms"
	"repomill/pipelines/objects"
	"repomill/publish"
	"repomill/publish/keys"
	"repomill/publish/sign"
	"repomill/schemas/catalogdb"
)

// A keyring is the private keys of this process, and which keys should sign. Its zero value has none.
type keyring struct {
	mu      sync.Mutex
	stamp   string                  // of the files of private keys, as they were read
	remote  map[string]*sign.Signer // by URL: keys in a KMS, which are opened once
	opened  []io.Closer             // of a KMS
	closed  map[string]failing      // by URL: keys in a KMS that gave no public key, and are left out
	signer  *sign.Signer            // all that the files and the KMS have
	set     keys.Set                // as it was read last
	signing []string                // fingerprints of those that should sign now
	used    *sign.Signer            // of which the publisher has what it needs
	fresh   bool                    // it was read since it was announced last
	usable  []string                // fingerprints of those of its keys that did not fail
	current *publish.Keys
	failing map[string]failing // by fingerprint
	worker  string             // as which this process announces itself; empty: it does not
}

// read reads the files of private keys, if they have changed since, and opens the keys in a KMS, whose public halves are
// in the bucket.
func (k *keyring) read(ctx context.Context, bucket objects.Bucket, cfg Config) error {
	urls := SplitKeys(cfg.SigningKey)
	stamp := stampOf(append(urls, cfg.PassphraseFile))
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.signer != nil && stamp == k.stamp {
		return nil
	}
	var signers []*sign.Signer
	var left []error
	for _, url := range urls {
		if was, ok := k.closed[url]; ok && k.signer != nil { // it is tried again beside this
			left = append(left, was.err)
			continue
		}
		s, err := k.open(ctx, bucket, url, cfg.PassphraseFile)
		if errors.Is(err, errClosed) {
			left = append(left, err)
			continue
		}
		if err != nil {
			return err
		}
		signers = append(signers, s)
	}
	if len(signers) == 0 {
		return errors.Join(left...)
	}
	signer, err := sign.Join(signers...)
	if err != nil {
		return &BadKey{fmt.Errorf("--signing-key: %w", err)}
	}
	k.signer, k.stamp, k.fresh = signer, stamp, true
	return nil
}

// changed reports, once, whether the private keys are others than before.
func (k *keyring) changed() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	was := k.fresh
	k.fresh = false
	return was
}

// stampOf changes with the files that URLs name.
func stampOf(urls []string) (stamp string) {
	for _, url := range urls {
		path, _ := strings.CutPrefix(url, "file://")
		if info, err := os.Stat(path); err == nil {
			stamp += fmt.Sprintln(path, info.ModTime().UnixNano(), info.Size())
		}
	}
	return stamp
}

// open returns the keys that a URL names.
func (k *keyring) open(ctx context.Context, bucket objects.Bucket, url, passphraseFile string) (*sign.Signer, error) {
	if !kms.IsURL(url) {
		return ReadSigner(url, passphraseFile)
	}
	if s, ok := k.remote[url]; ok {
		return s, nil
	}
	if err := kms.CheckURL(url); err != nil {
		return nil, err
	}
	key, err := kms.Open(ctx, url)
	if err != nil {
		k.leave(url, err, time.Now())
		return nil, closedKey{err}
	}
	return k.keep(ctx, bucket, url, key)
}

// keep returns the signer of an opened key in a KMS, which is opened once.
func (k *keyring) keep(ctx context.Context, bucket objects.Bucket, url string, key *kms.Key) (*sign.Signer, error) {
	k.opened = append(k.opened, key)
	s, err := attach(ctx, bucket, key, url)
	if err != nil {
		return nil, err
	}
	if k.remote == nil {
		k.remote = map[string]*sign.Signer{}
	}
	k.remote[url] = s
	return s, nil
}

func (k *keyring) close() {
	for _, c := range k.opened {
		c.Close() //nolint:errcheck // at the end
	}
}

// held returns the fingerprints of the private keys that are here, and do not fail.
func (k *keyring) held() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.signer == nil {
		return nil
	}
	return slices.DeleteFunc(k.signer.Fingerprints(), func(f string) bool { return k.failing[f].err != nil })
}

// Signer returns the private keys that are here, or nil.
func (r *Resources) Signer() *sign.Signer {
	r.keys.mu.Lock()
	defer r.keys.mu.Unlock()
	return r.keys.signer
}

// Keys returns the keys of the instance as this process knows them, and the fingerprints of those that should sign now.
func (r *Resources) Keys() (set keys.Set, signing []string) {
	r.keys.mu.Lock()
	defer r.keys.mu.Unlock()
	return r.keys.set, slices.Clone(r.keys.signing)
}

// KeyState returns how everything published should be signed, or nothing before that is known.
func (r *Resources) KeyState() (want catalogdb.KeyState, known bool) {
	r.keys.mu.Lock()
	defer r.keys.mu.Unlock()
	if r.keys.current == nil {
		return catalogdb.KeyState{}, false
	}
	return r.keys.current.State(), true
}

// RefreshKeys reads the private keys and the list of keys again, adds those that are new as standby keys, and has the
// publisher sign with those that should.
func (r *Resources) RefreshKeys(ctx context.Context) error {
	if r.Config.SigningKey == "" {
		return nil
	}
	if err := r.keys.read(ctx, r.Bucket, r.Config); err != nil {
		return err
	}
	if r.keys.changed() {
		r.announceNow(ctx)
	}
	here, err := r.keys.signer.Keys()
	if err != nil {
		return err
	}
	set, err := keys.Read(ctx, r.Bucket)
	if err == nil && set.Revision > 0 {
		err = r.checkMember(set, here) // nothing of the file is given to clients if it is a stranger's
	}
	if err == nil && set.Revision > 0 && slices.ContainsFunc(here, set.Lacks) {
		set, err = keys.Change(ctx, r.Bucket, func(s *keys.Set) error { s.Add(time.Now().UTC(), keys.Standby, here...); return nil })
	}
	if err != nil {
		return err
	}
	if set.Revision == 0 {
		return errNoSet
	}
	return r.useKeys(ctx, set)
}

// errNoSet says that the bucket has no list of keys: [Resources.CheckKey] makes it.
var errNoSet = errors.New("the bucket has no list of its signing keys any more: start the worker again")

// useKeys has the publisher sign with those keys of a set that should.
func (r *Resources) useKeys(ctx context.Context, set keys.Set) error {
	known, err := readKnown(ctx, r.Catalog, r.Now(ctx))
	if err != nil {
		return err
	}
	held := r.keys.held()
	known.without(nil, held)
	known.fails = r.keys.left()
	signing, why, err := effective(set, known, time.Now())
	if err != nil {
		return err
	}
	r.keys.mu.Lock()
	defer r.keys.mu.Unlock()
	if r.keys.current != nil && slices.Equal(signing, r.keys.signing) && set.Revision == r.keys.set.Revision && r.keys.used == r.keys.signer && slices.Equal(r.keys.usable, held) {
		return nil
	}
	var signer publish.Signer
	if only := r.keys.signer.With(set.Publics()...).Only(both(signing, held)); only != nil {
		signer = only
	}
	current, err := publish.NewKeys(set, signing, signer)
	if err != nil {
		return err
	}
	for _, w := range why {
		r.Log.Warn("a signing key does not sign", "key", w.Fingerprint, "why", w.Why)
	}
	if r.keys.current != nil {
		r.Log.Info("keys changed: what is published is signed again", "signing", strings.Join(signing, " "))
	}
	r.keys.set, r.keys.signing, r.keys.used, r.keys.usable, r.keys.current = set, signing, r.keys.signer, held, &current
	r.Publisher.SetKeys(current)
	return nil
}
