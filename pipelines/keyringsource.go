package pipelines

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"repomill/schemas/catalog"
)

const (
	// maxSerial is how many versions of a keyring package a day sees without a pause: two workers that do not agree on what
	// is in it would make one after the other.
	maxSerial   = 20
	serialPause = time.Hour
	// keysAge is for how long a worker that knows older keys than those in a version leaves it at that.
	keysAge = 5 * time.Minute
)

// ErrUnderWay says that a keyring package is being published.
var ErrUnderWay = errors.New("it is under way")

// fingerprintsOf returns the keys that [publish.Keys.Given] names, without the times at which they were extended.
func fingerprintsOf(given string) []string {
	all := strings.Split(given, "+")
	for i, name := range all {
		all[i], _, _ = strings.Cut(name, "@")
	}
	return all
}

// KeyringMaker returns what makes keyring packages and calls enqueue with each that it puts into staging, and a stamp that changes
// with what they are made of. Without the key that signs them here, ok is false: other workers make them.
func (r *Resources) KeyringMaker(enqueue func(catalog.Upload)) (m KeyringMaker, stamp string, ok bool) {
	if _, known := r.KeyState(); !known || r.Staging == nil || r.LacksKeys() {
		return m, "", false
	}
	r.keys.mu.Lock()
	defer r.keys.mu.Unlock()
	signer := r.keys.signer.Only(r.keys.signing[:1])
	if signer == nil {
		return m, "", false
	}
	described, err := signer.Keys()
	if err != nil {
		return m, "", false
	}
	given := r.keys.current.Given()
	source := keyringSource{table: r.Ingester.Table, url: r.Config.PublicURL, public: r.keys.current.Public(), given: fingerprintsOf(given),
		revision: r.keys.set.Revision, algorithm: described[0].Algorithm, repo: r.Publisher.RepoFile}
	m = KeyringMaker{r: r, source: source, signer: signer, enqueue: enqueue}
	return m, fmt.Sprintf("%s %d %s ", given, r.keys.set.Revision, described[0].Fingerprint), true
}
