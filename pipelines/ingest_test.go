package pipelines_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/runners/vet"
	"github.com/google/go-cmp/cmp"

	"repomill/pipelines"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
	"repomill/testdata/debtest"
	"repomill/testdata/rpmtest"
)

// What is not registered works in this process and fails on a worker. Calls by reflection are meant ([registerDoFn]).
func TestPipelinesAreRegistered(t *testing.T) {
	for name, build := range map[string]func(beam.Scope){
		"ingest": func(s beam.Scope) { pipelines.Ingest(s, pipelines.Config{}, beam.Create(s, pipelines.Batch{})) },
		"prepare": func(s beam.Scope) {
			pipelines.Prepare(s, pipelines.Config{}, "job", pipelines.Behind(s, pipelines.Config{}, beam.Create(s, "acme/tools")))
		},
		"prepare whole": func(s beam.Scope) {
			pipelines.PrepareWhole(s, pipelines.Config{}, "job", beam.Create(s, jammy.String()))
		},
		"reindex": func(s beam.Scope) {
			pipelines.Reindex(s, pipelines.Config{}, pipelines.ReindexJob{}, beam.Create(s, jammy.String()))
		},
	} {
		p, s := beam.NewPipelineWithRoot()
		build(s)
		found, err := vet.Evaluate(t.Context(), p)
		if err != nil || !found.AllExported() || found.RequiresRegistrations() {
			t.Errorf("%s: exported %t, registrations are missing: %t, %v", name, found.AllExported(), found.RequiresRegistrations(), err)
		}
	}
}

// A batch with one of each kind: no upload suffers from another, and all good ones are published at once.
func TestIngest(t *testing.T) {
	onEachRunner(t, func(t *testing.T, run runner) {
		s := newSite(t, run)
		s.guard(func(_ context.Context, key string) error {
			switch {
			case strings.Contains(key, "fault"):
				return errFault
			case strings.Contains(key, "bug"):
				panic("a mistake of our own")
			}
			return nil
		})
		good := append(s.putDebs(jammy, "good", 3),
			s.put("acme/tools/el/9/hello.rpm", rpmtest.Build(t, rpmtest.Spec{})),
			s.put("acme/tools/el/9/noarch.rpm", rpmtest.Build(t, rpmtest.Spec{Name: "noarch", Arch: "noarch"})))
		copied := s.put("acme/tools/ubuntu/jammy/copy.deb", deb(t, "good0001"))
		garbage := s.put("acme/tools/ubuntu/jammy/garbage.deb", []byte("garbage"))
		truncated := s.put("acme/tools/ubuntu/jammy/truncated.deb", deb(t, "truncated")[:300])
		faulted := s.put("acme/tools/ubuntu/jammy/fault.deb", deb(t, "fault"))
		panicked := s.put("acme/tools/ubuntu/jammy/bug.deb", deb(t, "bug"))
		s.ingest(s.batch(append(good, copied, garbage, truncated, faulted, panicked)...))

		s.wantStates("rejected not-a-package", garbage)
		s.wantStates("rejected truncated", truncated)
		s.wantStates("received", faulted, panicked)
		for _, u := range []catalog.Upload{garbage, truncated} {
			s.wantVerdict(u, catalog.Rejected)
		}
		if v := s.verdict(faulted.Object); v.State != "" {
			t.Errorf("a fault has the verdict %q", v.State)
		}
		original := good[1]
		if s.state(copied) == "published" { // they are alike: either may be first
			original, copied = copied, original
		}
		good[1] = original
		s.wantStates("published", good...)
		s.wantStates("duplicate", copied)
		for _, u := range good {
			s.wantVerdict(u, catalog.Published)
		}
		s.wantVerdict(copied, catalog.Duplicate)
		for r, packages := range map[catalog.Release]int{jammy: 3, el9: 2, release("acme/tools/el/9/aarch64"): 1, release("acme/tools/el/9/SRPMS"): 0} {
			if n := s.publishes(r); n != 1 {
				t.Errorf("%s was published %d times", r, n)
			}
			s.wantRelease(r, packages)
		}
	})
}

// A verdict says where to look for what it promises.
func TestVerdict(t *testing.T) {
	onEachRunner(t, func(t *testing.T, run runner) {
		s := newSite(t, run)
		u := s.put("acme/tools/ubuntu/jammy/hello.deb", debtest.Build(t, debtest.Spec{Arch: "amd64"}))
		s.ingest(s.batch(u))
		got := s.verdict(u.Object)
		want := catalog.Verdict{
			Object: u.Object, Generation: u.Generation, State: catalog.Published, Size: u.Size, Package: "hello 1.0 amd64",
			Key: "acme/tools/ubuntu/pool/jammy/main/h/hello/hello_1.0_amd64.deb", Checked: catalog.CheckedStructure,
			Releases: []catalog.VerdictRelease{{Release: jammy.String(), Revision: 2, Pointer: "http://packages.example.org/acme/tools/ubuntu/dists/jammy/InRelease"}},
			SHA256:   got.SHA256, Received: got.Received, Finished: got.Finished,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("verdict (-want +got):\n%s", diff)
		}
		if len(got.SHA256) != 64 || got.Received.IsZero() || got.Finished == nil || got.Finished.Before(got.Received) {
			t.Errorf("got digest %q, received %s, finished %s", got.SHA256, got.Received, got.Finished)
		}
	})
}

// Each element processed twice, in one run and in two, is the same as once.
func TestI05IngestTwice(t *testing.T) {
	onEachRunner(t, func(t *testing.T, run runner) {
		s := newSite(t, run)
		uploads := append(s.putDebs(jammy, "good", 3), s.put("acme/tools/el/9/noarch.rpm", rpmtest.Build(t, rpmtest.Spec{Arch: "noarch"})))
		garbage := s.put("acme/tools/ubuntu/jammy/garbage.deb", []byte("garbage"))
		b := s.batch(append(uploads, garbage)...)
		s.ingest(b, b)
		check := func() {
			s.wantStates("published", uploads...)
			s.wantStates("rejected not-a-package", garbage)
			for _, r := range []catalog.Release{jammy, el9} {
				if n := s.publishes(r); n != 1 {
					t.Errorf("%s was published %d times", r, n)
				}
			}
		}
		check()
		before, verdict := s.files(), s.verdict(uploads[0].Object)
		s.ingest(b)
		check()
		if diff := cmp.Diff(before, s.files()); diff != "" {
			t.Errorf("bucket (-before +after):\n%s", diff)
		}
		if diff := cmp.Diff(verdict, s.verdict(uploads[0].Object)); diff != "" {
			t.Errorf("verdict (-before +after):\n%s", diff)
		}
	})
}

// A run whose lease has gone to another worker changes no upload.
func TestIngestWithALostLease(t *testing.T) {
	s := newSite(t, runDirect)
	u := s.put("acme/tools/ubuntu/jammy/hello.deb", deb(t, "hello"))
	b := s.batch(u)
	b.Tasks[0].Token = "0123456789abcdef"
	s.ingest(b)
	s.wantStates("received", u)
	if v := s.verdict(u.Object); v.State != "" {
		t.Errorf("the verdict is %q", v.State)
	}
}

// A pusher who waits for the newest upload of a name gets its verdict, in any order in which they end.
func TestVerdictOfTheNewestUpload(t *testing.T) {
	for _, tt := range []struct {
		name  string
		order []int // of ingest; 0 is the older upload
	}{
		{"the older one first", []int{0, 1}},
		{"the older one last", []int{1, 0}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSite(t, runDirect)
			older := s.put("acme/tools/ubuntu/jammy/hello.deb", deb(t, "older"))
			newer := s.put("acme/tools/ubuntu/jammy/hello.deb", deb(t, "newer"))
			for _, i := range tt.order {
				s.ingest(s.batch([]catalog.Upload{older, newer}[i]))
			}
			s.wantStates("rejected replaced", older)
			s.wantStates("published", newer)
			s.wantVerdict(newer, catalog.Published)
		})
	}
	t.Run("the older one is published already", func(t *testing.T) {
		s := newSite(t, runDirect)
		older := s.put("acme/tools/ubuntu/jammy/hello.deb", deb(t, "older"))
		s.ingest(s.batch(older))
		s.wantVerdict(older, catalog.Published)
		newer := s.put("acme/tools/ubuntu/jammy/hello.deb", []byte("garbage"))
		s.ingest(s.batch(newer))
		s.wantVerdict(newer, catalog.Rejected)
		s.wantStates("published", older)
	})
}

// Names whose verdicts exclude each other in a folder, one a file and one a folder, delay no other verdict.
func TestVerdictThatCannotBeWritten(t *testing.T) {
	s := newSite(t, runDirect)
	first := s.put("acme/tools/ubuntu/jammy/a.deb", deb(t, "first"))
	s.ingest(s.batch(first))
	inTheWay := s.put("acme/tools/ubuntu/jammy/a.deb.json/b.deb", deb(t, "second"))
	other := s.put("acme/tools/ubuntu/jammy/other.deb", deb(t, "other"))
	s.ingest(s.batch(inTheWay, other))
	s.wantStates("published", first, inTheWay, other)
	s.wantVerdict(first, catalog.Published)
	s.wantVerdict(other, catalog.Published)
	if untold, err := s.Catalog.VerdictsToWrite(t.Context(), 10); err != nil || len(untold) > 0 {
		t.Errorf("still to be told: %v, %v", untold, err)
	}
}

// One release that cannot be published keeps no other one back.
func TestPublishWithOneForeignPointer(t *testing.T) {
	onEachRunner(t, func(t *testing.T, run runner) {
		foreign := newSite(t, run)
		foreign.ingest(foreign.batch(foreign.putDebs(noble, "foreign", 1)...))
		s := newSite(t, run)
		s.plant(layout.PointerKey(noble), foreign.files()[layout.PointerKey(noble)])

		uploads := append(s.putDebs(jammy, "good", 2), s.put("acme/tools/el/9/hello.rpm", rpmtest.Build(t, rpmtest.Spec{})))
		stuck := s.putDebs(noble, "good", 1)
		p, root := beam.NewPipelineWithRoot()
		pipelines.Ingest(root, s.Config, beam.Create(root, s.batch(append(uploads, stuck...)...)))
		if err := run(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		s.wantStates("stored", append(uploads, stuck...)...)

		for _, r := range []catalog.Release{noble, jammy, el9, jammy} {
			if res := s.PublishRelease(t.Context(), r, ""); (res.Err != nil) != (r == noble) {
				t.Errorf("%s is published at revision %d, %v", r, res.Revision, res.Err)
			}
		}
		s.wantStates("published", uploads...)
		s.wantStates("stored", stuck...)
		s.wantRelease(jammy, 2)
		s.wantRelease(el9, 1)
		if got := s.files()[layout.PointerKey(noble)]; got != foreign.files()[layout.PointerKey(noble)] {
			t.Errorf("the foreign pointer was replaced")
		}
		states, err := s.Catalog.Releases(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, state := range states {
			if isForeign := state.Release == noble; isForeign != strings.Contains(state.Fault, "recover acme/tools/ubuntu/noble") {
				t.Errorf("%s has the fault %q", state.Release, state.Fault)
			}
		}
		if _, err := s.Publisher.Release(t.Context(), noble); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("got %v, want an index that is not there", err)
		}
	})
}

// plant puts a file into the bucket behind everybody's back.
func (s *site) plant(key, body string) {
	s.t.Helper()
	path := filepath.Join(s.dir, "bucket", key)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(body), 0o644); err != nil {
		s.t.Fatal(err)
	}
}
