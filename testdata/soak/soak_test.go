package soak_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"repomill/schemas/catalog"
)

// A soaking is one configuration under fire.
type soaking struct {
	site    *site
	ledger  *ledger
	judge   *judge
	pusher  *pusher
	manager *manager

	kills, commandKills, freezes     atomic.Int64 // what was done to programs
	excuses                          atomic.Int64 // commands that failed because a server was down
	reads, pointers, objects, rounds atomic.Int64 // of the reader
	gpgvs, checks, commands          atomic.Int64 // of the other judges
	yanks, unyanks, reindexes        atomic.Int64 // of the operator, that have ended
	resolverKills                    atomic.Int64 // of the resolver, if it is a process of its own
	watched                          atomic.Int64 // pointers that were read besides, to judge their order
	clientReads, clientFiles         atomic.Int64 // of apt and dnf
	given                            atomic.Int64 // uploads that were given up as poison, and pushed again
	quiet                            atomic.Bool  // nothing new is begun

	registers registers
	states    int // that were published, of all releases

	mu     sync.Mutex
	phases map[string]int  // what kills interrupted
	left   map[string]bool // uploads that a kill interrupted
}

// source returns random numbers for one of those who act on a site.
func (k *soaking) source(actor uint64) *rand.Rand {
	return rand.New(rand.NewPCG(*seed, actor*1000+uint64(len(k.site.name))))
}

// soak kills the daemons of a site n times, and judges.
func soak(t *testing.T, s *site, n int, all *results) {
	j := newJudge(t.Errorf)
	k := &soaking{site: s, judge: j, ledger: newLedger(j), phases: map[string]int{}, left: map[string]bool{}}
	k.pusher = &pusher{soaking: k, rand: k.source(1), moved: make(chan struct{})}
	k.manager = newManager(k)
	life := newLifeReader(k, k.manager)
	g, err := newGPGV(k)
	if err != nil {
		t.Fatal(err)
	}
	r := &reader{soaking: k, rand: k.source(2), seen: map[catalog.Release]*view{}, kept: map[string]fact{}, gpgv: g}
	k.begin(t)
	begin := time.Now()
	stopReading := k.background(t, r.run, life.run, (&checker{k}).run, k.verdicts, k.progress, k.watch, newClients(t, k).run)
	k.kill(t, n)
	killed := time.Since(begin)
	lost := k.await(t)
	stopReading()
	life.final(t)
	k.wantLinearizable(t)
	k.final(t, r)
	all.add(k, killed, time.Since(begin), lost)
}

// begin starts the daemons, and publishes a package in each release, undisturbed. From here on all releases can be
// read, so that what cannot be read is missing.
func (k *soaking) begin(t *testing.T) {
	t.Helper()
	for _, d := range k.site.daemons {
		if err := d.start(); err != nil {
			t.Fatal(err)
		}
	}
	if err := k.pusher.first(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := k.manager.seed(); err != nil {
		t.Fatal(err)
	}
	if err := k.site.door.await(t.Context()); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(5 * time.Minute); len(k.ledger.waiting()) > 0; pause(t.Context(), 100*time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the first packages have no verdicts: %v", k.ledger.waiting())
		}
		if err := k.askAll(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// kill kills while packages are pushed and withdrawn, and returns when no more of that goes on.
func (k *soaking) kill(t *testing.T, n int) {
	t.Helper()
	stopWork := k.background(t, k.pusher.run, (&operator{k, k.source(3)}).run, k.manager.run)
	var killing errgroup.Group
	for i, d := range k.site.daemons {
		share := n / len(k.site.daemons)
		if i == 0 {
			share += n % len(k.site.daemons)
		}
		killing.Go(func() error {
			return (&killer{k, d, i * perLongFreeze / 2, k.source(10 + uint64(i))}).run(t.Context(), share)
		})
	}
	stopServers := k.background(t, func(ctx context.Context) error { return k.killServers(ctx, k.source(30)) },
		func(ctx context.Context) error { return k.killResolver(ctx, k.source(31)) })
	err := killing.Wait()
	for end := time.Now().Add(maxMore); err == nil && patient() && !k.manager.complete() && time.Now().Before(end); {
		pause(t.Context(), time.Duration(2+k.source(20).IntN(6))*time.Second)
		err = (&killer{k, k.site.daemons[0], 4, k.source(uint64(k.kills.Load()))}).run(t.Context(), 1)
	}
	stopServers()
	stopWork()
	for _, d := range k.site.daemons {
		err = errors.Join(err, d.awaitReady())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// maxMore is how long a long soak goes on killing until the manager has done everything once.
const maxMore = 10 * time.Minute

// background starts what goes on until stop is called, which returns when all of it has ended.
func (k *soaking) background(t *testing.T, what ...func(context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	for _, f := range what {
		running.Go(func() {
			if err := f(ctx); err != nil {
				t.Errorf("the soak itself: %v", err)
			}
		})
	}
	stop = sync.OnceFunc(func() { cancel(); running.Wait() })
	t.Cleanup(stop)
	return stop
}

// progress reports the progress of a long soak.
func (k *soaking) progress(ctx context.Context) error {
	for pause(ctx, time.Minute); ctx.Err() == nil; pause(ctx, time.Minute) {
		k.site.t.Logf("%d kills, %d pointers, %d uploads without a verdict, %d violations", k.kills.Load(), k.pointers.Load(), len(k.ledger.waiting()), k.judge.total())
	}
	return nil
}
