package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"repomill/pipelines"
	"repomill/pipelines/command"
	"repomill/publish/keys"
)

// keyLookHelp is the help of the commands that read keys.
const keyLookHelp = `

Exit codes:
  0  done
  2  usage
  4  the catalog or the bucket cannot be reached, or there is no list of keys yet`

// keyHelp is the help of the commands that change keys.
const keyHelp = `

Exit codes:
  0  clients see the change; with --no-wait: it is recorded
  1  failed, or refused because it would break clients; the standard error says why
  2  usage
  3  recorded, but not published everywhere in time, or no worker runs: a worker completes it once one is started
  4  the catalog or the bucket cannot be reached`

type keyPromoteCmd struct {
	keyFlags
	awaitFlags
	actorFlags
	Key     string `arg:"" help:"Fingerprint of a standby key, or the end of it."`
	Overlap period `default:"30d" help:"How long clients must have been able to get the key."`
	Force   bool   `env:"" help:"Promote the key although clients may not have it yet. As long as a key that they have signs beside it, only zypper is affected. If no such key can sign, hosts that were set up before this key was added fail until they are set up again."`
}

// Help has an example.
func (keyPromoteCmd) Help() string {
	return `The key then signs all releases, after the keys that sign already. Clients ask nothing as long as they trust one of those.

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
		err = s.mayPromote(ctx, k, time.Duration(c.Overlap))
	}
	if err != nil {
		return err
	}
	if problem := s.all.Problem(k); problem != "" && k.Role == keys.Standby {
		return fmt.Errorf("key %s cannot sign: %s", k.Fingerprint, problem)
	}
	before := k.Role
	err = c.change(ctx, s, io, func(set *keys.Set) error { return set.Promote(k.Fingerprint, time.Now().UTC()) })
	if err != nil {
		return err
	}
	if before == keys.Signing {
		fmt.Fprintf(io.out, "key %s signed already: nothing has changed\n", k.Fingerprint)
	} else {
		fmt.Fprintf(io.out, "key %s is promoted: %s\n", k.Fingerprint, s.done(c.NoWait, "it signs everything"))
	}
	return s.printNext(ctx, io, time.Duration(c.Overlap))
}

// done describes the effect of a change: now, or with --no-wait later.
func (*keySite) done(noWait bool, what string) string {
	if noWait {
		return what + " once a worker has published the change (repomill key status)"
	}
	return what + " now"
}

// mayPromote returns an error for a key that clients cannot read, have had for too short a time, or do not get with a keyring
// package.
func (s *keySite) mayPromote(ctx context.Context, k keys.Key, overlap time.Duration) error {
	if s.all.Signs(k) {
		return nil // it signs in place of others: nothing changes for clients
	}
	if err := s.mayRead(k); err != nil {
		return err
	}
	if err := s.all.MayPromote(k, overlap, time.Now()); err != nil {
		return err
	}
	releases, repositories, err := s.db.CountToSign(ctx, s.all.Want, false)
	if err != nil {
		return command.Fault(err)
	}
	if releases+repositories > 0 {
		return fmt.Errorf("key %s is not published everywhere yet: %d releases and %d repositories are left; wait until repomill key status reports no more", k.Fingerprint, releases, repositories)
	}
	without, err := s.keyringsWithout(ctx, k)
	if err == nil && len(without) > 0 {
		err = fmt.Errorf("hosts that follow a keyring package would not know key %s: %s; wait until it is published, and hosts have upgraded, or promote it with --force", k.Fingerprint, strings.Join(without, "; "))
	}
	return err
}

type keyRetireCmd struct {
	keyFlags
	awaitFlags
	actorFlags
	Key     string `arg:"" help:"Fingerprint of the key, or the end of it."`
	Leaked  bool   `env:"" help:"The private key may have leaked: its signatures are no longer trusted."`
	Overlap period `default:"30d" help:"How long another key must have signed beside it."`
	Force   bool   `env:"" help:"Retire the key although clients may not have the other keys yet. Such clients have to be set up again."`
}

// Help has examples.
func (keyRetireCmd) Help() string {
	return `The command refuses while a release has no other signature, and until another key has signed for 30 days or was given to clients from
the first release on. A retired key signs nothing, and clients no longer get it. Remove it from the file of private keys afterwards. If
the key has leaked, retire it before you publish its revocation: zypper refuses what a revoked key has signed, even if it has other
signatures.

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
		err = s.all.MayRetire(k, time.Duration(c.Overlap), time.Now())
	}
	if err != nil {
		return err
	}
	err = c.change(ctx, s, io, func(set *keys.Set) error { return set.Retire(k.Fingerprint, c.Leaked, time.Now().UTC()) })
	if err != nil {
		return err
	}
	if k.Role == keys.Retired && (k.Distrusted || !c.Leaked) {
		fmt.Fprintf(io.out, "key %s was retired before\n", k.Fingerprint)
		return s.printNext(ctx, io, time.Duration(c.Overlap))
	}
	fmt.Fprintf(io.out, "key %s is retired: %s\n", k.Fingerprint, s.done(c.NoWait, "it signs nothing, and clients do not get it,"))
	fmt.Fprintln(io.out, "remove its private key from the files that workers read, or from --signing-key")
	if c.Leaked {
		fmt.Fprintln(io.out, "its signatures are no longer trusted: publish its revocation now")
	}
	return s.printNext(ctx, io, time.Duration(c.Overlap))
}

// mayRetire returns an error for a key without which a release would have no signature, or no key could sign.
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
		return fmt.Errorf("%d releases have only the signature of key %s: wait until repomill key status reports that all are signed", alone, k.Fingerprint)
	}
	return nil
}

// change changes the list of keys, and waits until everything is signed accordingly.
func (f awaitFlags) change(ctx context.Context, s *keySite, io stdio, change func(*keys.Set) error) error {
	var refused error
	_, err := pipelines.ChangeKeys(ctx, s.bucket, s.db, func(set *keys.Set) error {
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

// keys waits until every release has the desired signers, and every repository the desired keys.
func (f awaitFlags) keys(ctx context.Context, s *keySite, io stdio) error {
	if f.NoWait {
		return recorded(io)
	}
	return f.until(ctx, s.db, signedAgain, func(ctx context.Context) (string, error) {
		all, err := s.signers(ctx)
		if err != nil {
			return "", err
		}
		releases, repositories, err := s.db.CountToSign(ctx, all.Want, true)
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
