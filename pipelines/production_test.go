package pipelines_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/ingest"
	"repomill/pipelines"
	"repomill/pipelines/queue"
	"repomill/publish/tree"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
	"repomill/testdata/debtest"
	"repomill/testdata/gcstest"
	"repomill/testdata/mysqltest"
	"repomill/testdata/proctest"
	"repomill/testdata/pubsubtest"
	"repomill/testdata/rpmtest"
	"repomill/testdata/s3test"
)

// A production is a site on real servers: Cloud Storage, whose notifications go to Pub/Sub, MySQL and S3.
type production struct {
	*site
	gcs    *gcstest.Server
	pubsub *pubsubtest.Server
	s3     *s3test.Server
	bucket string // its name in S3
	events string // URL

	mu   sync.Mutex
	hold bool     // notifications are kept back
	held []notice // in order
}

// A notice is a notification of Cloud Storage.
type notice struct {
	payload []byte
	attrs   map[string]string
}

// buckets counts those that were made, to name them.
var buckets atomic.Int64

// newProduction makes an empty site. S3 is shared: its server is a process.
func newProduction(t *testing.T, s3 *s3test.Server) *production {
	t.Helper()
	return newProductionWith(t, s3, mysqltest.Start(t))
}

// newProductionWith has its catalog at a URL.
func newProductionWith(t *testing.T, s3 *s3test.Server, catalog string) *production {
	t.Helper()
	p := &production{gcs: gcstest.Start(t), pubsub: pubsubtest.Start(t), s3: s3, bucket: fmt.Sprintf("packages-%d", buckets.Add(1))}
	p.gcs.Notify = p.notify
	p.events = p.pubsub.URL("repomill")
	cfg := pipelines.Config{
		Staging: p.gcs.URL("staging"), Bucket: s3.URL(p.bucket), Catalog: catalog,
		SigningKey: "file://" + writeKey(t, t.TempDir()), PublicURL: "https://packages.example.org", Create: true, MaxPackageSize: ingest.DefaultMaxSize,
	}
	migrate(t, cfg.Catalog)
	p.site = openSite(t, "", cfg, runDirect)
	p.Ingester.Now = uploadTime
	t.Cleanup(func() {
		if t.Failed() {
			p.pubsub.LogUnacked()
		}
	})
	return p
}

// uploadTime is when all uploads of a comparison are received: RPM indexes have it.
func uploadTime() time.Time { return time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC) }

// path returns what requests to S3 have as their path.
func (p *production) path(key string) string { return "/" + p.bucket + "/" + key }

// notify passes a notification on, or keeps it back.
func (p *production) notify(payload []byte, attrs map[string]string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.hold {
		p.held = append(p.held, notice{payload, attrs})
		return
	}
	p.pubsub.Publish(payload, attrs)
}

// silently returns the notifications that f causes, which Pub/Sub does not get.
func (p *production) silently(f func()) []notice {
	p.mu.Lock()
	p.hold, p.held = true, nil
	p.mu.Unlock()
	f()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hold = false
	return p.held
}

// say publishes notifications, and returns the IDs of their messages.
func (p *production) say(notices []notice) (ids []string) {
	for _, n := range notices {
		ids = append(ids, p.pubsub.Publish(n.payload, n.attrs))
	}
	return ids
}

// wantAcked waits until all messages are acknowledged.
func (p *production) wantAcked(ids []string) {
	p.t.Helper()
	proctest.Eventually(p.t, "all events are acknowledged", func() bool {
		return !slices.ContainsFunc(ids, func(id string) bool { return p.pubsub.Message(id).Acks == 0 })
	})
}

// source returns the subscription, for one dispatcher.
func (p *production) source() queue.Source {
	p.t.Helper()
	source, err := queue.Open(p.t.Context(), p.events, p.Staging)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { source.(io.Closer).Close() }) //nolint:errcheck // nothing can be lost any more
	return source
}

// object returns the bytes of an object in the bucket.
func (s *site) object(key string) []byte {
	s.t.Helper()
	body, _, err := s.Bucket.Get(s.t.Context(), key)
	if err != nil {
		s.t.Fatal(err)
	}
	defer body.Close()
	all, err := io.ReadAll(body)
	if err != nil {
		s.t.Fatal(err)
	}
	return all
}

func sum(body []byte) string {
	digest := sha256.Sum256(body)
	return hex.EncodeToString(digest[:])
}

// manifest returns the record of what clients see of a release.
func (s *site) manifest(r catalog.Release) (m tree.Manifest) {
	s.t.Helper()
	pointer, found := sum(s.object(layout.PointerKey(r))), ""
	err := s.Bucket.List(s.t.Context(), layout.HistoryPrefix(r), func(key string, _ layout.Meta) error {
		if strings.HasSuffix(key, "-"+pointer+".json") {
			found = key
		}
		return nil
	})
	if err == nil {
		err = json.Unmarshal(s.object(found), &m)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return m
}

// indexes returns the digests of the indexes that clients see of a release, by key.
func (s *site) indexes(r catalog.Release) map[string]string {
	s.t.Helper()
	found := map[string]string{}
	for _, o := range s.manifest(r).Indexes {
		found[o.Key] = sum(s.object(o.Key))
	}
	return found
}

// rows returns what a release shows.
func (s *site) rows(r catalog.Release) []catalog.Package {
	s.t.Helper()
	var rows []catalog.Package
	for k, err := range s.Catalog.List(s.t.Context(), r, "") {
		if err != nil {
			s.t.Fatal(err)
		}
		rows = append(rows, k)
	}
	return rows
}

// A file is what is pushed under a name.
type file struct {
	object string
	body   []byte
}

// statement is a text that ends a careless statement.
const statement = `'; DROP TABLE packages; -- " \' % _ ? \`

// corpus is a little of everything: packages of both formats and of all kinds of architectures, the same
// one under another name, a text that a database could take for its own, and garbage.
func corpus(t *testing.T) []file {
	const jammy, el9 = "acme/tools/ubuntu/jammy/", "acme/tools/el/9/"
	a := deb(t, "alpha")
	return []file{
		{jammy + "a.deb", a},
		{jammy + "b.deb", debtest.Build(t, debtest.Spec{Name: "beta", Arch: "amd64", Fields: []string{"X-Note: " + statement}})},
		{jammy + "arm.deb", debtest.Build(t, debtest.Spec{Name: "alpha", Arch: "arm64"})},
		{jammy + "all.deb", debtest.Build(t, debtest.Spec{Name: "doc", Version: "1:2.0-1"})},
		{jammy + "extra/c.deb", deb(t, "gamma")},
		{jammy + "copy-of-a.deb", a},
		{jammy + "garbage.deb", []byte("garbage")},
		{"acme/tools/ubuntu/noble/a.deb", a},
		{el9 + "hello.rpm", rpmtest.Build(t, rpmtest.Spec{Summary: statement, Files: map[string]string{"/usr/bin/hello": "x"}})},
		{el9 + "noarch.rpm", rpmtest.Build(t, rpmtest.Spec{Name: "everywhere", Arch: "noarch"})},
		{el9 + "source.rpm", rpmtest.Build(t, rpmtest.Spec{Name: "source", Source: true})},
	}
}

// corpusReleases are what a corpus is published in, with how many packages each has.
var corpusReleases = map[catalog.Release]int{
	jammy: 5, noble: 1, el9: 2, aarch64: 1, release("acme/tools/el/9/SRPMS"): 1,
}

var aarch64 = release("acme/tools/el/9/aarch64")

// corpusEnds is how uploads of a corpus end.
var corpusEnds = map[string]int{"published": 9, "duplicate": 1, "rejected not-a-package": 1}

func (s *site) putAll(files []file) (uploads []catalog.Upload) {
	s.t.Helper()
	for _, f := range files {
		uploads = append(uploads, s.put(f.object, f.body))
	}
	return uploads
}

// newTwin returns an embedded site, of files and SQLite, that took the corpus in order.
func newTwin(t *testing.T) *site {
	t.Helper()
	s := newSite(t, runDirect)
	s.Ingester.Now = uploadTime
	uploads := s.putAll(corpus(t))
	s.ingest(s.batch(uploads...))
	if diff := cmp.Diff(corpusEnds, s.ends(uploads)); diff != "" {
		t.Fatalf("the twin's uploads (-want +got):\n%s", diff)
	}
	return s
}

// ends returns in which states uploads are, and how many in each.
func (s *site) ends(uploads []catalog.Upload) map[string]int {
	s.t.Helper()
	ends := map[string]int{}
	for _, u := range uploads {
		ends[s.state(u)]++
	}
	return ends
}

// wantCorpus waits until a corpus has its verdicts, and compares what became of it with the twin.
func (s *site) wantCorpus(uploads []catalog.Upload, twin *site) {
	s.t.Helper()
	proctest.Until(s.t, fmt.Sprintf("uploads end as %v", corpusEnds), func() map[string]int { return s.ends(uploads) },
		func(ends map[string]int) bool { return cmp.Equal(ends, corpusEnds) })
	for _, u := range uploads {
		// The verdict of an earlier generation may be there for a moment.
		proctest.Eventually(s.t, "the uploader of "+u.String()+" is told", func() bool {
			v := s.verdict(u.Object)
			return v.State.Final() && v.Generation == u.Generation
		})
		if v := s.verdict(u.Object); v.Generation != u.Generation { // nor does it come back
			s.t.Errorf("the verdict of %s is of generation %s", u, v.Generation)
		}
	}
	for r, packages := range corpusReleases {
		s.wantRelease(r, packages)
		if diff := cmp.Diff(twin.rows(r), s.rows(r)); diff != "" {
			s.t.Errorf("%s: rows (-twin +here):\n%s", r, diff)
		}
		if diff := cmp.Diff(twin.indexes(r), s.indexes(r)); diff != "" {
			s.t.Errorf("%s: indexes (-twin +here):\n%s", r, diff)
		}
	}
	if behind, err := s.Catalog.Unpublished(s.t.Context()); err != nil || len(behind) > 0 {
		s.t.Errorf("%v are not up to date, %v", behind, err)
	}
}

// Also if notifications of Cloud Storage are lost, late or repeated, the rows and the index bytes are those that the
// embedded site makes of the same files in order. All releases are published once.
func TestI03ProductionEvents(t *testing.T) {
	t.Parallel()
	s3, twin := s3test.Start(t), newTwin(t)
	none := func([]notice) []notice { return nil }
	all := func(n []notice) []notice { return n }
	for _, tt := range []struct {
		name          string
		before, after func([]notice) []notice // what is said before the start, and when all is done
		short         bool
	}{
		{"each comes once", all, none, true},
		{"none comes, and the scan finds the files", none, none, false},
		{"each comes three times", func(n []notice) []notice { return slices.Concat(n, n, n) }, none, false},
		{"they come in reverse, the deletion before the object", reversed, none, false},
		{"some are lost, and all come late and twice", everyThird, func(n []notice) []notice { return slices.Concat(reversed(n), n) }, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if testing.Short() && !tt.short {
				t.Skip("long")
			}
			p := newProduction(t, s3)
			var uploads, past []catalog.Upload
			notices := p.silently(func() { uploads, past = p.stage() })
			ids := p.say(tt.before(notices))
			p.holdUntilListed()
			start := time.Now()
			stop := p.serve(p.source(), grace)
			p.wantCorpus(uploads, twin)
			t.Logf("published within %s", time.Since(start).Round(time.Millisecond))
			p.wantAcked(append(ids, p.say(tt.after(notices))...))
			wantStopped(t, stop)
			p.wantCorpus(uploads, twin)
			for _, u := range past {
				if got := p.state(u); got != "" && got != "rejected replaced" {
					t.Errorf("%s, which is gone, is %q", u, got)
				}
			}
			for r := range corpusReleases {
				p.wantOnePublish(r, 0, start)
			}
		})
	}
}

// stage stages the corpus. past are uploads that are gone when their notification arrives: one is replaced by a
// file of the corpus that has the same identity, another one is deleted.
func (p *production) stage() (uploads, past []catalog.Upload) {
	p.t.Helper()
	files := corpus(p.t)
	draft := debtest.Build(p.t, debtest.Spec{Name: "alpha", Arch: "amd64", Size: 10})
	past = append(past, p.put(files[0].object, draft), p.put("acme/tools/ubuntu/jammy/gone.deb", deb(p.t, "gone")))
	if err := p.Staging.Delete(p.t.Context(), past[1]); err != nil {
		p.t.Fatal(err)
	}
	return p.putAll(files), past
}

func reversed(notices []notice) []notice {
	r := slices.Clone(notices)
	slices.Reverse(r)
	return r
}

func everyThird(notices []notice) (some []notice) {
	for i := 0; i < len(notices); i += 3 {
		some = append(some, notices[i])
	}
	return some
}
