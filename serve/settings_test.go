package serve_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
	"repomill/serve"
)

var tools = catalog.Repository{Owner: "acme", Name: "tools"}

const (
	toolsKey    = ".repomill/acme/tools.json"
	publicTools = `{"repository":{"owner":"acme","name":"tools"},"visibility":"public"}`
)

func TestOnlyPublicSettingsAreServed(t *testing.T) {
	for _, tt := range []struct {
		name, settings string
		want           int
	}{
		{"public", publicTools, 302},
		{"public, with fields of a later release", strings.Replace(publicTools, "{", `{"later":[1],`, 1), 302},
		{"private", strings.Replace(publicTools, "public", "private", 1), 404},
		{"no visibility", `{"repository":{"owner":"acme","name":"tools"}}`, 404},
		{"an unknown visibility", strings.Replace(publicTools, "public", "Public", 1), 404},
		{"another repository's", strings.Replace(publicTools, "tools", "other", 1), 404},
		{"empty", "", 404},
		{"null", "null", 404},
		{"a list", "[]", 404},
		{"no JSON", "<html>public</html>", 404},
		{"cut off", publicTools[:len(publicTools)-1], 404},
		{"more than one value", publicTools + publicTools, 404},
		{"as long as allowed", publicTools + strings.Repeat(" ", 1<<20-len(publicTools)), 302},
		{"too long", publicTools + strings.Repeat(" ", 1<<20-len(publicTools)+1), 404},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBucket()
			b[toolsKey] = tt.settings
			s := newSite(t, b)
			if resp, _ := raw(t, s.resolver, "GET", "/"+debKey); resp.StatusCode != tt.want {
				t.Errorf("got %d, want %d", resp.StatusCode, tt.want)
			}
			unreadable := tt.want == http.StatusNotFound && !strings.Contains(tt.name, "visib") && tt.name != "private"
			if log := s.log.String(); unreadable != strings.Contains(log, "cannot read settings") {
				t.Errorf("log has %q, want a fault: %v", log, unreadable)
			}
		})
	}
}

// A store counts what is opened; what it answers may change.
type store struct {
	mu    sync.Mutex
	text  string // of toolsKey
	err   error
	reads int
	clock time.Time
}

func (s *store) open(_ context.Context, key string) (io.ReadCloser, layout.Meta, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reads++
	if s.err != nil {
		return nil, layout.Meta{}, s.err
	}
	if key != toolsKey || s.text == "" {
		return nil, layout.Meta{}, fmt.Errorf("open %s: %w", key, fs.ErrNotExist)
	}
	return io.NopCloser(strings.NewReader(s.text)), layout.Meta{}, nil
}

func (s *store) now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.clock
}

func (s *store) set(after time.Duration, text string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clock, s.text, s.err, s.reads = noon.Add(after), text, err, 0
}

func TestSettingsAge(t *testing.T) {
	broken := errors.New("no connection")
	s := &store{}
	c := serve.NewSettingsCache(s.open, 5*time.Second, s.now)
	for _, step := range []struct {
		name      string
		after     time.Duration
		text      string // what the store has now
		err       error
		wantRead  bool
		wantError error
	}{
		{"absent", 0, "", nil, true, fs.ErrNotExist},
		{"absence is remembered", 900 * time.Millisecond, publicTools, nil, false, fs.ErrNotExist},
		{"but for a second only", 1 * time.Second, publicTools, nil, true, nil},
		{"found is remembered", 5 * time.Second, "", nil, false, nil},
		{"whatever happens to the store", 5900 * time.Millisecond, "", broken, false, nil},
		{"then it is read again, and a fault is no leave to go on", 6 * time.Second, publicTools, broken, true, broken},
		{"a fault is remembered", 6900 * time.Millisecond, publicTools, nil, false, broken},
		{"for a second too", 7 * time.Second, publicTools, nil, true, nil},
		{"withdrawn", 12 * time.Second, "", nil, true, fs.ErrNotExist},
	} {
		s.set(step.after, step.text, step.err)
		got, err := c.Settings(t.Context(), tools)
		if !errors.Is(err, step.wantError) {
			t.Errorf("%s: got error %v, want %v", step.name, err, step.wantError)
		}
		if public := got.Visibility == catalog.Public; public != (step.wantError == nil) {
			t.Errorf("%s: got %+v", step.name, got)
		}
		if read := s.reads > 0; read != step.wantRead {
			t.Errorf("%s: read the store: %v, want %v", step.name, read, step.wantRead)
		}
	}
}

func TestSettingsAreReadOnceAtATime(t *testing.T) {
	var reads atomic.Int32
	release := make(chan struct{})
	c := serve.NewSettingsCache(func(context.Context, string) (io.ReadCloser, layout.Meta, error) {
		reads.Add(1)
		<-release
		return io.NopCloser(strings.NewReader(publicTools)), layout.Meta{}, nil
	}, time.Second, func() time.Time { return noon })

	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if s, err := c.Settings(t.Context(), tools); err != nil || s.Visibility != catalog.Public {
				t.Errorf("got %+v, %v", s, err)
			}
		})
	}
	for reads.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	left, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Settings(left, tools); !errors.Is(err, context.Canceled) {
		t.Errorf("a client that left waits on: %v", err)
	}
	close(release)
	wg.Wait()
	if got := reads.Load(); got != 1 {
		t.Errorf("got %d reads, want 1", got)
	}
}

func TestManyUnknownNames(t *testing.T) {
	s := &store{}
	s.set(0, publicTools, nil)
	c := serve.NewSettingsCache(s.open, time.Hour, s.now)
	for i := range 10_000 {
		if _, err := c.Settings(t.Context(), catalog.Repository{Owner: "acme", Name: fmt.Sprint("x", i)}); !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
	}
	if got, err := c.Settings(t.Context(), tools); err != nil || got.Visibility != catalog.Public {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestPanicWhileReadingIsNotPublic(t *testing.T) {
	c := serve.NewSettingsCache(func(context.Context, string) (io.ReadCloser, layout.Meta, error) {
		panic("a bug in a store")
	}, time.Second, func() time.Time { return noon })
	for range 2 { // the second is not stuck behind the first
		func() {
			defer func() { _ = recover() }()
			if _, err := c.Settings(t.Context(), tools); err == nil {
				t.Error("got no error")
			}
		}()
	}
}
