package publish_test

import (
	"math/rand/v2"
	"testing"

	"repomill/publish"
	"repomill/schemas/catalog"
	"repomill/schemas/gzipmember"
)

// prepareInShards does what workers do, in an order of its own, and some of it twice.
func (w *world) prepareInShards(p *publish.Publisher, r catalog.Release, size int, random *rand.Rand) (done publish.Prepared, ok bool) {
	w.t.Helper()
	shards, err := p.Shards(w.t.Context(), r, "job", size)
	if err != nil {
		w.t.Fatal(err)
	}
	shards = append(shards, shards[0])
	parts := map[int][]publish.Part{}
	for _, i := range random.Perm(len(shards)) {
		some, err := p.RenderShard(w.t.Context(), shards[i])
		if err != nil {
			w.t.Fatal(err)
		}
		for _, part := range some {
			parts[part.Index] = append(parts[part.Index], part)
		}
	}
	s := shards[0]
	done = publish.Prepared{Release: s.Release, Revision: s.Revision, Nonce: s.Nonce, Packages: s.Packages}
	for i := range len(parts) {
		made, ok, err := p.Assemble(w.t.Context(), parts[i])
		if err != nil {
			w.t.Fatal(err)
		}
		if !ok {
			return done, false
		}
		done.Indexes = append(done.Indexes, made)
	}
	return done, true
}

// worker returns a publisher that has no key.
func (w *world) worker() *publish.Publisher {
	c := w.config()
	c.Signer = nil
	return newPublisher(w.t, c)
}

// What workers make in shards, and what one of them prepares whole, has the bytes of any other rendering.
func TestPreparedReleasesHaveTheSameBytes(t *testing.T) {
	skipUnderRace(t)
	for seed, r := range []catalog.Release{jammy, el9} {
		simulate(t, func(t *testing.T, w *world) {
			w.declare(jammy, "contrib")
			h := &history{w: w, r: r, random: rand.New(rand.NewPCG(uint64(seed), 9)), arches: []string{"amd64", "arm64", "all"}, biggest: gzipmember.Oversized + 1}
			if r.Arch != "" {
				h.arches = []string{r.Arch, "noarch"}
			}
			w.push(h.some(20)...)
			h.biggest = 0
			w.push(h.some(700)...)
			whole := w.worker()
			one, err := whole.Prepare(t.Context(), r)
			if err != nil {
				t.Fatal(err)
			}
			for _, size := range []int{1, 100, 10_000} {
				got, ok := w.prepareInShards(w.worker(), r, size, h.random)
				if !ok {
					t.Fatal("stale")
				}
				if got.Packages != one.Packages || len(got.Indexes) != len(one.Indexes) {
					t.Fatalf("shards of %d: got %+v, want %+v", size, got, one)
				}
				for i, x := range got.Indexes {
					if x != one.Indexes[i] {
						t.Errorf("shards of %d: got %+v, want %+v", size, x, one.Indexes[i])
					}
				}
			}
			if got, err := w.publisher().ReleasePrepared(t.Context(), r, one); err != nil || !got.Changed || got.Packages != 720 {
				t.Errorf("got %+v, %v", got, err)
			}
			if got := w.reindex(r, publish.Reindexing{DryRun: true, Prepared: &one}); got.Different {
				t.Errorf("got %+v", got)
			}
			if got := w.reindex(r, publish.Reindexing{DryRun: true}); got.Different {
				t.Errorf("rendered anew: %+v", got)
			}
		})
	}
}

// What was prepared of rows that have changed since is not published.
func TestStalePreparationsAreLeftAside(t *testing.T) {
	for _, r := range []catalog.Release{jammy, el9} {
		simulate(t, func(t *testing.T, w *world) {
			w.push(w.some(r, "one"))
			worker := w.worker()
			prepared, err := worker.Prepare(t.Context(), r)
			if err != nil {
				t.Fatal(err)
			}
			if err := worker.RecordPrepared(t.Context(), "job", prepared); err != nil {
				t.Fatal(err)
			}
			shards, err := worker.Shards(t.Context(), r, "job", 100)
			if err != nil {
				t.Fatal(err)
			}
			found, err := w.publisher().FindPrepared(t.Context(), r, "job")
			if err != nil || found == nil || found.Nonce != prepared.Nonce {
				t.Errorf("found %+v, %v", found, err)
			}
			if found, err := w.publisher().FindPrepared(t.Context(), r, "other"); found != nil || err != nil {
				t.Errorf("found %+v, %v; want nothing of another job", found, err)
			}
			w.push(w.some(r, "two"))
			if found, err := w.publisher().FindPrepared(t.Context(), r, "job"); found != nil || err != nil {
				t.Errorf("found %+v, %v; want nothing for the new revision", found, err)
			}
			for _, s := range shards {
				parts, err := worker.RenderShard(t.Context(), s)
				if err != nil {
					t.Fatal(err)
				}
				if _, ok, err := worker.Assemble(t.Context(), parts[:1]); ok || err != nil {
					t.Errorf("assembled from a stale part: %t, %v", ok, err)
				}
			}
			if _, err := w.publisher().ReleasePrepared(t.Context(), r, prepared); err != nil {
				t.Fatal(err)
			}
			if got := w.check(r); got.Packages != 2 {
				t.Errorf("%d packages are published, want 2", got.Packages)
			}
		})
	}
}

// A worker has no key, and says so.
func TestWorkersDoNotPublish(t *testing.T) {
	w := newWorld(t)
	w.push(w.some(jammy, "one"))
	if _, err := w.worker().Release(t.Context(), jammy); err == nil {
		t.Error("published without a key")
	}
	if _, err := w.worker().Reindex(t.Context(), jammy, publish.Reindexing{}); err == nil {
		t.Error("reindexed without a key")
	}
}
