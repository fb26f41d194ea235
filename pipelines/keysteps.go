package pipelines

import (
	"fmt"
	"slices"
	"time"

	"repomill/publish/keys"
	"repomill/publish/sign"
)

// A Condition is how a key is.
type Condition string

// The conditions.
const (
	Fine     Condition = "fine"
	Expiring Condition = "expiring" // within [Soon]
	Expired  Condition = "expired"
	Refused  Condition = "refused" // by clients: it is revoked, or of a weak kind
	Early    Condition = "early"   // not valid yet
	Missing  Condition = "missing" // no worker has its private part
	Failing  Condition = "failing" // a worker has it, and cannot sign with it
)

// Soon is from when on an expiry is a fault.
const Soon = 30 * 24 * time.Hour

// Condition says how a key is, by what it is itself, and by what workers say of it.
func (s Signers) Condition(k keys.Key, now time.Time) Condition {
	public, err := sign.ReadPublic([]byte(k.Public))
	switch {
	case err != nil || public[0].Refused != nil:
		return Refused
	case now.Before(public[0].Created):
		return Early
	}
	end := public[0].Expires
	here := s.known.held[k.Fingerprint] && !s.awaits(k)
	switch {
	case !end.IsZero() && now.After(end):
		return Expired
	case here && !end.IsZero() && end.Sub(now) < Soon:
		return Expiring
	case here:
		return Fine
	case s.known.fails[k.Fingerprint] != nil: // a worker has it
		return Failing
	}
	return Missing
}

// Signs reports whether a key signs now, also in place of others, or will if those do not come back for which everything waits.
func (s Signers) Signs(k keys.Key) bool {
	return slices.Contains(s.Signing, k.Fingerprint) || s.Waits != nil && slices.Contains(s.Waits.Then, k.Fingerprint)
}

// MayPromote says why a standby key had better not sign yet, or nothing. One that signs in place of others may, since that
// changes nothing for clients.
func (s Signers) MayPromote(k keys.Key, overlap time.Duration, now time.Time) error {
	if k.Role != keys.Standby || s.Signs(k) {
		return nil
	}
	since := k.Added.UTC().Format(time.DateOnly + " 15:04 MST")
	if len(s.Signing) == 0 {
		return fmt.Errorf("key %s would sign alone, since no other key can, and hosts that were set up before %s do not know it: they would stop until they are set up again. Mend the key that signs, if that can be (repomill key plan says how), or promote this one with --force",
			k.Fingerprint, since)
	}
	if from := k.Added.Add(overlap); now.Before(from) {
		return fmt.Errorf("clients are given key %s since %s, and many fetch keys seldom: promote it from %s on, or with --force now",
			k.Fingerprint, since, from.UTC().Format(time.DateOnly))
	}
	return nil
}

// MayRetire says why clients rely on a key, so that it had better not be retired yet, or nothing: no other one has signed beside
// it for long enough.
func (s Signers) MayRetire(k keys.Key, overlap time.Duration, now time.Time) error {
	from, relied := s.retireFrom(k, overlap)
	if !relied || !now.Before(from) {
		return nil
	}
	return fmt.Errorf("clients may not know another key than %s yet: retire it from %s on, or with --force now, and have those clients set up again (repomill key plan says which)",
		k.Fingerprint, from.UTC().Format(time.DateOnly))
}

// retireFrom returns from when on clients need a key no more, and whether they ever did.
func (s Signers) retireFrom(k keys.Key, overlap time.Duration) (from time.Time, relied bool) {
	if !s.Signs(k) {
		return from, false // it signs nothing as it is
	}
	for _, f := range s.Signing {
		other, err := s.Set.Find(f)
		if err != nil || f == k.Fingerprint {
			continue
		}
		if s.Set.KnownSince(other, time.Time{}) {
			return time.Time{}, false
		}
		if at := other.Since().Add(overlap); from.IsZero() || at.Before(from) {
			from = at
		}
	}
	return from, true
}

// A Step is something to do about the keys.
type Step struct {
	Do    Deed
	Key   keys.Key  // none for Add
	From  time.Time // from when on it is safe; zero: now
	Force bool      // --force is needed
}

// A Deed is what a step does.
type Deed string

// The deeds.
const (
	Add     Deed = "add"
	Extend  Deed = "extend"
	Restore Deed = "restore" // the private part of a key, to where a worker reads it
	Mend    Deed = "mend"    // what keeps a worker from signing with a key
	Promote Deed = "promote"
	Retire  Deed = "retire"
)

// Steps returns what to do next about the keys, and then what would do instead.
func (s Signers) Steps(overlap time.Duration, now time.Time) (all []Step) {
	signing := s.Set.With(keys.Signing)
	var next *keys.Key // the standby key that comes first
	for _, k := range s.Set.With(keys.Standby) {
		if c := s.Condition(k, now); next == nil && (c == Fine || c == Expiring) {
			next = &k
		}
	}
	replaced := next != nil && s.Signs(*next) // clients have gone over to it
	var dead, able []keys.Key
	for _, k := range signing {
		switch c := s.Condition(k, now); {
		case c == Fine:
			able = append(able, k)
			continue
		case c == Expiring:
			able = append(able, k)
			all = append(all, Step{Do: Extend, Key: k})
			continue
		case c == Expired && !replaced:
			all = append(all, Step{Do: Extend, Key: k})
		case c == Missing:
			all = append(all, Step{Do: Restore, Key: k})
		case c == Failing:
			all = append(all, Step{Do: Mend, Key: k})
		}
		dead = append(dead, k)
	}
	return append(all, s.replace(next, able, dead, overlap, now))
}

// replace returns the next step of a change of keys.
func (s Signers) replace(next *keys.Key, able, dead []keys.Key, overlap time.Duration, now time.Time) Step {
	switch {
	case len(able) == 0 && next != nil:
		return Step{Do: Promote, Key: *next, Force: s.MayPromote(*next, overlap, now) != nil}
	case len(able) > 0 && len(dead) > 0:
		return Step{Do: Retire, Key: dead[0]}
	case len(able) > 1:
		from, _ := s.retireFrom(able[0], overlap)
		return Step{Do: Retire, Key: able[0], From: from}
	case len(able) > 0 && next != nil:
		return Step{Do: Promote, Key: *next, From: next.Added.Add(overlap)}
	}
	return Step{Do: Add}
}
