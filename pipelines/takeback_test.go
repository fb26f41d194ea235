package pipelines_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"repomill/pipelines/objects"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
	"repomill/testdata/debtest"
	"repomill/testdata/rpmtest"
)

// A copyFault is a bucket of which one write of packages fails: the store did it all the same, or did not.
type copyFault struct {
	objects.Bucket
	op     string // "Copy" or "Delete"
	stored bool

	mu *sync.Mutex
	n  *int // how many writes of the kind pass before
}

func (b copyFault) fails(op, key string) bool {
	if op != b.op || strings.HasPrefix(key, ".") {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	*b.n--
	return *b.n == -1
}

func (b copyFault) Copy(ctx context.Context, from string, to layout.Object) error {
	if !b.fails("Copy", to.Key) {
		return b.Bucket.Copy(ctx, from, to)
	}
	if b.stored {
		if err := b.Bucket.Copy(ctx, from, to); err != nil {
			return err
		}
	}
	return errFault
}

func (b copyFault) Delete(ctx context.Context, key string, v layout.Version) error {
	if !b.fails("Delete", key) {
		return b.Bucket.Delete(ctx, key, v)
	}
	if b.stored {
		if err := b.Bucket.Delete(ctx, key, v); err != nil {
			return err
		}
	}
	return errFault
}

// failing has one write of a kind fail after n others, until the returned function is called, which reports whether it failed.
func (s *site) failing(op string, n int, stored bool) (end func() bool) {
	bucket, left := s.Resources.Bucket, n
	b := copyFault{bucket, op, stored, &sync.Mutex{}, &left}
	s.Resources.Bucket, s.Ingester.Bucket = b, b
	return func() bool {
		s.Resources.Bucket, s.Ingester.Bucket = bucket, bucket
		return left < 0
	}
}

// A train under embargo that fails after some of its copies were made, and is refused, leaves none under a public key, whichever write of the
// copies or of taking them back fails, in both ways. It can be published after that.
func TestL1CopiesOfARefusedTrainAreTakenBack(t *testing.T) {
	t.Parallel()
	s := newSite(t, runDirect)
	s.declare(el9)
	s.declare(release("acme/tools/el/9/aarch64"))
	s.ingest(s.batch(s.put("acme/tools/el/9/x86_64/old.rpm", rpmtest.Build(t, rpmtest.Spec{Name: "old", Arch: "x86_64"}))))
	s.push(jammy, debtest.Spec{Name: "old"})
	const files = 3 // of each train: a .deb, and a noarch package in two directories
	round := 0
	for _, fault := range []struct {
		op     string
		stored bool
	}{{"Copy", true}, {"Delete", false}, {"Delete", true}} { // a copy that was not made is one less
		for n := 0; ; n++ {
			round++
			if met := s.takenBack(round, fault.op, n, fault.stored); !met {
				if n < files {
					t.Fatalf("%+v: %d writes failed, want at least %d", fault, n, files)
				}
				break
			}
		}
	}
}

// takenBack holds a train, has it fail and be refused, and then publishes it. It reports whether the fault was met.
func (s *site) takenBack(round int, op string, n int, stored bool) (met bool) {
	s.t.Helper()
	ctx, t := s.t.Context(), s.t
	what := fmt.Sprintf("%s %d, stored: %v", op, n, stored)
	name := catalog.TrainName{Owner: "acme", Name: fmt.Sprintf("t%d", round)}
	staged := func(place, file string) string {
		return layout.EmbargoedStaging(fmt.Sprintf("%s/@%s+%s~%s", place, layout.NewID(), name.Name, file))
	}
	uploads := []catalog.Upload{
		s.put(staged("acme/tools/ubuntu/jammy", "a.deb"), debtest.Build(t, debtest.Spec{Name: fmt.Sprintf("deb%d", round), Arch: "amd64"})),
		s.put(staged("acme/tools/el/9", "a.rpm"), rpmtest.Build(t, rpmtest.Spec{Name: fmt.Sprintf("rpm%d", round), Arch: "noarch"})),
	}
	s.ingest(s.batch(uploads...))
	s.wantStates("held", uploads...)
	before := s.public()
	s.must(s.Catalog.AskTrain(ctx, name, catalogdb.TrainAsk{}))
	_, members, err := s.Catalog.Train(ctx, name)
	s.must(err)

	// Some copies are made; then a process dies before the commit, and the file of one package is lost.
	end := s.failing("Copy", n, stored)
	if op != "Copy" {
		end()
		end = s.failing("Copy", 2, true) // all copies but one, or all
	}
	_, failed := s.PublishTrain(ctx, name)
	if met = end(); !met {
		s.must(failed)
		return false // all copies were made: the train is published
	}
	if failed == nil {
		t.Errorf("%s: the train was published", what)
	}
	var hidden string
	for _, m := range members {
		if m.Package.Format == catalog.DEB {
			hidden = s.pathOf(layout.EmbargoKey(m.Package.Embargo))
		}
	}
	lost, err := os.ReadFile(hidden)
	s.must(err)
	s.must(os.Remove(hidden))
	_, err = s.PublishTrain(ctx, name) // refuses it
	s.must(err)
	if op == "Delete" {
		end := s.failing(op, n, stored)
		_, failed := s.PublishTrain(ctx, name)
		if met = end(); met != (failed != nil) {
			t.Errorf("%s: the fault was met: %v; %v", what, met, failed)
		}
	}
	for range 2 {
		_, err = s.PublishTrain(ctx, name)
		s.must(err)
	}
	state, err := s.Catalog.TrainState(ctx, name)
	if s.must(err); state.State != catalog.TrainOpen || state.Copying || state.TakingBack || state.NotBefore != nil || len(state.Faults) == 0 {
		t.Errorf("%s: the train is %+v", what, state)
	}
	if diff := cmp.Diff(before, s.public()); diff != "" {
		t.Errorf("%s: public objects (-before +after):\n%s", what, diff)
	}
	s.wantStates("held", uploads...)

	s.must(os.WriteFile(hidden, lost, 0o644))
	s.must(s.Catalog.AskTrain(ctx, name, catalogdb.TrainAsk{}))
	_, err = s.PublishTrain(ctx, name)
	s.must(err)
	if got := len(s.public()) - len(before); got != 3 {
		t.Errorf("%s: %d files became public afterwards, want 3", what, got)
	}
	return met
}

// public returns the keys of the packages in the bucket that lie under public keys.
func (s *site) public() []string {
	var keys []string
	for key := range maps.Keys(s.files()) {
		if strings.HasPrefix(key, "acme/") && (strings.HasSuffix(key, ".deb") || strings.HasSuffix(key, ".rpm")) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}
