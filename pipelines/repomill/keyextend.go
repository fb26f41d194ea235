package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"repomill/pipelines"
	"repomill/pipelines/command"
	"repomill/pipelines/kms"
	"repomill/publish/keys"
	"repomill/publish/sign"
)

type keyExtendCmd struct {
	keyFlags
	awaitFlags
	privateFlags
	actorFlags
	Key   string `arg:"" optional:"" help:"Fingerprint of the key, or the end of it; default: the only one that expires."`
	For   period `xor:"end" help:"For how long it is to live from now on, such as 2y or 90d."`
	Until string `xor:"end" placeholder:"YYYY-MM-DD" help:"When it is to expire: a date, or never."`
}

// Help says what it does, and has examples.
func (keyExtendCmd) Help() string {
	return `Gives a key a later expiry: new self-signatures of the private key, which is in a file or in a KMS. The file is written again, whole or
not at all, and what it was is kept beside it as PATH.old. Running workers go by it at once, wherever their own copies are, and clients are
given the new public key with what they fetch. Nothing is rendered.

Examples:
  repomill key extend --for 2y
  repomill key extend 3DBDC284 --until 2031-12-31
  repomill key extend 3DBDC284 --for 2y --signing-key 'awskms://alias/releases?region=eu-west-1' --catalog … --bucket …` + keyHelp
}

// Run extends the life of a key, and waits until clients are given it.
func (c *keyExtendCmd) Run(ctx context.Context, io stdio) error {
	until, err := c.end(time.Now())
	if err != nil {
		return err
	}
	s, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	k, before, err := s.expiring(c.Key)
	if err != nil {
		return err
	}
	if err := later(k, before, until, time.Now()); err != nil {
		return err
	}
	if err := s.mayExtend(k, before, time.Now()); err != nil {
		return err
	}
	key, place, err := c.extend(ctx, s, k, until)
	if err != nil {
		return err
	}
	now := time.Now().UTC()
	if _, err := pipelines.ChangeKeys(ctx, s.bucket, s.db, func(set *keys.Set) error { set.Add(now, k.Role, key); return nil }); err != nil {
		return command.Fault(err)
	}
	fmt.Fprintf(io.out, "%s expires %s\n", key.Fingerprint, dateOr(key.Expires, "never"))
	fmt.Fprintf(io.err, "It is in %s: back that up.\n", place)
	fmt.Fprintf(io.err, extendEffects, before.Format(time.DateOnly))
	return c.keys(ctx, s, io)
}

// later refuses an end that is not after the present one, or is past.
func later(k keys.Key, before, until, now time.Time) error {
	switch {
	case before.IsZero():
		return fmt.Errorf("key %s never expires: there is nothing to extend", k.Fingerprint)
	case until.IsZero():
		return nil
	case !until.After(now):
		return fmt.Errorf("%s is past: key %s would be of no use; name a later date", until.UTC().Format(time.DateOnly), k.Fingerprint)
	case !until.After(before):
		return fmt.Errorf("key %s expires on %s already, which is not before %s: name a later date", k.Fingerprint, before.UTC().Format(time.DateOnly), until.UTC().Format(time.DateOnly))
	}
	return nil
}

// mayExtend refuses a key that has expired while another one signs in its place: clients go by that one now, and their copies
// of the expired key stay expired.
func (s *keySite) mayExtend(k keys.Key, end, now time.Time) error {
	if end.IsZero() || now.Before(end) {
		return nil
	}
	for _, f := range s.all.Signing {
		if other, err := s.all.Set.Find(f); err == nil && other.Role == keys.Standby {
			return fmt.Errorf("key %s has expired on %s, and the standby key %s signs in its place, which it would not do any more: have both sign (repomill key promote --force %[3]s), then extend it",
				k.Fingerprint, end.UTC().Format(time.DateOnly), other.Fingerprint)
		}
	}
	return nil
}

// end returns the new expiry; zero: never.
func (c *keyExtendCmd) end(now time.Time) (time.Time, error) {
	switch {
	case c.For != 0:
		return now.Add(time.Duration(c.For)).UTC().Truncate(time.Second), nil
	case c.Until == "never":
		return time.Time{}, nil
	case c.Until == "":
		return time.Time{}, command.Usage("say for how long: --for 2y, or --until 2031-12-31")
	}
	end, err := time.Parse(time.DateOnly, c.Until)
	if err != nil {
		return time.Time{}, command.Usage("--until %q: use a date such as 2031-12-31, or never", c.Until)
	}
	return end, nil
}

// expiring finds a key, or the only one that expires, and when that is.
func (s *keySite) expiring(name string) (k keys.Key, end time.Time, err error) {
	if name != "" {
		if k, err = s.all.Set.Find(name); err != nil {
			return k, end, err
		}
		if k.Role == keys.Retired {
			return k, end, fmt.Errorf("key %s is retired, and signs nothing: make a new one (repomill key add)", k.Fingerprint)
		}
		return k, expiryOf(k), nil
	}
	var found []keys.Key
	for _, k := range s.all.Set.Out() {
		if !expiryOf(k).IsZero() {
			found = append(found, k)
		}
	}
	switch len(found) {
	case 0:
		return k, end, errors.New("no key expires: there is nothing to extend")
	case 1:
		return found[0], expiryOf(found[0]), nil
	}
	return k, end, command.Usage("several keys expire: name one of %s", strings.Join(keys.Fingerprints(found), ", "))
}

// extend makes the new public part of a key where its private part is, and returns where it put it.
func (c *keyExtendCmd) extend(ctx context.Context, s *keySite, k keys.Key, until time.Time) (sign.Key, string, error) {
	passphrases, err := pipelines.ReadPassphrases(c.SigningKeyPassphraseFile)
	if err != nil {
		return sign.Key{}, "", err
	}
	for _, url := range c.urls(c.Data) {
		if kms.IsURL(url) {
			key, object, err := pipelines.ExtendKey(ctx, s.bucket, url, []byte(k.Public), until, time.Now())
			if errors.Is(err, sign.ErrNotHere) {
				continue
			}
			if err != nil {
				return sign.Key{}, "", command.Fault(err)
			}
			return key, object + " of the bucket", nil
		}
		path, ok := strings.CutPrefix(url, "file://")
		if !ok {
			return sign.Key{}, "", command.Usage("--signing-key %s: name the file as file:///PATH", url)
		}
		key, err := extendInFile(path, passphrases, k, until)
		if !errors.Is(err, sign.ErrNotHere) {
			return key, path, err
		}
	}
	return sign.Key{}, "", fmt.Errorf("key %s: its private part is not in %s: name the file, or the key in a KMS, with --signing-key",
		k.Fingerprint, strings.Join(c.urls(c.Data), ", "))
}

// extendInFile writes the file of a private key again. What the list of keys has may be later than what the file has.
func extendInFile(path string, passphrases [][]byte, k keys.Key, until time.Time) (sign.Key, error) {
	old, err := os.ReadFile(path)
	if err != nil {
		return sign.Key{}, fmt.Errorf("signing key: %w", err)
	}
	file, key, err := sign.Extend(old, passphrases, k.Fingerprint, until, time.Now())
	if err != nil {
		return key, fmt.Errorf("%s: %w", path, err)
	}
	if !sign.Later(key.Public, []byte(k.Public)) {
		return key, fmt.Errorf("%s: key %s was signed later elsewhere: put that copy of it into the file", path, k.Fingerprint)
	}
	if err = writeNew(path+".old", old); err == nil {
		err = writeNew(path, file)
	}
	if err != nil {
		return key, command.Fault(fmt.Errorf("store signing key: %w", err))
	}
	return key, nil
}

// expiryOf returns when a key expires; zero: never, or it cannot be read.
func expiryOf(k keys.Key) time.Time {
	public, err := sign.ReadPublic([]byte(k.Public))
	if err != nil || len(public) == 0 {
		return time.Time{}
	}
	return public[0].Expires
}

// dateOr returns a date, or a word in place of none.
func dateOr(t time.Time, word string) string {
	if t.IsZero() {
		return word
	}
	return t.UTC().Format(time.DateOnly)
}

// extendEffects says who has to fetch the key again, and until when.
const extendEffects = `Hosts go by the copy that they have, until %s:
  apt          a key in a .sources file is never fetched again: fetch that file again (or upgrade the keyring package) on every host before then
  dnf, dnf5    hosts that have imported it keep that copy: import gpgkey again (rpm --import) where they check expiries
  zypper       nothing: it takes signatures of expired keys
`
