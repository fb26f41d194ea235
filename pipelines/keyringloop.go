package pipelines

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"repomill/pipelines/queue"
	"repomill/publish/sign"
	"repomill/schemas/catalog"
)

const (
	// maxSerial is how many versions of a keyring package a day sees without a pause: two workers that do not agree on what
	// is in it would make one after the other.
	maxSerial   = 20
	serialPause = time.Hour
	// keysAge is for how long a worker that knows older keys than those in a version leaves it at that.
	keysAge = 5 * time.Minute

	minKeyringDelay = 3 * time.Second // between two looks at a package that is under way
)

// keyrings knows which keyring packages are as they should be, and when others are tried again. The zero value is ready.
// Only the goroutine that follows the keys uses it.
type keyrings struct {
	tries map[catalog.Repository]keyringTry
}

// A keyringTry is what came of a repository's last try.
type keyringTry struct {
	stamp string // changes with what the package is made of
	done  bool
	wait
}

// due reports whether there may be something to do for a repository.
func (k *keyrings) due(r catalog.Repository, stamp string, now time.Time) bool {
	last := k.tries[r]
	return last.stamp != stamp || !last.done && !now.Before(last.until)
}

// tried notes what came of a try.
func (k *keyrings) tried(r catalog.Repository, stamp string, err error, now time.Time) {
	try := keyringTry{stamp: stamp, done: err == nil}
	if last := k.tries[r]; last.stamp == stamp {
		try.delay = 2 * last.delay
	}
	try.delay = min(max(try.delay, minKeyringDelay), sweepPeriod)
	try.until = now.Add(try.delay)
	if k.tries == nil {
		k.tries = map[catalog.Repository]keyringTry{}
	}
	k.tries[r] = try
}

// errUnderWay says that a keyring package is being published.
var errUnderWay = errors.New("it is under way")

// makeKeyrings makes the keyring packages of repositories that want one, and puts them into staging: they are published as
// what anybody pushes. Whatever ended before it was done is gone on with.
func (d *Dispatcher) makeKeyrings(ctx context.Context) {
	r := d.Resources
	source, signer, stamp, ok := r.keyringSource()
	if !ok {
		return
	}
	revisions, err := r.Catalog.KeyringRepositories(ctx)
	if err != nil && ctx.Err() == nil {
		r.Log.Error("keyring packages not looked after", "error", err)
	}
	m := keyringMaker{r: r, source: source, signer: signer, enqueue: func(u catalog.Upload) { d.enqueue(ctx, queue.Event{Upload: u}) }}
	for repository, revision := range revisions {
		stamp := stamp + revision.String()
		if ctx.Err() != nil || !d.keyrings.due(repository, stamp, time.Now()) {
			continue
		}
		err := m.make(ctx, repository)
		d.keyrings.tried(repository, stamp, err, time.Now())
		if err != nil && !errors.Is(err, errUnderWay) && ctx.Err() == nil {
			r.Log.Error("keyring package not made; tried again soon", "repository", repository.String(), "error", err)
		}
	}
}

// fingerprintsOf returns the keys that [publish.Keys.Given] names, without the times at which they were extended.
func fingerprintsOf(given string) []string {
	all := strings.Split(given, "+")
	for i, name := range all {
		all[i], _, _ = strings.Cut(name, "@")
	}
	return all
}

// keyringSource returns what keyring packages are made of, and the key that signs them. Without that key here it is the
// business of other workers.
func (r *Resources) keyringSource() (k keyringSource, signer *sign.Signer, stamp string, ok bool) {
	if _, known := r.KeyState(); !known || r.Staging == nil || r.lacksKeys() {
		return k, nil, "", false
	}
	r.keys.mu.Lock()
	defer r.keys.mu.Unlock()
	if signer = r.keys.signer.Only(r.keys.signing[:1]); signer == nil {
		return k, nil, "", false
	}
	described, err := signer.Keys()
	if err != nil {
		return k, nil, "", false
	}
	given := r.keys.current.Given()
	k = keyringSource{table: r.Ingester.Table, url: r.Config.PublicURL, public: r.keys.current.Public(), given: fingerprintsOf(given),
		revision: r.keys.set.Revision, algorithm: described[0].Algorithm, repo: r.Publisher.RepoFile}
	return k, signer, fmt.Sprintf("%s %d %s ", given, r.keys.set.Revision, described[0].Fingerprint), true
}
