// Package keys keeps the list of public keys of an instance, an object of the bucket: the keys that sign releases, those
// that will (standby), and those that did (retired). Clients are given a standby key before it signs, so that they know it
// when it does. The list contains no private key.
package keys

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"repomill/publish/sign"
)

// A Role is the state of a key in its life: standby, signing, retired.
type Role string

// The roles, in the order in which a key has them.
const (
	Standby Role = "standby" // given to clients, does not sign yet
	Signing Role = "signing"
	Retired Role = "retired" // does not sign any more, not given to clients
)

// A Key is a certificate of the instance.
type Key struct {
	Fingerprint string     `json:"fingerprint"` // of the primary key, in upper-case hexadecimal
	Role        Role       `json:"role"`
	Public      string     `json:"public"` // armoured
	Added       time.Time  `json:"added"`
	Promoted    *time.Time `json:"promoted,omitempty"`
	Retired     *time.Time `json:"retired,omitempty"`
	Extended    *time.Time `json:"extended,omitempty"`   // when the public part was replaced by one that its owner signed later
	Distrusted  bool       `json:"distrusted,omitempty"` // retired because its private part may have leaked: its signatures are refused
}

// A Set is the list of keys of an instance. Signing keys are in the order in which they were promoted, which is the order of
// their signatures.
type Set struct {
	Revision int64 `json:"revision"` // one more with each change
	Keys     []Key `json:"keys"`
}

// Check returns an error if this version of the program does not write such a set: an unknown role, a missing or repeated
// fingerprint, or no revision.
func (s Set) Check() error {
	for i, k := range s.Keys {
		switch {
		case k.Role != Standby && k.Role != Signing && k.Role != Retired:
			return fmt.Errorf("key %s has the role %q, which this program does not know (%s, %s, %s): upgrade this program if a newer one wrote the list, or restore an earlier version of the object",
				k.Fingerprint, k.Role, Standby, Signing, Retired)
		case k.Fingerprint == "":
			return fmt.Errorf("key %d has no fingerprint: restore an earlier version of the object", i+1)
		case slices.ContainsFunc(s.Keys[:i], func(o Key) bool { return o.Fingerprint == k.Fingerprint }):
			return fmt.Errorf("key %s is there twice: restore an earlier version of the object", k.Fingerprint)
		}
	}
	if s.Revision <= 0 {
		return errors.New("it has no revision: restore an earlier version of the object")
	}
	return nil
}

// With returns the keys of some roles: in the order of roles, then in that of the set.
func (s Set) With(roles ...Role) (some []Key) {
	for _, r := range roles {
		for _, k := range s.Keys {
			if k.Role == r {
				some = append(some, k)
			}
		}
	}
	return some
}

// Out returns the keys that clients are given: the signing keys, then the standby keys.
func (s Set) Out() []Key { return s.With(Signing, Standby) }

// Find returns a key by its fingerprint or by the last eight or more digits of it, with or without blanks and "0x". An
// unknown or ambiguous one is an error.
func (s Set) Find(fingerprint string) (Key, error) {
	i, err := s.index(fingerprint)
	if err != nil {
		return Key{}, err
	}
	return s.Keys[i], nil
}

func (s Set) index(fingerprint string) (int, error) {
	name := strings.ToUpper(strings.TrimPrefix(strings.ReplaceAll(fingerprint, " ", ""), "0x"))
	found := -1
	for i, k := range s.Keys {
		switch {
		case len(name) < 8 || !strings.HasSuffix(k.Fingerprint, name):
		case found >= 0:
			return 0, fmt.Errorf("%s is the end of two keys: use the whole fingerprint", fingerprint)
		default:
			found = i
		}
	}
	if found < 0 {
		return 0, fmt.Errorf("there is no key %s: use one of %s", fingerprint, strings.Join(Fingerprints(s.Keys), ", "))
	}
	return found, nil
}

// Fingerprints returns the fingerprints of some keys, in their order.
func Fingerprints(some []Key) []string {
	all := make([]string, len(some))
	for i, k := range some {
		all[i] = k.Fingerprint
	}
	return all
}

// Public returns one armoured block with some keys. The same keys in the same order give the same bytes.
func Public(some []Key) ([]byte, error) {
	all := make([][]byte, len(some))
	for i, k := range some {
		all[i] = []byte(k.Public)
	}
	return sign.JoinPublic(all...)
}

// Add adds keys in a role, and reports whether the set changed. A key that the set has keeps its role. Its public part is
// replaced only if the new one was signed later, as when its expiry was extended: key files of other processes may have
// older copies.
func (s *Set) Add(now time.Time, role Role, some ...sign.Key) (changed bool) {
	for _, k := range some {
		i := slices.IndexFunc(s.Keys, func(o Key) bool { return o.Fingerprint == k.Fingerprint })
		if i >= 0 {
			if s.Lacks(k) {
				s.Keys[i].Public, s.Keys[i].Extended, changed = string(k.Public), &now, true
			}
			continue
		}
		key := Key{Fingerprint: k.Fingerprint, Role: role, Public: string(k.Public), Added: now}
		switch role {
		case Signing:
			key.Promoted = &now
		case Retired:
			key.Retired = &now
		}
		s.Keys, changed = append(s.Keys, key), true
	}
	return changed
}

// Lacks reports whether [Set.Add] would change the set: the key is not in it, or was signed later than the copy in it.
func (s Set) Lacks(k sign.Key) bool {
	i := slices.IndexFunc(s.Keys, func(o Key) bool { return o.Fingerprint == k.Fingerprint })
	return i < 0 || s.Keys[i].Public != string(k.Public) && sign.Later(k.Public, []byte(s.Keys[i].Public))
}

// Overlap is how long clients must have been given a key before it may be the only one that signs.
const Overlap = 30 * 24 * time.Hour

// KnownSince reports whether clients have been given a key since a time: it was in the list by then, or it is one of the
// first keys of the instance, which every client has.
func (s Set) KnownSince(k Key, then time.Time) bool {
	return !k.Added.After(then) || !slices.ContainsFunc(s.Keys, func(o Key) bool { return o.Added.Before(k.Added) })
}

// Since returns the time at which a key got its role.
func (k Key) Since() time.Time {
	switch {
	case k.Role == Retired && k.Retired != nil:
		return *k.Retired
	case k.Role == Signing && k.Promoted != nil:
		return *k.Promoted
	}
	return k.Added
}

// Publics returns the public parts of all keys in any role, each in an armoured block.
func (s Set) Publics() [][]byte {
	all := make([][]byte, len(s.Keys))
	for i, k := range s.Keys {
		all[i] = []byte(k.Public)
	}
	return all
}

// Promote turns a standby key into the last of the signing keys. A signing key stays as it is; a retired or unknown one is
// an error.
func (s *Set) Promote(fingerprint string, now time.Time) error {
	i, err := s.index(fingerprint)
	if err != nil {
		return err
	}
	k := s.Keys[i]
	switch k.Role {
	case Signing:
		return nil
	case Retired:
		return fmt.Errorf("key %s is retired: make a new one with repomill key add", k.Fingerprint)
	}
	k.Role, k.Promoted = Signing, &now
	s.Keys = append(slices.Delete(s.Keys, i, i+1), k)
	return nil
}

// ErrLast says that a key cannot be retired because it is the only one that signs.
var ErrLast = errors.New("no other key signs: promote one before (repomill key promote)")

// Retire turns a key into a retired one; with distrust, its earlier signatures are refused, too. For the only signing key
// the error is [ErrLast].
func (s *Set) Retire(fingerprint string, distrust bool, now time.Time) error {
	i, err := s.index(fingerprint)
	if err != nil {
		return err
	}
	k := &s.Keys[i]
	if k.Role == Signing && len(s.With(Signing)) == 1 {
		return fmt.Errorf("key %s: %w", k.Fingerprint, ErrLast)
	}
	if k.Role != Retired {
		k.Role, k.Retired = Retired, &now
	}
	k.Distrusted = k.Distrusted || distrust
	return nil
}
