package pipelines_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"repomill/pipelines"
	"repomill/pipelines/queue"
	"repomill/pipelines/worker"
	"repomill/publish/check"
	"repomill/testdata/gcstest"
	"repomill/testdata/proctest"
	"repomill/testdata/s3test"
)

// mortalConfig is the environment variable that makes this test's program a worker that is to be killed.
const mortalConfig = "REPOMILL_TEST_MORTAL"

// A mortal is what such a worker works on.
type mortal struct {
	Config pipelines.Config
	Events string
}

// mortalProcess works until nothing is left to do.
func mortalProcess(text string) int {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	if err := work(ctx, text); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func work(ctx context.Context, text string) error {
	var m mortal
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		return err
	}
	r, err := pipelines.Open(ctx, m.Config)
	if err != nil {
		return err
	}
	r.Ingester.Now = uploadTime
	source, err := queue.Open(ctx, m.Events, r.Staging)
	if err != nil {
		return err
	}
	return (&worker.Dispatcher{Resources: r, Source: source, Run: runDirect, Once: true}).Serve(ctx, grace)
}

// A victim is a worker process that is killed.
type victim struct {
	cmd     *exec.Cmd
	started chan struct{}
	ended   chan struct{}
	killed  sync.Once
}

// kill ends it as kill -9 does. It returns when the process is gone.
func (v *victim) kill() {
	<-v.started
	v.killed.Do(func() { v.cmd.Process.Kill() }) //nolint:errcheck // it may have ended
	<-v.ended
}

// start starts a worker on a site.
func (v *victim) start(p *production) {
	p.t.Helper()
	text, err := json.Marshal(mortal{p.Config, p.events})
	if err != nil {
		p.t.Fatal(err)
	}
	var said strings.Builder
	v.cmd = exec.CommandContext(p.t.Context(), os.Args[0])
	v.cmd.Env = append(os.Environ(), mortalConfig+"="+string(text))
	v.cmd.Stderr = &said
	proctest.DieWithParent(v.cmd)
	if err := v.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	go func() {
		v.cmd.Wait() //nolint:errcheck // it is killed
		if said.Len() > 0 {
			p.t.Logf("the worker said: %s", said.String())
		}
		close(v.ended)
	}()
	close(v.started)
}

// A moment is when a worker is killed.
type moment struct {
	name  string
	arm   func(p *production, kill func()) // has it killed then
	short bool
}

// writing is the moment of a write to the bucket: before it is done if the fault is Lost, else after it.
func writing(name, key string, f s3test.Fault) moment {
	return moment{name: name, arm: func(p *production, kill func()) { p.s3.FailThen(s3test.PutObject, p.path(key), f, kill) }}
}

// copying is writing with a copy inside the store.
func copying(name, key string, f s3test.Fault) moment {
	return moment{name: name, arm: func(p *production, kill func()) { p.s3.FailThen(s3test.CompleteMultipartUpload, p.path(key), f, kill) }}
}

// requesting is the moment of a request to Cloud Storage.
func requesting(name string, f gcstest.Fault, when func(*http.Request) bool) moment {
	return moment{name: name, arm: func(p *production, kill func()) {
		p.gcs.Fail(f, 1, func(r *http.Request) bool {
			if !when(r) {
				return false
			}
			kill()
			return true
		})
	}}
}

func moments(index string) []moment {
	const (
		pool   = "acme/tools/ubuntu/pool/jammy/main/a/alpha/alpha_1.0_amd64.deb"
		dist   = "acme/tools/ubuntu/dists/jammy/"
		noarch = "acme/tools/el/9/x86_64/everywhere-1.0-1.noarch.rpm"
		repomd = "acme/tools/el/9/x86_64/repodata/repomd.xml"
	)
	reads := func(r *http.Request) bool {
		return r.Method == http.MethodGet && r.URL.Query().Get("alt") == "media" && strings.HasSuffix(r.URL.Path, "/jammy/a.deb")
	}
	tells := func(r *http.Request) bool {
		return r.Method == http.MethodPost && strings.HasSuffix(r.URL.Query().Get("name"), "/jammy/b.deb.json")
	}
	all := []moment{
		requesting("before the claim, while the file is read", gcstest.Lost, reads),
		writing("after the claim, before the package is visible", pool, s3test.Lost),
		writing("after the package is visible, before its row is active", pool, s3test.Stored),
		copying("between the directories of a noarch package", noarch, s3test.Lost),
		writing("after the rows, before an index", index, s3test.Lost),
		writing("after an index", index, s3test.Stored),
		writing("after the manifest, before the pointer", dist+"InRelease", s3test.Lost),
		writing("after the pointer", dist+"InRelease", s3test.Stored),
		writing("between the files beside the pointer", dist+"Release", s3test.Lost),
		writing("between repomd.xml.asc and repomd.xml", repomd, s3test.Lost),
		writing("after repomd.xml", repomd, s3test.Stored),
		requesting("before the verdict", gcstest.Lost, tells),
		requesting("after the verdict, before it is noted", gcstest.Stored, tells),
	}
	for _, i := range []int{1, 6} {
		all[i].short = true
	}
	return all
}

// A worker is killed at any step, and another one goes on: nothing is lost, nothing is there twice, and
// at no time do clients see half of anything.
func TestProductionWorkerIsKilled(t *testing.T) {
	t.Parallel()
	s3, twin := s3test.Start(t), newTwin(t)
	var index string
	for key := range twin.indexes(jammy) {
		if strings.Contains(key, "main/binary-amd64/") {
			index = key
		}
	}
	for _, m := range moments(index) {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			if testing.Short() && !m.short {
				t.Skip("long")
			}
			p := newProduction(t, s3)
			uploads, _ := p.stage()
			v := &victim{started: make(chan struct{}), ended: make(chan struct{})}
			m.arm(p, v.kill)
			v.start(p)
			<-v.ended
			if v.cmd.ProcessState.Exited() {
				t.Fatalf("it was not killed: %s", v.cmd.ProcessState)
			}
			p.wantNothingHalf()
			if err := p.Catalog.EndLeases(t.Context()); err != nil { // or the leases of the dead run out in a minute
				t.Fatal(err)
			}
			stop := p.serve(p.source(), grace)
			p.wantCorpus(uploads, twin)
			wantStopped(t, stop)
			if recent, err := p.Catalog.Recent(t.Context(), "", 100); err != nil || len(recent) > len(uploads)+2 {
				t.Errorf("%d uploads were recorded of %d, %v", len(recent), len(uploads), err)
			}
		})
	}
}

// besidePointers are the files that follow a pointer. They may lag behind it, and a crash may leave them
// torn until the next start: clients with by-hash never ask for them, and those of RPM refuse the pointer
// until then.
var besidePointers = []string{"Release", "Release.gpg", "Packages.gz", "Packages", "Sources.gz", "repomd.xml.asc"}

// withoutPairs returns the problems that no client may ever meet.
func withoutPairs(problems []check.Problem) []check.Problem {
	return slices.DeleteFunc(problems, func(p check.Problem) bool { return slices.Contains(besidePointers, path.Base(p.Path)) })
}

// wantNothingHalf reads what clients see while no worker runs: what a pointer names is there.
func (p *production) wantNothingHalf() {
	p.t.Helper()
	for r := range corpusReleases {
		_, problems, err := p.read(r)
		if errors.Is(err, fs.ErrNotExist) {
			continue // nothing was published yet
		}
		if problems = withoutPairs(problems); err != nil || len(problems) > 0 {
			p.t.Errorf("%s, after the kill: %v, %v", r, problems, err)
		}
	}
}
