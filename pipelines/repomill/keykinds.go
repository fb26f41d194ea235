package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"repomill/pipelines"
	"repomill/publish/keys"
	"repomill/publish/sign"
)

// keyNotices describes which clients cannot read a key, or will soon refuse it. A retired key has no notices.
func keyNotices(k keys.Key, used pipelines.Distributions) (found []string) {
	public, err := sign.ReadPublic([]byte(k.Public))
	if err != nil || k.Role == keys.Retired {
		return nil
	}
	for _, why := range []string{public[0].Advice(), pipelines.Unread(public[0].Algorithm, used.Without(public[0].Algorithm))} {
		if why != "" {
			found = append(found, why)
		}
	}
	return found
}

// locked describes the clients that refuse every release; empty if there are none.
func (s *keySite) locked() []string {
	names := s.used.Locked(s.all.Set.With(keys.Signing)...)
	if len(names) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("clients of %s refuse every release: they cannot read the signature of the first signing key; let an RSA key sign first (repomill key add, promote it, and retire those before it)",
		strings.Join(names, ", "))}
}

// mayRead returns an error for a key to promote that some clients cannot read, if they can read no other signature.
func (s *keySite) mayRead(k keys.Key) error {
	unread := s.used.Without(pipelines.AlgorithmOf(k))
	names := slices.DeleteFunc(s.used.Locked(append(s.all.Set.With(keys.Signing), k)...), func(n string) bool { return !slices.Contains(unread, n) })
	if len(names) == 0 {
		return nil
	}
	return fmt.Errorf("key %s is %s, and clients of %s would still have no signature that they can read: promote an RSA key (repomill key add makes one), or this one with --force",
		k.Fingerprint, pipelines.AlgorithmOf(k), strings.Join(names, ", "))
}

// mayLock returns an error for a key to retire, if clients that read its signatures could read none of the others.
func (s *keySite) mayLock(k keys.Key) error {
	var rest []keys.Key
	for _, o := range s.all.Set.With(keys.Signing) {
		if o.Fingerprint != k.Fingerprint {
			rest = append(rest, o)
		}
	}
	if len(rest) == 0 {
		return nil // mayRetire refuses the last key
	}
	were := s.used.Locked(s.all.Set.With(keys.Signing)...)
	names := slices.DeleteFunc(s.used.Locked(rest...), func(n string) bool { return slices.Contains(were, n) })
	if len(names) == 0 {
		return nil
	}
	return fmt.Errorf("without key %s, clients of %s read no signature: the first key that remains is %s; promote an RSA key (repomill key add makes one), and retire those before it in the order of repomill key list",
		k.Fingerprint, strings.Join(names, ", "), pipelines.AlgorithmOf(rest[0]))
}

// reasons describes why keys should be extended or replaced.
func (s *keySite) reasons(now time.Time) (found []string) {
	for _, k := range s.all.Set.Out() {
		for _, n := range keyNotices(k, s.used) {
			found = append(found, fmt.Sprintf("key %s (%s): %s", k.Fingerprint, k.Role, n))
		}
		if end := expiryOf(k); !end.IsZero() && daysLeft(end, now) > 0 {
			found = append(found, fmt.Sprintf("key %s (%s) expires on %s: extend it (repomill key extend %s --for 2y), or replace it",
				k.Fingerprint, k.Role, end.Format(time.DateOnly), k.Fingerprint))
		}
	}
	return found
}
