package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"repomill/pipelines/command"
	"repomill/publish/keys"
)

// keyLookHelp is of the commands that look at keys.
const keyLookHelp = `

Exit codes:
  0  done
  2  usage
  4  the catalog or the bucket cannot be reached, or there is no list of keys yet`

// keyHelp is of the commands that change keys.
const keyHelp = `

Exit codes:
  0  clients see it; with --no-wait: it is recorded
  1  it would break clients, or cannot be done; the standard error says why
  2  usage
  3  recorded, but not published everywhere in time, or no worker runs: then it goes on when one is started
  4  the catalog or the bucket cannot be reached`

type keyPromoteCmd struct {
	keyFlags
	awaitFlags
	Key     string `arg:"" help:"Fingerprint of a standby key, or the end of it."`
	Overlap period `default:"30d" help:"For how long clients must have been given the key."`
	Force   bool   `env:"" help:"Do it although clients may not know the key yet. While the old key signs beside it, only zypper's clients notice."`
}

// Help has an example.
func (keyPromoteCmd) Help() string {
	return `The key signs everything from then on, behind the keys that sign already. No client is asked anything, as long as it trusts one of them.

Example:
  repomill key promote 3DBDC284` + keyHelp
}

// Run promotes a key.
func (c *keyPromoteCmd) Run(ctx context.Context, io stdio) error {
	s, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	k, err := s.all.Set.Find(c.Key)
	if err == nil && k.Role == keys.Standby && !c.Force {
		err = s.mayRead(k)
	}
	if err == nil && k.Role == keys.Standby && !c.Force {
		err = s.mayPromote(ctx, k, time.Duration(c.Overlap))
	}
	if err != nil {
		return err
	}
	if problem := s.all.Problem(k); problem != "" && k.Role == keys.Standby {
		return fmt.Errorf("key %s cannot sign: %s", k.Fingerprint, problem)
	}
	return c.change(ctx, s, io, func(set *keys.Set) error { return set.Promote(k.Fingerprint, time.Now().UTC()) })
}

// mayPromote refuses a key that clients were not given for long enough.
func (s *keySite) mayPromote(ctx context.Context, k keys.Key, overlap time.Duration) error {
	if from := k.Added.Add(overlap); time.Now().Before(from) {
		return fmt.Errorf("clients are given key %s since %s, and many fetch keys seldom: promote it from %s on, or with --force now",
			k.Fingerprint, k.Added.UTC().Format(time.DateOnly+" 15:04 MST"), from.UTC().Format(time.DateOnly))
	}
	releases, repositories, err := s.db.CountUnsigned(ctx, s.all.Want, false)
	if err != nil {
		return command.Fault(err)
	}
	if releases+repositories > 0 {
		return fmt.Errorf("key %s is not given to all clients yet: %d releases and %d repositories are left; wait for repomill key status", k.Fingerprint, releases, repositories)
	}
	return nil
}

type keyRetireCmd struct {
	keyFlags
	awaitFlags
	Key     string `arg:"" help:"Fingerprint of the key, or the end of it."`
	Leaked  bool   `env:"" help:"Others may have its private part: what it signed counts for nothing any more."`
	Overlap period `default:"30d" help:"For how long another key must have signed beside it."`
	Force   bool   `env:"" help:"Do it although clients may not know the other keys yet: those have to be set up again."`
}

// Help has examples.
func (keyRetireCmd) Help() string {
	return `Refuses while a release has no other signature, and until another key has signed for 30 days, or was given to clients from the first on. Then the key signs nothing, and is not given to clients any more. Take it out of the file of
private keys afterwards. If it has leaked, retire it before you publish its revocation: zypper refuses what a revoked key has signed,
whatever other signature it has.

Examples:
  repomill key retire 3DBDC284
  repomill key retire --leaked 3DBDC284` + keyHelp
}

// Run retires a key.
func (c *keyRetireCmd) Run(ctx context.Context, io stdio) error {
	s, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	k, err := s.all.Set.Find(c.Key)
	if err == nil {
		err = s.mayRetire(ctx, k)
	}
	if err == nil && !c.Leaked && !c.Force {
		err = s.mayRely(k, time.Duration(c.Overlap))
	}
	if err != nil {
		return err
	}
	return c.change(ctx, s, io, func(set *keys.Set) error { return set.Retire(k.Fingerprint, c.Leaked, time.Now().UTC()) })
}

// mayRely refuses to retire a key that clients rely on: no other one has signed beside it for long enough.
func (s *keySite) mayRely(k keys.Key, overlap time.Duration) error {
	if !slices.Contains(s.all.Signing, k.Fingerprint) {
		return nil // it signs nothing as it is
	}
	var next time.Time // from when the first of the others has
	for _, f := range s.all.Signing {
		other, err := s.all.Set.Find(f)
		if err != nil || f == k.Fingerprint {
			continue
		}
		from := since(other).Add(overlap)
		if s.all.Set.KnownSince(other, time.Time{}) || time.Now().After(from) {
			return nil
		}
		if next.IsZero() || from.Before(next) {
			next = from
		}
	}
	return fmt.Errorf("clients may not know another key than %s yet: retire it from %s on, or with --force now, and have those clients set up again (repomill key plan says which)",
		k.Fingerprint, next.UTC().Format(time.DateOnly))
}

// mayRetire refuses a key without which a release would have no signature, or nothing could be signed.
func (s *keySite) mayRetire(ctx context.Context, k keys.Key) error {
	if k.Role != keys.Signing {
		return nil
	}
	if err := s.mayLock(k); err != nil {
		return err
	}
	others := false
	for _, f := range s.all.Signing {
		others = others || f != k.Fingerprint
	}
	if !others {
		return fmt.Errorf("key %s: %w", k.Fingerprint, keys.ErrLast)
	}
	signatures, err := s.db.Signatures(ctx)
	if err != nil {
		return command.Fault(err)
	}
	alone := 0
	for _, g := range signatures {
		if signers, _, _ := strings.Cut(g.By, " "); signers == k.Fingerprint || signers == "" {
			alone += g.Releases
		}
	}
	if alone > 0 {
		return fmt.Errorf("%d releases have no other signature than that of key %s yet: wait until repomill key status says that all are signed", alone, k.Fingerprint)
	}
	return nil
}

// change changes the list of keys, and waits until everything is signed by it.
func (f awaitFlags) change(ctx context.Context, s *keySite, io stdio, change func(*keys.Set) error) error {
	var refused error
	_, err := keys.Change(ctx, s.bucket, func(set *keys.Set) error {
		refused = change(set)
		return refused
	})
	if refused != nil {
		return refused
	}
	if err != nil {
		return command.Fault(err)
	}
	return f.keys(ctx, s, io)
}

var signedAgain = awaited{"not everything is signed and given to clients", "everything is signed again"}

// keys waits until everything is signed, and given to clients, as it should be.
func (f awaitFlags) keys(ctx context.Context, s *keySite, io stdio) error {
	if f.NoWait {
		return recorded(io)
	}
	return f.until(ctx, s.db, signedAgain, func(ctx context.Context) (string, error) {
		all, err := s.signers(ctx)
		if err != nil {
			return "", err
		}
		releases, repositories, err := s.db.CountUnsigned(ctx, all.Want, true)
		switch {
		case err != nil:
			return "", command.Fault(err)
		case repositories > 0:
			return fmt.Sprintf("the keys of %d repositories are not published yet", repositories), nil
		case releases > 0:
			return fmt.Sprintf("%d releases are not signed again yet", releases), nil
		}
		return "", nil
	})
}
