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
	usable  []string                // fingerprints of those of its keys that did not fail
	current *publish.Keys
	failing map[string]failing   // by fingerprint
	worker  string               // as which this process announces itself; empty: it does not
	bad     map[string]error     // by URL: files that are not what the signer was read from, and why
	since   map[string]time.Time // by what is announced: when it was noticed
	waits   *Wait                // for keys that other workers had
	alone   bool                 // others have the keys that are to sign
}

// privateKeys are keys as they were read.
type privateKeys struct {
	signer *sign.Signer
	stamp  string // of their files
}

// read reads the files of private keys, and opens the keys in a KMS, whose public halves are in the bucket. It returns nil
// if the files have not changed since.
func (k *keyring) read(ctx context.Context, bucket objects.Bucket, cfg Config) (*privateKeys, error) {
	urls := SplitKeys(cfg.SigningKey)
	stamp := stampOf(append(urls, cfg.PassphraseFile))
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.signer != nil && stamp == k.stamp {
		return nil, nil
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
			return nil, err
		}
		signers = append(signers, s)
	}
	if len(signers) == 0 {
		return nil, errors.Join(left...)
	}
	signer, err := sign.Join(signers...)
	if err != nil {
		return nil, &BadKey{fmt.Errorf("--signing-key: %w", err)}
	}
	return &privateKeys{signer, stamp}, nil
}

// take has this process sign with keys that were read.
func (k *keyring) take(read *privateKeys) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.signer, k.stamp = read.signer, read.stamp
}

// stampOf changes with the files that URLs name.
func stampOf(urls []string) (stamp string) {
	for _, url := range urls {
		path, _ := strings.CutPrefix(url, "file://")
		f, err := os.Open(path) // which shows whether it may be read
		if err != nil {
			continue
		}
		if info, err := f.Stat(); err == nil {
			stamp += fmt.Sprintln(path, info.ModTime().UnixNano(), info.Size())
		}
		f.Close() //nolint:errcheck // nothing was written
	}
	return stamp
}

// open returns the keys that a URL names.
func (k *keyring) open(ctx context.Context, bucket objects.Bucket, url, passphraseFile string) (*sign.Signer, error) {
	if !kms.IsURL(url) {
		s, err := ReadSigner(url, passphraseFile)
		if err != nil {
			return nil, &BadKeyFile{[]string{url}, err}
		}
		return s, k.checkLocked(url, s)
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

// HeldKeys returns the fingerprints of the private keys that this process can sign with.
func (r *Resources) HeldKeys() []string { return r.keys.held() }

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
