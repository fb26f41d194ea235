package pipelines_test

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"repomill/pipelines"
	"repomill/pipelines/queue"
	"repomill/pipelines/worker"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/testdata/proctest"
)

// crashDir is the environment variable that makes this test's program a dispatcher that dies of poison.
const crashDir = "REPOMILL_TEST_CRASH_DIR"

// innocents is how many uploads there are beside the poison.
const innocents = 12

// died is the exit status of a program that met the poison.
const died = 3

// crashingProcess serves a site until everything has its verdict.
func crashingProcess(dir string) int {
	r, err := pipelines.Open(context.Background(), configOf(dir))
	if err != nil {
		return 1
	}
	defer r.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	if err := r.Catalog.EndLeases(ctx); err != nil {
		return 1
	}
	r.Ingester.Bucket = gate{r.Bucket, func(_ context.Context, key string) error {
		if strings.Contains(key, "poison") {
			os.Exit(died)
		}
		time.Sleep(50 * time.Millisecond) // so that others are being stored when it does
		return nil
	}}
	go func() {
		for ctx.Err() == nil {
			time.Sleep(20 * time.Millisecond)
			backlog, err := r.Catalog.Backlog(ctx)
			verdicts, err2 := r.Catalog.Recent(ctx, "", 1000)
			if err == nil && err2 == nil && backlog == 0 && len(verdicts) == innocents+1 {
				cancel()
			}
		}
	}()
	source, err := queue.Open(ctx, "dir://", r.Staging)
	if err != nil {
		return 1
	}
	d := worker.Dispatcher{Resources: r, Source: source, Run: runDirect}
	if d.Serve(ctx, time.Second) != nil {
		return 1
	}
	return 0
}

// A package that kills the program is given up after the fifth time, and takes no other with it.
func TestI07PoisonKillsNoOther(t *testing.T) {
	t.Parallel()
	s := newSite(t, runDirect)
	uploads := append(s.putDebs(jammy, "a", innocents/2), s.putDebs(jammy, "z", innocents/2)...)
	poison := s.put("acme/tools/ubuntu/jammy/m.deb", deb(t, "poison"))
	deaths := 0
	for {
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env = append(os.Environ(), crashDir+"="+s.dir)
		out, err := cmd.CombinedOutput()
		if err == nil {
			break
		}
		if deaths++; cmd.ProcessState.ExitCode() != died || deaths > catalogdb.MaxAttempts {
			t.Fatalf("end %d: %v\n%s", deaths, err, out)
		}
	}
	if deaths != catalogdb.MaxAttempts {
		t.Errorf("the program died %d times, want %d", deaths, catalogdb.MaxAttempts)
	}
	s.wantStates("rejected poison", poison)
	s.wantVerdict(poison, catalog.Rejected)
	s.wantStates("published", uploads...)
	s.wantRelease(jammy, len(uploads))
}

// A lease that ran out five times is one crash too many.
func TestPoisonIsRejectedAndTold(t *testing.T) {
	t.Parallel()
	s := newSite(t, runDirect)
	poison := s.put("acme/tools/ubuntu/jammy/poison.deb", deb(t, "poison"))
	for i := range catalogdb.MaxAttempts {
		past := time.Now().Add(time.Duration(i-100) * time.Hour)
		if token, _, err := s.Catalog.Take(t.Context(), poison, catalogdb.Lease{Owner: "crashed", For: time.Minute}, past); err != nil || token == "" {
			t.Fatalf("attempt %d: %v", i, err)
		}
	}
	fine := s.put("acme/tools/ubuntu/jammy/fine.deb", deb(t, "fine"))
	stop := s.serve(mute, grace)
	proctest.Eventually(t, "both have their verdict", func() bool {
		return s.verdict(poison.Object).State == catalog.Rejected && s.verdict(fine.Object).State == catalog.Published
	})
	wantStopped(t, stop)
	s.wantStates("rejected poison", poison)
}

// What panics in us, or hangs, is given up after the fifth time as well, with the reason, while all others
// go through.
func TestPoisonThatDoesNotKill(t *testing.T) {
	t.Parallel()
	for name, poison := range map[string]func(context.Context) error{
		"it panics": func(context.Context) error { panic("a mistake of our own") },
		"it hangs":  func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, runDirect)
			cfg := s.Config
			cfg.UploadLimit = 2 * time.Second // in which a good one is read and stored, if not in company
			s = openSite(t, s.dir, cfg, runDirect)
			s.guard(func(ctx context.Context, key string) error {
				if strings.Contains(key, "poison") {
					return poison(ctx)
				}
				return nil
			})
			bad := s.put("acme/tools/ubuntu/jammy/poison.deb", deb(t, "poison"))
			good := s.putDebs(jammy, "good", 3)
			start := time.Now()
			stop := s.serve(mute, grace)
			proctest.Eventually(t, "the good ones are published", func() bool { return s.allAre("published", good) })
			proctest.Eventually(t, "the bad one is given up", func() bool { return s.state(bad) == "rejected poison" })
			t.Logf("given up after %s", time.Since(start).Round(time.Millisecond))
			proctest.Eventually(t, "its uploader is told", func() bool { return s.verdict(bad.Object).State == catalog.Rejected })
			wantStopped(t, stop)
		})
	}
}
