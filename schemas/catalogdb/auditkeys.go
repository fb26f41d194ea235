package catalogdb

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"repomill/schemas/catalog"
)

// keyRevision begins the detail of a change of the list of keys.
func keyRevision(revision int64) string { return fmt.Sprintf("list of keys %d: ", revision) }

// recordKeyActor records who made a revision of the list of keys that another process recorded without an actor.
func (d *DB) recordKeyActor(ctx context.Context, tx *transaction, revision int64) error {
	actor := catalog.ActorOf(ctx)
	if actor.User == "" {
		return nil
	}
	prefix := keyRevision(revision)
	var detail string
	known := 0
	entries, err := collect(ctx, tx, func(scan func(...any) error) (e catalog.AuditEntry, err error) {
		return e, scan(&e.By, &e.Detail)
	}, `SELECT actor, detail FROM audit WHERE action = ? AND detail >= ? AND detail < ?`, catalog.ActionKeys, prefix, prefix+"\xff")
	for _, e := range entries {
		detail = e.Detail
		if e.By != "" {
			known++
		}
	}
	if err != nil || known > 0 || detail == "" {
		return err
	}
	return d.recordNow(ctx, tx, catalog.AuditEntry{Action: catalog.ActionKeys, Target: catalog.AllRepositories, Detail: detail})
}

// A listedKey is what the audit log knows of a key.
type listedKey struct {
	Fingerprint string `json:"fingerprint"`
	Role        string `json:"role"`
	Public      string `json:"public"`
	Distrusted  bool   `json:"distrusted"`
}

// keysChanged says in words how two lists of keys differ. They are JSON of package keys, which this package does not import.
func keysChanged(revision int64, before, after []byte) string {
	was := map[string]listedKey{}
	for _, k := range listedKeys(before) {
		was[k.Fingerprint] = k
	}
	var words []string
	for _, k := range listedKeys(after) {
		old, had := was[k.Fingerprint]
		delete(was, k.Fingerprint)
		switch {
		case !had:
			words = append(words, k.Fingerprint+" added as "+k.Role)
		case k.Distrusted && !old.Distrusted:
			words = append(words, k.Fingerprint+" retired as leaked")
		case k.Role != old.Role:
			words = append(words, k.Fingerprint+" "+k.Role+", was "+old.Role)
		case k.Public != old.Public:
			words = append(words, k.Fingerprint+" has another public part")
		}
	}
	for _, k := range listedKeys(before) {
		if _, gone := was[k.Fingerprint]; gone {
			words = append(words, k.Fingerprint+" removed")
		}
	}
	if len(words) == 0 {
		words = []string{"the same keys"}
	}
	return keyRevision(revision) + strings.Join(words, ", ")
}

func listedKeys(list []byte) []listedKey {
	var set struct {
		Keys []listedKey `json:"keys"`
	}
	_ = json.Unmarshal(list, &set) // another form of list has no keys here
	return set.Keys
}
