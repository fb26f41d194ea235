package ingest_test

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"repomill/ingest"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/testdata/debtest"
)

// pushedBy returns whom the log names for the last upload of the repository.
func (s *site) pushedBy() (by catalog.Pusher) {
	s.t.Helper()
	for e, err := range s.db.Log(s.t.Context(), catalog.Target(tools), time.Time{}) {
		if err != nil {
			s.t.Fatal(err)
		}
		if e.Action == catalog.ActionUpload {
			by = catalog.Pusher{User: e.By, Job: e.Job}
		}
	}
	return by
}

// begin takes the lease of an upload, a minute after the one that was accepted.
func (s *site) begin(u catalog.Upload) {
	s.t.Helper()
	if token, _, err := s.db.Take(s.t.Context(), u, catalogdb.Lease{Owner: "test", For: time.Hour}, noon.Add(time.Minute)); err != nil || token == "" {
		s.t.Fatalf("%q, %v", token, err)
	}
}

// tryStore is Store for a worker that goes on after a panic.
func (s *site) tryStore(ctx context.Context, u catalog.Upload) (err error) {
	defer func() {
		if recover() != nil {
			err = errFault
		}
	}()
	_, err = s.Store(ctx, u)
	return err
}

// Each upload has the name of its own pusher in the log, also one that fails.
func TestPusherOfEveryUpload(t *testing.T) {
	lee := catalog.Pusher{User: "lee", Job: "https://ci.example.com/2"}
	panics := func(int64) { panic("index out of range") }
	slow := func(int64) { time.Sleep(50 * time.Millisecond) }
	for _, tt := range []struct {
		name, object string
		body         []byte
		along        func(int64)
		opened       error // of Open
		claim        fault
		limit        time.Duration
		want         error // of the kind; nil for none
	}{
		{name: "a package", object: debObject, body: debtest.Build(t, debtest.Spec{Arch: "amd64", Version: "2"})},
		{name: "a duplicate", object: debObject, body: hello(t)},
		{name: "a conflict", object: debObject, body: debtest.Build(t, debtest.Spec{Arch: "amd64", Seed: 1, Size: 10}), want: &catalog.Rejection{}},
		{name: "what is not a package", object: debObject, body: []byte("hello"), want: &catalog.Rejection{}},
		{name: "a path that is not a place", object: "acme/tools/hello.deb", body: hello(t), want: &catalog.Rejection{}},
		{name: "a distribution that is not in the table", object: "acme/tools/ubuntu/nosuch/hello.deb", body: hello(t), want: &catalog.Rejection{}},
		{name: "a name of a source package", object: "acme/tools/ubuntu/jammy/hello.dsc", body: hello(t), want: &catalog.Rejection{}},
		{name: "a store that panics", object: debObject, body: hello(t), along: panics, want: errFault},
		{name: "what is rejected when it is opened", object: debObject, body: hello(t), opened: &catalog.Rejection{Reason: catalog.Late}, want: &catalog.Rejection{}},
		{name: "a path that is not a place, of what is rejected when it is opened", object: "acme/tools/hello.deb", body: hello(t), opened: &catalog.Rejection{Reason: catalog.Late}, want: &catalog.Rejection{}},
		{name: "a claim that fails", object: debObject, body: debtest.Build(t, debtest.Spec{Arch: "amd64", Version: "2"}), claim: lost, want: errFault},
		{name: "an attempt that takes too long", object: debObject, body: hello(t), along: slow, limit: 20 * time.Millisecond, want: context.DeadlineExceeded},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSite(t)
			s.Staging = pushed{s.staging, catalog.Pusher{User: "kim", Job: "https://ci.example.com/1"}}
			s.accept(s.put(debObject, hello(t)))
			s.Staging = pushed{s.staging, lee}
			if tt.along != nil {
				s.Staging = staging{s.Staging, tt.along}
			}
			if tt.opened != nil {
				s.Staging = unopened{lee, tt.opened}
			}
			s.db.claim = tt.claim
			u := s.put(tt.object, tt.body)
			s.begin(u)
			ctx := t.Context()
			if tt.limit != 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, tt.limit)
				defer cancel()
			}
			err := s.tryStore(ctx, u)
			_, rejected := errors.AsType[*catalog.Rejection](err)
			_, reject := tt.want.(*catalog.Rejection) //nolint:errorlint // it is the kind that is wanted
			if rejected != reject || !reject && !errors.Is(err, tt.want) {
				t.Fatalf("got %v, want %v", err, tt.want)
			}
			if got := s.pushedBy(); got != lee {
				t.Errorf("the log names %+v, want %+v", got, lee)
			}
		})
	}
}

// An unopened staging knows who pushed what it does not open.
type unopened struct {
	by  catalog.Pusher
	err error
}

func (s unopened) Open(context.Context, catalog.Upload) (io.ReadCloser, catalog.Pusher, error) {
	return nil, s.by, s.err
}

// unrecorded is a catalog that records no pushers.
type unrecorded struct {
	ingest.Catalog
	asked int
}

func (c *unrecorded) RecordPusher(context.Context, catalog.Upload, catalog.Pusher) error {
	c.asked++
	return errFault
}

// An upload without its pusher has no outcome yet: it is tried again. A package takes no statement more.
func TestPusherThatCannotBeRecorded(t *testing.T) {
	for _, tt := range []struct {
		name  string
		by    catalog.Pusher
		body  []byte
		asked int
		want  error
	}{
		{"a package", catalog.Pusher{User: "lee"}, debtest.Build(t, debtest.Spec{Arch: "amd64", Version: "2"}), 0, nil},
		{"a duplicate", catalog.Pusher{User: "lee"}, hello(t), 1, errFault},
		{"what is rejected", catalog.Pusher{User: "lee"}, []byte("hello"), 1, errFault},
		{"a duplicate of an unknown pusher", catalog.Pusher{}, hello(t), 0, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSite(t)
			s.accept(s.put(debObject, hello(t)))
			db := &unrecorded{Catalog: s.db}
			s.Staging, s.Catalog = pushed{s.staging, tt.by}, db
			if _, err := s.Store(t.Context(), s.put(debObject, tt.body)); !errors.Is(err, tt.want) || db.asked != tt.asked {
				t.Errorf("got %v after %d questions, want %v after %d", err, db.asked, tt.want, tt.asked)
			}
		})
	}
}
