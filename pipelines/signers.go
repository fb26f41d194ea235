package pipelines

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"repomill/publish"
	"repomill/publish/keys"
	"repomill/publish/sign"
	"repomill/schemas/catalogdb"
)

// heldFor is for how long a key counts as there that a worker had: it may be about to start again.
const heldFor = 15 * time.Minute

// Signers are the keys of an instance, and which of them should sign now.
type Signers struct {
	Set     keys.Set
	Signing []string // fingerprints
	Want    catalogdb.KeyState
	None    error // why no key can sign; nil if Signing has some

	known known
}

// known is what the catalog knows of keys.
type known struct {
	held  map[string]bool  // fingerprints of the private keys that workers have
	fails map[string]error // fingerprints of those that fail here
	given []string         // as catalogdb.DB.GivenKeys has it
}

func readKnown(ctx context.Context, db *catalogdb.DB, now time.Time) (k known, err error) {
	if k.held, err = db.HeldKeys(ctx, now.Add(-heldFor)); err == nil {
		k.given, err = db.GivenKeys(ctx)
	}
	return k, err
}

// without takes keys out that no worker is known to have but this one, in which they fail, and adds those that are here.
func (k *known) without(failing map[string]error, here []string) {
	for f := range failing {
		delete(k.held, f)
	}
	k.fails = failing
	for _, f := range here {
		k.held[f] = true
	}
}

// both returns what is in two lists, in the order of the first.
func both(list, other []string) (in []string) {
	for _, one := range list {
		if slices.Contains(other, one) {
			in = append(in, one)
		}
	}
	return in
}

// givenToAll reports whether the clients of everything published were given a key.
func (k known) givenToAll(fingerprint string) bool {
	return !slices.ContainsFunc(k.given, func(keys string) bool { return !strings.Contains(keys, fingerprint) })
}

// ReadSigners returns the keys of a bucket, and what should be signed by them, as a command sees it that has no private key.
// Without a set there is no error.
func ReadSigners(ctx context.Context, bucket keys.Bucket, db *catalogdb.DB) (s Signers, err error) {
	if s.Set, err = keys.Read(ctx, bucket); err != nil || s.Set.Revision == 0 {
		return s, err
	}
	now, err := db.Clock(ctx)
	if err != nil {
		return s, err
	}
	if s.known, err = readKnown(ctx, db, now); err != nil {
		return s, err
	}
	if len(s.known.held) == 0 { // no worker has run for a while: those that start will have them
		for _, k := range s.Set.Keys {
			s.known.held[k.Fingerprint] = true
		}
	}
	s.Signing, _, s.None = effective(s.Set, s.known, now) // commands are what mends it
	k, err := publish.NewKeys(s.Set, s.Signing, nil)
	s.Want = k.State()
	return s, err
}

// Problem says why a key that should be able to sign cannot, or nothing.
func (s Signers) Problem(k keys.Key) string {
	if k.Role == keys.Retired {
		return ""
	}
	if err := usable(k, s.known, time.Now()); err != nil {
		return err.Error()
	}
	return ""
}

// effective returns which keys of a set should sign now: those that are meant to, as far as some worker has them and they
// are valid, and else standby keys that clients have known for [keys.Overlap]: a key that came yesterday would lock out all
// clients that were set up before, where no publish at all leaves them what they have. why has those that are left out.
func effective(set keys.Set, known known, now time.Time) (signing []string, why []sign.Unfit, err error) {
	for _, role := range []keys.Role{keys.Signing, keys.Standby} {
		for _, k := range set.With(role) {
			err := usable(k, known, now)
			switch {
			case err != nil || role != keys.Standby:
			case !known.givenToAll(k.Fingerprint):
				err = errors.New("it stands by, and clients were not given it yet")
			case !set.KnownSince(k, now.Add(-keys.Overlap)):
				err = fmt.Errorf("it stands by, and most clients do not know it yet: it was added on %s; if it has to sign all the same, repomill key promote --force", k.Added.UTC().Format(time.DateOnly))
			}
			if err != nil {
				why = append(why, sign.Unfit{Fingerprint: k.Fingerprint, Why: err})
				continue
			}
			signing = append(signing, k.Fingerprint)
			if role == keys.Standby {
				why = append(why, sign.Unfit{Fingerprint: k.Fingerprint, Why: errors.New("ALARM: it is a standby key, and signs since no other one can")})
			}
		}
		if len(signing) > 0 {
			return signing, why, nil
		}
	}
	var reasons []error
	for _, w := range why {
		reasons = append(reasons, fmt.Errorf("key %s: %w", w.Fingerprint, w.Why))
	}
	return nil, why, fmt.Errorf("no key can sign what is published: %w", errors.Join(reasons...))
}

// usable says why a key cannot sign, or nothing.
func usable(k keys.Key, known known, now time.Time) error {
	if err := known.fails[k.Fingerprint]; err != nil && !known.held[k.Fingerprint] {
		return fmt.Errorf("it fails: %w", err)
	}
	if !known.held[k.Fingerprint] {
		return errors.New("no worker has its private part")
	}
	all, err := sign.ReadPublic([]byte(k.Public))
	if err != nil {
		return err
	}
	return all[0].ValidAt(now)
}
