package pipelines

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"repomill/publish/keys"
	"repomill/schemas/catalogdb"
)

// heldFor is for how long a key counts as there that a worker had: it may be about to start again.
const heldFor = 15 * time.Minute

// known is what the catalog knows of keys.
type known struct {
	workers []catalogdb.Worker // seen lately
	held    map[string]bool    // fingerprints of the private keys that workers have
	fails   map[string]error   // by fingerprint: why a key that was read cannot sign
	given   []string           // as catalogdb.DB.GivenKeys has it
	now     time.Time          // by the catalog's clock
}

func readKnown(ctx context.Context, db *catalogdb.DB, now time.Time) (k known, err error) {
	k.now, k.fails = now, map[string]error{}
	if k.workers, err = db.WorkersSince(ctx, now.Add(-heldFor)); err != nil {
		return k, err
	}
	k.held = k.holds(k.workers)
	for _, w := range k.workers {
		for _, f := range w.Faults {
			if f.Key != "" && k.runs(w) {
				k.fails[f.Key] = errors.New(f.Why)
			}
		}
	}
	k.given, err = db.GivenKeys(ctx)
	return k, err
}

// holds returns the keys that workers have.
func (known) holds(workers []catalogdb.Worker) map[string]bool {
	held := map[string]bool{}
	for _, w := range workers {
		for _, f := range w.Keys {
			held[f] = true
		}
	}
	return held
}

// runs reports whether a worker is at work, as far as its signs of life show.
func (k known) runs(w catalogdb.Worker) bool {
	return !w.Ended && k.now.Sub(w.Seen) <= catalogdb.Unseen
}

// from adds what a worker knows of itself, whose announcement may be older.
func (k *known) from(name string, here []string, failing map[string]error) {
	k.workers = slices.DeleteFunc(k.workers, func(w catalogdb.Worker) bool { return w.Name == name && name != "" })
	k.workers = append(k.workers, catalogdb.Worker{Name: name, Keys: here, Seen: k.now})
	k.held = k.holds(k.workers)
	for f, err := range failing {
		k.fails[f] = err
	}
}

// givenToAll reports whether the clients of everything published were given a key.
func (k known) givenToAll(fingerprint string) bool {
	return !slices.ContainsFunc(k.given, func(keys string) bool { return !strings.Contains(keys, fingerprint) })
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

// A Wait is for keys that are to sign and that no running worker has: one that had them was seen lately, and may be about
// to start again.
type Wait struct {
	Keys  []string  // fingerprints
	Since time.Time // when a worker that had one was seen last
	Until time.Time // from when on others sign
	Then  []string  // which these are
	None  error     // why there are none, if so
	Why   error     // why running workers cannot sign with them, if they have them
}

// waiting returns for what everything waits that is to be published, or nil.
func waiting(set keys.Set, k known, signing []string) *Wait {
	w := &Wait{Keys: signing}
	var running []catalogdb.Worker
	for _, one := range k.workers {
		if k.runs(one) {
			running = append(running, one)
		}
		switch has := len(both(signing, one.Keys)) > 0; {
		case has && k.runs(one):
			return nil
		case has && one.Seen.After(w.Since):
			w.Since = one.Seen
		}
	}
	if len(running) == 0 || w.Since.IsZero() {
		return nil
	}
	for _, f := range signing {
		if err := k.fails[f]; err != nil && w.Why == nil {
			w.Why = err
		}
	}
	w.Until = w.Since.Add(heldFor)
	k.held = k.holds(running)
	w.Then, _, w.None = effective(set, k, k.now)
	return w
}

// String says what is so, and what to do.
func (w *Wait) String() string {
	then := "no key can sign"
	if len(w.Then) > 0 {
		then = "key " + strings.Join(w.Then, ", ") + " signs in its place"
	}
	why, todo := "no running worker has the private part of key %s, which is to sign", "Put it back where a worker reads it"
	if w.Why != nil {
		why, todo = "no running worker can sign with key %s, which is to sign: "+strings.ReplaceAll(w.Why.Error(), "%", "%%"), "Mend that"
	}
	return fmt.Sprintf(why+"; one that could was seen last at %s. %s, and it signs at once; from %s on, %s",
		strings.Join(w.Keys, ", "), w.Since.UTC().Format(time.RFC3339), todo, w.Until.UTC().Format(time.RFC3339), then)
}
