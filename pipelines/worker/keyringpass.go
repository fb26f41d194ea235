package worker

import (
	"context"
	"errors"
	"time"

	"repomill/pipelines"
	"repomill/pipelines/queue"
	"repomill/schemas/catalog"
)

// minKeyringDelay is between two looks at a keyring package that is under way, at first.
const minKeyringDelay = 3 * time.Second

// keyrings knows which keyring packages are as they should be, and when others are tried again. The zero value is ready.
// Only the goroutine that follows the keys uses it.
type keyrings struct {
	tries map[catalog.Repository]keyringTry
}

// A keyringTry is the outcome of a repository's last try.
type keyringTry struct {
	stamp string // changes with the content of the package
	done  bool
	wait
}

// due reports whether there may be something to do for a repository.
func (k *keyrings) due(r catalog.Repository, stamp string, now time.Time) bool {
	last := k.tries[r]
	return last.stamp != stamp || !last.done && !now.Before(last.until)
}

// tried records the outcome of a try.
func (k *keyrings) tried(r catalog.Repository, stamp string, err error, now time.Time) {
	try := keyringTry{stamp: stamp, done: err == nil}
	if last := k.tries[r]; last.stamp == stamp {
		try.wait = last.wait
	}
	try.wait = try.longer(minKeyringDelay, now)
	if k.tries == nil {
		k.tries = map[catalog.Repository]keyringTry{}
	}
	k.tries[r] = try
}

// makeKeyrings makes the keyring packages of repositories that want one, and puts them into staging: they are published as
// pushed packages are. One that was left unfinished is continued.
func (d *Dispatcher) makeKeyrings(ctx context.Context) {
	r := d.Resources
	m, stamp, ok := r.KeyringMaker(func(u catalog.Upload) { d.enqueue(ctx, queue.Event{Upload: u}) })
	if !ok {
		return
	}
	revisions, err := r.Catalog.KeyringRepositories(ctx)
	if err != nil && ctx.Err() == nil {
		r.Log.Error("keyring packages not looked after", "error", err)
	}
	for repository, revision := range revisions {
		stamp := stamp + revision.String()
		if ctx.Err() != nil || !d.keyrings.due(repository, stamp, time.Now()) {
			continue
		}
		err := m.Make(ctx, repository)
		d.keyrings.tried(repository, stamp, err, time.Now())
		if err != nil && !errors.Is(err, pipelines.ErrUnderWay) && ctx.Err() == nil {
			r.Log.Error("keyring package not made; tried again soon", "repository", repository.String(), "error", err)
		}
	}
}
