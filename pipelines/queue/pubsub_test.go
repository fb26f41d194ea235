package queue_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"cloud.google.com/go/pubsub/v2/pstest"
	"google.golang.org/grpc/codes"

	"repomill/pipelines/objects/gcs"
	"repomill/pipelines/queue"
	"repomill/schemas/catalog"
	"repomill/testdata/gcstest"
	"repomill/testdata/proctest"
	"repomill/testdata/pubsubtest"
)

var _ queue.Source = (*queue.PubSub)(nil)

// A bucket is a staging bucket of which only the name matters.
type bucket string

func (b bucket) Name() string { return string(b) }

// A received is what a source delivered, and what it logged.
type received struct {
	t      *testing.T
	source *queue.PubSub
	stop   func() error    // ends Receive and returns its error
	ending <-chan struct{} // closed when it is to end

	mu     sync.Mutex
	events []queue.Event
	log    bytes.Buffer
}

// receive begins to receive from a subscription. f, unless nil, is called with each event.
func receive(t *testing.T, url string, f func(queue.Event)) *received {
	t.Helper()
	source, err := queue.Open(t.Context(), url, bucket("staging-bucket"))
	must(t, err)
	r := &received{t: t, source: source.(*queue.PubSub)}
	r.source.Log = slog.New(slog.NewTextHandler(&writer{r}, nil))
	ctx, cancel := context.WithCancel(t.Context())
	r.ending = ctx.Done()
	done := make(chan error, 1)
	go func() {
		done <- source.Receive(ctx, func(e queue.Event) {
			r.mu.Lock()
			r.events = append(r.events, e)
			r.mu.Unlock()
			if f != nil {
				f(e)
			}
		})
	}()
	r.stop = sync.OnceValue(func() error {
		cancel()
		select {
		case err := <-done:
			return err
		case <-time.After(soon):
			return fmt.Errorf("it goes on")
		}
	})
	t.Cleanup(func() {
		r.settle(false)
		if err := r.stop(); err != nil {
			t.Errorf("receive: %v", err)
		}
		r.source.Close()
	})
	return r
}

// A writer keeps the log.
type writer struct{ r *received }

func (w *writer) Write(p []byte) (int, error) {
	w.r.mu.Lock()
	defer w.r.mu.Unlock()
	return w.r.log.Write(p)
}

func (r *received) logged() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.log.String()
}

func (r *received) all() []queue.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]queue.Event(nil), r.events...)
}

// settle settles all events so far.
func (r *received) settle(final bool) {
	for _, e := range r.all() {
		e.Settle(final)
	}
}

// expect waits for n events in all.
func (r *received) expect(n int) []queue.Event {
	r.t.Helper()
	proctest.Eventually(r.t, fmt.Sprintf("%d events", n), func() bool { return len(r.all()) >= n })
	if all := r.all(); len(all) != n {
		r.t.Fatalf("got %d events, want %d", len(all), n)
	}
	return r.all()
}

func TestPubSubDelivers(t *testing.T) {
	t.Parallel()
	server := pubsubtest.Start(t)
	r := receive(t, server.URL("worker"), nil)
	id := server.Publish([]byte(`{"size":"123"}`), notification())
	e := r.expect(1)[0]
	want := catalog.Upload{Bucket: "staging-bucket", Object: object, Generation: "1767225600000000", Size: 123}
	if e.Upload != want {
		t.Errorf("got %+v, want %+v", e.Upload, want)
	}
	if server.Acks(id) != 0 || server.Nacks(id) != 0 {
		t.Error("it was settled by nobody")
	}
	e.Settle(true)
	e.Settle(false) // once only
	proctest.Eventually(t, "the acknowledgement", func() bool { return server.Acks(id) == 1 })
	if n := server.Nacks(id); n != 0 {
		t.Errorf("it was given back %d times", n)
	}
}

// An event is kept from others, and from ourselves, until it is settled; given back, it comes again.
func TestPubSubSettlement(t *testing.T) {
	t.Parallel()
	server := pubsubtest.Start(t)
	r := receive(t, server.URL("worker"), nil)
	id := server.Publish(nil, notification())
	r.expect(1)
	proctest.Eventually(t, "the lease", func() bool { return server.Leases(id) > 0 })
	server.Advance(50 * time.Second) // a subscription's own deadline here is 10 s
	time.Sleep(300 * time.Millisecond)
	r.expect(1)

	r.settle(false)
	r.expect(2)
	if n := server.Deliveries(id); n != 2 {
		t.Errorf("it was delivered %d times, want 2", n)
	}
	r.settle(true)
	proctest.Eventually(t, "the acknowledgement", func() bool { return server.Acks(id) == 1 })
	server.Advance(time.Hour)
	time.Sleep(300 * time.Millisecond)
	r.expect(2)
}

// Repeated and reordered notifications are delivered as they come: the catalog recognizes repeats.
func TestPubSubDuplicates(t *testing.T) {
	t.Parallel()
	server := pubsubtest.Start(t)
	r := receive(t, server.URL("worker"), func(e queue.Event) { e.Settle(true) })
	for _, generation := range []string{"3", "1", "2", "3"} {
		server.Publish(nil, notification("objectGeneration", generation))
	}
	seen := map[string]int{}
	for _, e := range r.expect(4) {
		seen[e.Upload.Generation]++
	}
	if seen["1"] != 1 || seen["2"] != 1 || seen["3"] != 2 {
		t.Errorf("got %v", seen)
	}
}

// A slow consumer does not delay other events.
func TestPubSubIsConcurrent(t *testing.T) {
	t.Parallel()
	server := pubsubtest.Start(t)
	release := make(chan struct{})
	r := receive(t, server.URL("worker"), func(e queue.Event) { <-release })
	for i := range 20 {
		server.Publish(nil, notification("objectGeneration", fmt.Sprint(1+i)))
	}
	r.expect(20)
	close(release)
	r.settle(true)
}

func TestPubSubIgnores(t *testing.T) {
	t.Parallel()
	server := pubsubtest.Start(t)
	r := receive(t, server.URL("worker"), nil)
	var ids []string
	for _, attrs := range []map[string]string{
		notification("eventType", "OBJECT_DELETE"), notification("eventType", "OBJECT_METADATA_UPDATE"),
		notification("eventType", "OBJECT_ARCHIVE"), notification("objectId", ".results/"+object+".json"), notification("objectId", "acme/"),
	} {
		ids = append(ids, server.Publish(nil, attrs))
	}
	for _, id := range ids {
		proctest.Eventually(t, "the acknowledgement", func() bool { return server.Acks(id) == 1 })
	}
	r.expect(0)
	if log := r.logged(); log != "" || r.source.Foreign() != 0 {
		t.Errorf("foreign: %d; logged %s", r.source.Foreign(), log)
	}
}

// A foreign message is never acknowledged, is logged once, and is not redelivered at once.
func TestPubSubForeignMessages(t *testing.T) {
	t.Parallel()
	server := pubsubtest.Start(t)
	r := receive(t, server.URL("worker"), nil)
	var ids []string
	for range 10 {
		ids = append(ids, server.Publish([]byte("hello"), nil),
			server.Publish(nil, notification("bucketId", "other-bucket")),
			server.Publish(nil, notification("bucketId", "other-bucket", "eventType", "OBJECT_DELETE")))
	}
	own := server.Publish(nil, notification())
	r.expect(1)
	r.settle(true)
	proctest.Eventually(t, "our own", func() bool { return server.Acks(own) == 1 })
	proctest.Eventually(t, "the count", func() bool { return r.source.Foreign() == int64(len(ids)) })
	time.Sleep(500 * time.Millisecond)
	for _, id := range ids {
		if server.Acks(id) != 0 || server.Nacks(id) != 0 || server.Deliveries(id) != 1 {
			t.Errorf("acknowledged %d times, given back %d times, delivered %d times", server.Acks(id), server.Nacks(id), server.Deliveries(id))
		}
	}
	if log := r.logged(); strings.Count(log, "\n") != 1 || !strings.Contains(log, "--events") || !strings.Contains(log, "--staging") {
		t.Errorf("logged %s", log)
	}
	must(t, r.stop())
	for _, id := range ids {
		if server.Acks(id) != 0 || server.Nacks(id) != 1 {
			t.Errorf("at the end: acknowledged %d times, given back %d times", server.Acks(id), server.Nacks(id))
		}
	}
}

// A message that no consumer accepts ends in the dead-letter topic.
func TestPubSubDeadLetters(t *testing.T) {
	t.Parallel()
	server := pubsubtest.Start(t)
	r := receive(t, server.DeadLetterURL("worker", 5), func(e queue.Event) { e.Settle(false) })
	server.Publish([]byte("x"), notification())
	dead := receive(t, server.URLOf("dead"), nil)
	proctest.Eventually(t, "the dead letter", func() bool { return len(dead.all()) > 0 })
	if n := len(r.all()); n != 5 {
		t.Errorf("it was delivered %d times, want 5", n)
	}
}

// When the context ends, what is settled soon is settled, and what was not is left to others.
func TestPubSubShutdown(t *testing.T) {
	t.Parallel()
	server := pubsubtest.Start(t)
	url := server.URL("worker")
	r := receive(t, url, nil)
	for i := range 4 {
		server.Publish(nil, notification("objectGeneration", fmt.Sprint(1+i)))
	}
	events := r.expect(4)
	stopped := make(chan error, 1)
	go func() { stopped <- r.stop() }()
	<-r.ending
	time.Sleep(500 * time.Millisecond)
	late := server.Publish(nil, notification("objectGeneration", "5"))
	for _, e := range events {
		e.Settle(e.Upload.Generation != "4")
	}
	must(t, <-stopped)
	proctest.Eventually(t, "the settlement", func() bool {
		acks, nacks := 0, 0
		for _, m := range server.Messages() {
			acks += server.Acks(m.ID)
			nacks += server.Nacks(m.ID)
		}
		return acks == 3 && nacks >= 1
	})
	if server.Acks(late) != 0 || len(r.all()) != 4 {
		t.Error("it goes on receiving")
	}
	other := receive(t, url, func(e queue.Event) { e.Settle(true) })
	left := map[string]bool{}
	proctest.Eventually(t, "what is left", func() bool { // a message may be on its way to the stream that has ended: it comes when its lease is over
		time.Sleep(500 * time.Millisecond)
		server.Advance(70 * time.Second)
		for _, e := range other.all() {
			left[e.Upload.Generation] = true
		}
		return len(left) >= 2
	})
	if len(left) != 2 || !left["4"] || !left["5"] {
		t.Errorf("another process gets generations %v, want 4 and 5", left)
	}
}

func TestPubSubURLs(t *testing.T) {
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", filepath.Join(t.TempDir(), "absent.json"))
	for _, tt := range []struct{ name, url, want string }{
		{"of another kind", "kafka://x/y", "use pubsub://project/subscription"},
		{"without a subscription", "pubsub://project", "use pubsub://project/subscription"},
		{"without a project", "pubsub:///subscription", "use pubsub://project/subscription"},
		{"with a path", "pubsub://project/subscriptions/worker", "use pubsub://project/subscription"},
		{"with an unknown parameter", "pubsub://project/worker?topic=x", `"topic" is unknown`},
		{"with a strange answer", "pubsub://project/worker?insecure=yes", "true or false"},
		{"insecure, at Google", "pubsub://project/worker?insecure=true", "endpoint=host:port"},
		{"without credentials", "pubsub://project/worker", "gcloud auth application-default login"},
		{"a folder, when there is none", "dir://", "pubsub://project/subscription"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := queue.Open(t.Context(), tt.url, bucket("staging-bucket"))
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "--events") {
				t.Errorf("got %v, want --events and %q", err, tt.want)
			}
		})
	}
}

func TestPubSubOpenFails(t *testing.T) {
	t.Parallel()
	refused := pubsubtest.Start(t, pstest.WithErrorInjection("ModifyAckDeadline", codes.PermissionDenied, "no"))
	for name, tt := range map[string]struct{ url, want string }{
		"an absent subscription": {pubsubtest.Start(t).URLOf("absent"), "there is no such subscription; check --events"},
		"no permission":          {refused.URL("worker"), "grant pubsub.subscriptions.consume"},
		"nobody listens":         {"pubsub://project/worker?insecure=true&endpoint=127.0.0.1:1", "cannot be reached; check --events"},
	} {
		ctx := t.Context()
		if name == "nobody listens" { // only then time runs out
			brief, cancel := context.WithTimeout(ctx, time.Second)
			defer cancel()
			ctx = brief
		}
		if _, err := queue.Open(ctx, tt.url, bucket("staging-bucket")); err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "--events") {
			t.Errorf("%s: got %v, want %q", name, err, tt.want)
		}
	}
}

// A subscription that vanishes ends Receive with the reason, once what is held is settled.
func TestPubSubSubscriptionRemoved(t *testing.T) {
	t.Parallel()
	server := pubsubtest.Start(t)
	server.SetStreamTimeout(300 * time.Millisecond)
	source, err := queue.Open(t.Context(), server.URL("worker"), bucket("staging-bucket"))
	must(t, err)
	events, done := make(chan queue.Event, 10), make(chan error, 1)
	go func() { done <- source.Receive(t.Context(), func(e queue.Event) { events <- e }) }()
	server.Publish(nil, notification())
	e := <-events
	server.Delete("worker")
	time.AfterFunc(time.Second, func() { e.Settle(true) })
	select {
	case err := <-done:
		if err == nil || !strings.Contains(err.Error(), "there is no such subscription; check --events") {
			t.Errorf("got %v, want an error that names --events", err)
		}
	case <-time.After(soon):
		t.Error("it goes on")
	}
}

// A push to Cloud Storage gives one event, of the upload that it returned, and nothing else does.
func TestNotificationsOfABucket(t *testing.T) {
	t.Parallel()
	events, store := pubsubtest.Start(t), gcstest.Start(t)
	store.Notify = func(payload []byte, attrs map[string]string) { events.Publish(payload, attrs) }
	staging, err := gcs.OpenStaging(t.Context(), store.URL("staging-bucket"))
	must(t, err)
	defer staging.Close()
	r := receive(t, events.URL("worker"), nil)
	first, err := staging.Put(t.Context(), object, strings.NewReader("first"), catalog.Pusher{})
	must(t, err)
	large, err := staging.Put(t.Context(), object, strings.NewReader(strings.Repeat("x", 20<<20)), catalog.Pusher{})
	must(t, err)
	must(t, staging.PutVerdict(t.Context(), object, "", []byte("{}")))
	must(t, staging.Delete(t.Context(), large))
	got := map[catalog.Upload]bool{}
	for _, e := range r.expect(2) {
		got[e.Upload] = true
	}
	if !got[first] || !got[large] {
		t.Errorf("got %v, want %v and %v", got, first, large)
	}
	r.settle(true)
	proctest.Eventually(t, "all acknowledgements", func() bool {
		for _, m := range events.Messages() {
			if events.Acks(m.ID) != 1 {
				return false
			}
		}
		return true
	})
}
