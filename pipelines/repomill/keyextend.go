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
	For   period `xor:"end" help:"New lifetime from now on, such as 2y or 90d."`
	Until string `xor:"end" placeholder:"YYYY-MM-DD" help:"New expiry: a date, or never."`
}

// Help describes the effect, and has examples.
func (keyExtendCmd) Help() string {
	return `The private key, in a file or in a KMS, signs itself again with the later expiry. The file is replaced atomically, and the old one is
kept beside it as PATH.old. Running workers use the new expiry at once, even if their own copies of the file are older. Clients get
the new public key with their next downloads. No index is rendered.

Examples:
  repomill key extend --for 2y
  repomill key extend 3DBDC284 --until 2031-12-31
  repomill key extend 3DBDC284 --for 2y --signing-key 'awskms://alias/releases?region=eu-west-1' --catalog … --bucket …` + keyHelp
}

// Run gives a key a later expiry, and waits until clients get the new public key.
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
	fmt.Fprintf(io.err, "The key is in %s: back that up.\n", place)
	fmt.Fprintf(io.err, extendEffects, before.Format(time.DateOnly))
	return c.keys(ctx, s, io)
}

// later returns an error for a new expiry that is not after the present one, or is past.
func later(k keys.Key, before, until, now time.Time) error {
	switch {
	case before.IsZero():
		return fmt.Errorf("key %s never expires: there is nothing to extend", k.Fingerprint)
	case until.IsZero():
		return nil
	case !until.After(now):
		return fmt.Errorf("%s is past: key %s would be expired; name a later date", until.UTC().Format(time.DateOnly), k.Fingerprint)
	case !until.After(before):
		return fmt.Errorf("key %s expires on %s already, which is not before %s: name a later date", k.Fingerprint, before.UTC().Format(time.DateOnly), until.UTC().Format(time.DateOnly))
	}
	return nil
}

// mayExtend returns an error for an expired key if a standby key signs in its place. Clients now use the standby key, and
// their copies of the expired key stay expired.
func (s *keySite) mayExtend(k keys.Key, end, now time.Time) error {
	if end.IsZero() || now.Before(end) {
		return nil
	}
	for _, f := range s.all.Signing {
		if other, err := s.all.Set.Find(f); err == nil && other.Role == keys.Standby {
			return fmt.Errorf("key %s expired on %s, and the standby key %s signs in its place; an extended key would end that: have both sign (repomill key promote --force %[3]s), then extend the key",
				k.Fingerprint, end.UTC().Format(time.DateOnly), other.Fingerprint)
		}
	}
	return nil
}

// end returns the new expiry; zero means never.
func (c *keyExtendCmd) end(now time.Time) (time.Time, error) {
	switch {
	case c.For != 0:
		return now.Add(time.Duration(c.For)).UTC().Truncate(time.Second), nil
	case c.Until == "never":
		return time.Time{}, nil
	case c.Until == "":
		return time.Time{}, command.Usage("name the new expiry: --for 2y, or --until 2031-12-31")
	}
	end, err := time.Parse(time.DateOnly, c.Until)
	if err != nil {
		return time.Time{}, command.Usage("--until %q: use a date such as 2031-12-31, or never", c.Until)
	}
	return end, nil
}

// expiring finds a key by its name or, without a name, the only one that expires. It returns the key and its expiry.
func (s *keySite) expiring(name string) (k keys.Key, end time.Time, err error) {
	if name != "" {
		if k, err = s.all.Set.Find(name); err != nil {
			return k, end, err
		}
		if k.Role == keys.Retired {
			return k, end, fmt.Errorf("key %s is retired, and signs nothing: add a new one with repomill key add", k.Fingerprint)
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

// extend makes the new public key with the private one, and returns the place where it stored the key.
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

// extendInFile extends a key in a file. It returns an error if the list of keys has a later version of it than the file.
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

// expiryOf returns the expiry of a key; zero if it never expires, or cannot be read.
func expiryOf(k keys.Key) time.Time {
	public, err := sign.ReadPublic([]byte(k.Public))
	if err != nil || len(public) == 0 {
		return time.Time{}
	}
	return public[0].Expires
}

// dateOr returns the date of t, or word if t is zero.
func dateOr(t time.Time, word string) string {
	if t.IsZero() {
		return word
	}
	return t.UTC().Format(time.DateOnly)
}

// extendEffects describes which clients have to fetch the key again, and until when.
const extendEffects = `Hosts use their copy of the key until %s:
  apt          does not fetch a key in a .sources file again: fetch that file again (or upgrade the keyring package) on every host before then
  dnf, dnf5    keep the imported copy: import gpgkey again (rpm --import) where expiries are checked
  zypper       nothing to do: it accepts signatures of expired keys
`
