package sign

import (
	"maps"
	"slices"
	"time"

	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"
)

// Describe describes armoured public keys for people, each certificate by the key that signs or, if none may, by its primary key: also
// keys that clients refuse, or of which no part may sign any more.
func Describe(armored []byte) ([]Key, error) {
	list, err := certificates(armored)
	if err != nil {
		return nil, err
	}
	var all []Key
	for _, e := range list {
		keys := keysOf(e)
		k, err := describe(e, keys[max(0, slices.IndexFunc(keys, func(k certKey) bool { return k.signs }))])
		if err != nil {
			return nil, err
		}
		k.User = userOf(e)
		all = append(all, k)
	}
	return all, nil
}

// userOf returns the primary user ID of a certificate: the one that is marked so, else the one that was signed last. Of two that are
// alike in that, it is the first in the order of their bytes.
func userOf(e *openpgp.Entity) (user string) {
	var chosen bool
	var since time.Time
	for _, name := range slices.Sorted(maps.Keys(e.Identities)) {
		self, err := e.Identities[name].Verify(time.Time{}, config)
		if err != nil {
			continue
		}
		marked := self.IsPrimaryId != nil && *self.IsPrimaryId
		if user == "" || marked && !chosen || marked == chosen && self.CreationTime.After(since) {
			user, chosen, since = name, marked, self.CreationTime
		}
	}
	return user
}
