package pipelines_test

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"slices"
	"sync"
	"testing"
	"time"

	"repomill/schemas/catalog"
	"repomill/testdata/proctest"
	"repomill/testdata/rpmtest"
	"repomill/testdata/s3test"
)

// A client reads a release again and again while it changes.
type client struct {
	*site
	r     catalog.Release
	reads int
	last  int64  // revision
	most  int    // packages
	stop  func() // may be called again
}

// watchAsClient has a client fail the test if it ever finds something that is missing or torn, or if a revision
// or the number of packages falls.
func (s *site) watchAsClient(r catalog.Release) *client {
	stopped, done := make(chan struct{}), make(chan struct{})
	c := &client{site: s, r: r, stop: sync.OnceFunc(func() { close(stopped); <-done })}
	s.t.Cleanup(c.stop)
	go func() {
		defer close(done)
		for {
			c.look()
			select {
			case <-stopped:
				return
			case <-time.After(50 * time.Millisecond):
			}
		}
	}()
	return c
}

func (c *client) look() {
	got, problems, err := c.read(c.r)
	if errors.Is(err, fs.ErrNotExist) && c.reads == 0 {
		return
	}
	if problems = withoutPairs(problems); err != nil || len(problems) > 0 {
		c.t.Errorf("%s: a client finds %v, %v", c.r, problems, err)
	}
	if got.Revision.Number < c.last || got.Packages < c.most {
		c.t.Errorf("%s went from revision %d with %d packages to %d with %d", c.r, c.last, c.most, got.Revision.Number, got.Packages)
	}
	c.reads, c.last, c.most = c.reads+1, got.Revision.Number, got.Packages
}

// Two workers, each with its own connections, share a subscription while CI goes on pushing. One package,
// which S3 does not take, delays no other.
func TestProductionTwoWorkers(t *testing.T) {
	t.Parallel()
	p := newProduction(t, s3test.Start(t))
	cfg := p.Config
	cfg.MaxPackageSize-- // another configuration has resources of its own
	other := openSite(t, "", cfg, runDirect)
	heal := p.s3.Fail(s3test.PutObject, p.path("acme/tools/ubuntu/pool/jammy/main/b/broken0000/broken0000_1.0_amd64.deb"), s3test.Lost, s3test.Always)
	broken, good := p.putDebs(jammy, "broken", 1), p.putDebs(jammy, "before", 20)
	c := p.watchAsClient(jammy)
	start := time.Now()
	stopHere, stopThere := p.serve(p.source(), grace), other.serve(p.source(), grace)
	good = append(good, p.putDebs(jammy, "while", 20)...)
	good = append(good, p.putDebs(noble, "while", 5)...)
	good = append(good, p.put("acme/tools/el/9/noarch.rpm", rpmtest.Build(t, rpmtest.Spec{Arch: "noarch"})))
	proctest.Eventually(t, "all others are published", func() bool { return p.allAre("published", good) })
	t.Logf("%d uploads in %s, %d publishes of %s", len(good), time.Since(start).Round(time.Millisecond), p.publishes(jammy), jammy)
	p.wantStates("received", broken...)
	heal()
	proctest.Eventually(t, "the broken one is published", func() bool { return p.allAre("published", broken) })
	c.stop()
	t.Logf("a client read it %d times", c.reads)
	wantStopped(t, stopHere)
	wantStopped(t, stopThere)
	p.wantRelease(jammy, 41)
	p.wantRelease(noble, 5)
	p.wantRelease(el9, 1)
	if recent, err := p.Catalog.Recent(t.Context(), "", 100); err != nil || len(recent) != len(good)+1 {
		t.Errorf("%d uploads were recorded, %v", len(recent), err)
	}
}

// A noarch package is published when all its releases are. Until then its event is not acknowledged.
func TestProductionNoarchWaitsForAllItsReleases(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("long")
	}
	p := newProduction(t, s3test.Start(t))
	tried := make(chan struct{})
	pointer := p.path("acme/tools/el/9/x86_64/repodata/repomd.xml")
	p.s3.FailThen(s3test.PutObject, pointer, s3test.Lost, func() { close(tried) })
	heal := p.s3.Fail(s3test.PutObject, pointer, s3test.Lost, s3test.Always)
	var u catalog.Upload
	ids := p.say(p.silently(func() {
		u = p.put("acme/tools/el/9/noarch.rpm", rpmtest.Build(t, rpmtest.Spec{Arch: "noarch"}))
	}))
	stop := p.serve(p.source(), grace)
	<-tried
	proctest.Eventually(t, "its other release is published", func() bool { _, _, err := p.read(aarch64); return err == nil })
	p.wantRelease(aarch64, 1)
	p.wantStates("stored", u)
	if v, acks := p.verdict(u.Object), p.pubsub.Message(ids[0]).Acks; v.State.Final() || acks != 0 {
		t.Errorf("the uploader is told %q, and the event was acknowledged %d times", v.State, acks)
	}
	heal()
	// If the release has failed for good, it is due again with the next push, or in ten seconds.
	next := p.put("acme/tools/el/9/next.rpm", rpmtest.Build(t, rpmtest.Spec{Name: "next"}))
	proctest.Eventually(t, "both are published", func() bool { return p.allAre("published", []catalog.Upload{u, next}) })
	p.wantAcked(ids)
	wantStopped(t, stop)
	p.wantVerdict(u, catalog.Published)
	p.wantRelease(el9, 2)
}

// While one release cannot be published, others are.
func TestProductionReleasesDoNotWaitForEachOther(t *testing.T) {
	t.Parallel()
	p := newProduction(t, s3test.Start(t))
	reached, open := make(chan struct{}), make(chan struct{})
	hold := func() { close(reached); <-open }
	p.s3.FailThen(s3test.PutObject, p.path("acme/tools/ubuntu/dists/jammy/InRelease"), s3test.Lost, hold)
	held, free := p.putDebs(jammy, "held", 2), p.putDebs(noble, "free", 2)
	stop := p.serve(p.source(), grace)
	letGo := sync.OnceFunc(func() { close(open) })
	t.Cleanup(letGo) // comes before the dispatcher's
	<-reached
	proctest.Eventually(t, "the others are published", func() bool { return p.allAre("published", free) })
	p.wantStates("stored", held...)
	late := p.putDebs(noble, "late", 1)
	proctest.Eventually(t, "a late one is published", func() bool { return p.allAre("published", late) })
	p.wantStates("stored", held...)
	letGo()
	proctest.Eventually(t, "all are published", func() bool { return p.allAre("published", held) })
	wantStopped(t, stop)
	p.wantRelease(jammy, 2)
	p.wantRelease(noble, 3)
}

// While pushes trickle in, each release is published once a second at most, and once more.
func TestProductionPublishesOnceASecond(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("long")
	}
	p := newProduction(t, s3test.Start(t))
	stop := p.serve(p.source(), grace)
	var uploads []catalog.Upload
	start := time.Now()
	for i := range 12 {
		uploads = append(uploads, p.putDebs(jammy, fmt.Sprintf("tick%02d-", i), 1)...)
		uploads = append(uploads, p.putDebs(noble, fmt.Sprintf("tick%02d-", i), 1)...)
		time.Sleep(200 * time.Millisecond)
	}
	// A message that the server loses on its way to the worker comes again after a minute, which need not pass.
	lost := time.AfterFunc(20*time.Second, func() { p.pubsub.Advance(2 * time.Minute) })
	defer lost.Stop()
	proctest.Eventually(t, "all are published", func() bool { return p.allAre("published", uploads) })
	took := time.Since(start)
	wantStopped(t, stop)
	for _, r := range []catalog.Release{jammy, noble} {
		p.wantRelease(r, 12)
		n, most := p.publishes(r), 1+int(math.Ceil(took.Seconds()))
		t.Logf("%s was published %d times within %s", r, n, took.Round(time.Millisecond))
		if n > most {
			t.Errorf("%s was published %d times, want %d at most", r, n, most)
		}
	}
}

// A worker that has to end while S3 does not answer ends in time, and leaves its events and leases to
// the next one.
func TestProductionShutdownWhileS3Hangs(t *testing.T) {
	t.Parallel()
	p := newProduction(t, s3test.Start(t))
	reached, open := make(chan struct{}), make(chan struct{})
	hold := func() { close(reached); <-open }
	p.s3.FailThen(s3test.PutObject, p.path("acme/tools/ubuntu/pool/jammy/main/s/slow0000/slow0000_1.0_amd64.deb"), s3test.Lost, hold)
	letGo := sync.OnceFunc(func() { close(open) })
	t.Cleanup(letGo)
	var uploads []catalog.Upload
	ids := p.say(p.silently(func() { uploads = p.putDebs(jammy, "slow", 3) }))
	stop := p.serve(p.source(), 200*time.Millisecond)
	<-reached
	proctest.Eventually(t, "all events are delivered", func() bool {
		return !slices.ContainsFunc(ids, func(id string) bool { return p.pubsub.Message(id).Deliveries == 0 })
	})
	time.Sleep(200 * time.Millisecond) // they are on their way; one that is lost there comes again after a minute
	wantStopped(t, stop)
	p.wantStates("received", uploads[0])
	if free, err := p.Catalog.Unfinished(t.Context(), p.Staging.Name(), time.Now(), 10); err != nil || len(free) == 0 {
		t.Errorf("no lease was given back, %v", err)
	}
	letGo()
	stop = p.serve(p.source(), grace)
	proctest.Eventually(t, "the next one publishes all", func() bool { return p.allAre("published", uploads) })
	p.pubsub.Advance(2 * time.Minute) // what was delivered to the dying worker comes again a minute later
	p.wantAcked(ids)
	wantStopped(t, stop)
	p.wantRelease(jammy, 3)
}
