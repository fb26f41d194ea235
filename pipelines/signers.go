package pipelines

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"repomill/publish"
	"repomill/publish/keys"
	"repomill/publish/sign"
	"repomill/schemas/catalogdb"
)

// Signers are the keys of an instance, and which of them should sign now.
type Signers struct {
	Set     keys.Set
	Signing []string // fingerprints
	Want    catalogdb.KeyState
	None    error              // why no key can sign; nil if Signing has some
	Waits   *Wait              // for keys that are to sign; nil if some worker has one, or none runs
	Workers []catalogdb.Worker // that run

	known known
}

// ReadSigners returns the keys of a bucket, and what should be signed by them, as a command sees it that has no private key.
// Without a set there is no error.
func ReadSigners(ctx context.Context, bucket keys.Bucket, db *catalogdb.DB) (s Signers, err error) {
	if s.Set, err = keys.Read(ctx, bucket); err != nil {
		return s, err
	}
	kept, err := remembered(ctx, db, s.Set)
	if err == nil && kept.Revision > 0 {
		err = errLostKeys(s.Set, kept)
	}
	if err != nil || s.Set.Revision == 0 {
		return s, err
	}
	now, err := db.Clock(ctx)
	if err != nil {
		return s, err
	}
	if s.known, err = readKnown(ctx, db, now); err != nil {
		return s, err
	}
	for _, w := range s.known.workers {
		if s.known.runs(w) {
			s.Workers = append(s.Workers, w)
		}
	}
	if len(s.known.held) == 0 && len(s.Workers) == 0 { // those that start will have them
		for _, k := range s.Set.Keys {
			s.known.held[k.Fingerprint] = true
		}
	}
	s.Signing, _, s.None = effective(s.Set, s.known, now) // commands are what mends it
	s.Waits = waiting(s.Set, s.known, s.Signing)
	k, err := publish.NewKeys(s.Set, s.Signing, nil)
	s.Want = k.State()
	return s, err
}

// Problem says why a key that should be able to sign cannot, or nothing.
func (s Signers) Problem(k keys.Key) string {
	if k.Role == keys.Retired {
		return ""
	}
	if s.awaits(k) {
		if err := s.known.fails[k.Fingerprint]; err != nil {
			return err.Error()
		}
		return "no running worker has its private part"
	}
	if err := usable(k, s.known, time.Now()); err != nil {
		return err.Error()
	}
	return ""
}

// awaits reports whether everything waits for a key.
func (s Signers) awaits(k keys.Key) bool {
	return s.Waits != nil && slices.Contains(s.Waits.Keys, k.Fingerprint)
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
	if len(why) == 0 {
		return nil, nil, errors.New("no key can sign what is published: all that are in the list of keys are retired (repomill key list)")
	}
	var reasons []error
	for _, w := range why {
		reasons = append(reasons, fmt.Errorf("key %s: %w", w.Fingerprint, w.Why))
	}
	return nil, why, fmt.Errorf("no key can sign what is published: %w", errors.Join(reasons...))
}

// usable says why a key cannot sign, or nothing. What it is itself comes first: where it is does not matter then.
func usable(k keys.Key, known known, now time.Time) error {
	all, err := sign.ReadPublic([]byte(k.Public))
	if err == nil {
		err = all[0].ValidAt(now)
	}
	switch {
	case err != nil:
		return err
	case known.held[k.Fingerprint]:
		return nil
	case known.fails[k.Fingerprint] != nil:
		return known.fails[k.Fingerprint]
	}
	return errors.New("no worker has its private part")
}
