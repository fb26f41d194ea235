package serve_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
	"repomill/serve"
	"repomill/testdata/proctest"
)

var tools = catalog.Repository{Owner: "acme", Name: "tools"}

const (
	toolsKey     = ".repomill/acme/tools.json"
	publicTools  = `{"repository":{"owner":"acme","name":"tools"},"visibility":"public"}`
	privateTools = `{"repository":{"owner":"acme","name":"tools"},"visibility":"private"}`
)

func TestOnlyGoodSettingsAreServed(t *testing.T) {
	for _, tt := range []struct {
		name, settings string
		want           int
		told           bool // as a fault, in the log
	}{
		{"public", publicTools, 302, false},
		{"public, with fields of a later release", strings.Replace(publicTools, "{", `{"later":[1],`, 1), 302, false},
		{"private", privateTools, 401, false},
		{"no visibility", `{"repository":{"owner":"acme","name":"tools"}}`, 404, false},
		{"an unknown visibility", strings.Replace(publicTools, "public", "Public", 1), 404, false},
		{"another repository's", strings.Replace(publicTools, "tools", "other", 1), 404, true},
		{"empty", "", 404, true},
		{"null", "null", 404, true},
		{"a list", "[]", 404, true},
		{"no JSON", "<html>public</html>", 404, true},
		{"cut off", publicTools[:len(publicTools)-1], 404, true},
		{"more than one value", publicTools + publicTools, 404, true},
		{"as long as allowed", publicTools + strings.Repeat(" ", 1<<20-len(publicTools)), 302, false},
		{"too long", publicTools + strings.Repeat(" ", 1<<20-len(publicTools)+1), 404, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBucket()
			b[toolsKey] = tt.settings
			s := newSite(t, b)
			for range 2 {
				if resp, _ := raw(t, s.resolver, "GET", "/"+debKey); resp.StatusCode != tt.want {
					t.Errorf("got %d, want %d", resp.StatusCode, tt.want)
				}
			}
			want := 0
			if tt.told {
				want = 1
			}
			if log := s.log.String(); strings.Count(log, "cannot read settings") != want {
				t.Errorf("log has %q, want %d faults", log, want)
			}
		})
	}
}

// A store counts what is asked for; what it answers may change.
type store struct {
	mu          sync.Mutex
	text        string // of toolsKey
	err         error
	gets, stats int
	clock       time.Time
}

func (s *store) Get(_ context.Context, key string) (io.ReadCloser, layout.Meta, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gets++
	meta, err := s.meta(key)
	return io.NopCloser(strings.NewReader(s.text)), meta, err
}

func (s *store) Stat(_ context.Context, key string) (layout.Meta, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats++
	return s.meta(key)
}

func (s *store) meta(key string) (layout.Meta, error) {
	if s.err != nil {
		return layout.Meta{}, s.err
	}
	if key != toolsKey || s.text == "" {
		return layout.Meta{Now: s.clock.Add(time.Minute)}, fmt.Errorf("open %s: %w", key, fs.ErrNotExist)
	}
	return layout.Meta{Version: layout.Version(s.text), Size: int64(len(s.text)), Now: s.clock.Add(time.Minute)}, nil
}

func (s *store) now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.clock
}

func (s *store) set(after time.Duration, text string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clock, s.text, s.err, s.gets, s.stats = noon.Add(after), text, err, 0, 0
}

// asked returns "get", "stat", both or nothing.
func (s *store) asked() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Repeat("stat ", s.stats) + strings.Repeat("get ", s.gets)
}

// settled waits until nothing is under way in a bubble: what is asked for in the background has no other sign.
func settled(t *testing.T, s *store, want string) {
	t.Helper()
	synctest.Wait()
	if got := s.asked(); got != want {
		t.Errorf("asked the store for %q, want %q", got, want)
	}
}

func TestSettingsAge(t *testing.T) { synctest.Test(t, settingsAge) }

func settingsAge(t *testing.T) {
	broken := errors.New("no connection")
	s := &store{}
	var log proctest.Output
	c := newSettings(s, slog.New(slog.NewTextHandler(&log, nil)), s.now) // 10 s, and a minute if need be
	for _, step := range []struct {
		name  string
		after time.Duration
		text  string // what the store has now
		err   error
		want  catalog.Visibility // empty for an error
		cause error
		asked string
	}{
		{"absent", 0, "", nil, "", fs.ErrNotExist, "get "},
		{"absence is remembered", 900 * time.Millisecond, publicTools, nil, "", fs.ErrNotExist, ""},
		{"but for a second only", 1 * time.Second, publicTools, nil, "public", nil, "get "},
		{"what was found is remembered", 5 * time.Second, "", nil, "public", nil, ""},
		{"halfway it is asked for again, and nobody waits", 6 * time.Second, publicTools, nil, "public", nil, "stat "},
		{"the age counts from then", 10 * time.Second, privateTools, nil, "public", nil, ""},
		{"whoever comes too late waits for the news", 16 * time.Second, privateTools, nil, "private", nil, "stat get "},
		{"the bucket is away: what was read holds on", 30 * time.Second, "", broken, "private", nil, "stat "},
		{"a fault is remembered", 30900 * time.Millisecond, "", broken, "private", nil, ""},
		{"and tried again after a second", 31 * time.Second, "", broken, "private", nil, "stat "},
		{"for a minute", 75 * time.Second, "", broken, "private", nil, "stat "},
		{"and no longer", 76 * time.Second, "", broken, "", broken, "stat "},
		{"the bucket is back", 78 * time.Second, privateTools, nil, "private", nil, "stat "},
		{"the settings are gone", 90 * time.Second, "", nil, "", fs.ErrNotExist, "stat "},
		{"the bucket is away, and nothing is known", 92 * time.Second, publicTools, broken, "", broken, "get "},
		{"the bucket is back again", 94 * time.Second, publicTools, nil, "public", nil, "get "},
		{"the clock was set back", -time.Hour, publicTools, nil, "public", nil, "stat "},
	} {
		s.set(step.after, step.text, step.err)
		got, err := c.Access(t.Context(), tools)
		if got.Visibility != step.want || !errors.Is(err, step.cause) || (err == nil) != (step.cause == nil) {
			t.Errorf("%s: got %q, %v, want %q, %v", step.name, got.Visibility, err, step.want, step.cause)
		}
		settled(t, s, step.asked)
	}
	for line, want := range map[string]int{
		"level=WARN msg=\"cannot read settings, cached settings stay in use\"": 1,
		"level=WARN msg=\"cannot read settings\"":                              1,
		"level=INFO msg=\"settings can be read again\"":                        2,
		"level=INFO msg=\"settings have changed\"":                             1,
		"level=WARN msg=\"settings object is gone, repository is not served\"": 1,
		"repository=acme/tools":                                                6,
	} {
		if got := strings.Count(log.String(), line); got != want {
			t.Errorf("the log has %d times %s, want %d:\n%s", got, line, want, log.String())
		}
	}
}

// A token that is revoked is of no use ten seconds later, however busy the repository is.
func TestRevocation(t *testing.T) {
	with := func(secret string) string {
		return strings.TrimSuffix(privateTools, "}") + `,"tokens":[{"name":"ci","sha256":"` + serve.TokenDigest(secret) + `"}]}`
	}
	s := &store{}
	c := newSettings(s, slog.New(slog.DiscardHandler), s.now)
	opens := func(secret serve.Secret) bool {
		a, err := c.Access(t.Context(), tools)
		if err != nil {
			t.Fatal(err)
		}
		return a.Opens([]serve.Secret{secret}, s.now())
	}
	s.set(0, with("old"), nil)
	if !opens("old") || opens("new") {
		t.Fatal("the token is no good at first")
	}
	for after := time.Second; after <= 10*time.Second; after += time.Second {
		s.set(after, with("new"), nil)
		opens("old")
	}
	if opens("old") || !opens("new") {
		t.Error("after ten seconds the old token is good, or the new one is not")
	}
}

// A gate is a bucket that answers when the test opens it.
type gate struct {
	store
	opened chan struct{}
	waits  atomic.Int32
}

func (g *gate) Get(ctx context.Context, key string) (io.ReadCloser, layout.Meta, error) {
	g.waits.Add(1)
	select {
	case <-g.opened:
		return g.store.Get(ctx, key)
	case <-ctx.Done():
		return nil, layout.Meta{}, ctx.Err()
	}
}

func TestSettingsAreReadOnceAtATime(t *testing.T) { synctest.Test(t, settingsAreReadOnceAtATime) }

func settingsAreReadOnceAtATime(t *testing.T) {
	g := &gate{opened: make(chan struct{})}
	g.set(0, publicTools, nil)
	c := newSettings(g, slog.New(slog.DiscardHandler), g.now)
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if a, err := c.Access(t.Context(), tools); err != nil || a.Visibility != catalog.Public {
				t.Errorf("got %+v, %v", a, err)
			}
		})
	}
	synctest.Wait()
	left, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Access(left, tools); !errors.Is(err, context.Canceled) {
		t.Errorf("a client that left waits on: %v", err)
	}
	close(g.opened)
	wg.Wait()
	if got := g.waits.Load(); got != 1 {
		t.Errorf("got %d reads, want 1", got)
	}
}

// However many names are made up, few are looked for at a time, and what is known is not forgotten.
func TestManyUnknownNames(t *testing.T) { synctest.Test(t, manyUnknownNames) }

func manyUnknownNames(t *testing.T) {
	g := &gate{opened: make(chan struct{})}
	g.set(0, publicTools, nil)
	c := newSettings(g, slog.New(slog.DiscardHandler), g.now)
	var wg sync.WaitGroup
	ask := func(i int) {
		if _, err := c.Access(t.Context(), catalog.Repository{Owner: "acme", Name: fmt.Sprint("x", i)}); !errors.Is(err, fs.ErrNotExist) {
			t.Error(err)
		}
	}
	for i := range 500 {
		wg.Go(func() { ask(i) })
	}
	synctest.Wait()
	if got := g.waits.Load(); got != 64 {
		t.Errorf("%d reads at a time, want 64", got)
	}
	close(g.opened)
	wg.Wait()
	if _, err := c.Access(t.Context(), tools); err != nil {
		t.Error(err)
	}
	for i := range 40_000 {
		ask(i)
	}
	g.set(0, "", errors.New("no connection"))
	if a, err := c.Access(t.Context(), tools); err != nil || a.Visibility != catalog.Public {
		t.Errorf("what is known was forgotten: %+v, %v", a, err)
	}
}

func TestHealth(t *testing.T) {
	s := &store{}
	s.set(0, publicTools, nil)
	var log proctest.Output
	c := newSettings(s, slog.New(slog.NewTextHandler(&log, nil)), s.now)
	if h := c.Health(); !h.Contact.IsZero() {
		t.Errorf("at first: %+v", h)
	}
	if err := c.Probe(t.Context()); err != nil {
		t.Error(err)
	}
	want := serve.Health{Contact: noon, Skew: time.Minute}
	if h := c.Health(); h != want {
		t.Errorf("after a probe: %+v, want %+v", h, want)
	}
	broken := errors.New("no connection")
	s.set(time.Minute, "", broken)
	for range 3 {
		if err := c.Probe(t.Context()); !errors.Is(err, broken) {
			t.Error(err)
		}
	}
	if h := c.Health(); h != want {
		t.Errorf("after a fault: %+v, want %+v", h, want)
	}
	s.set(2*time.Minute, "", nil)
	if err := c.Probe(t.Context()); err != nil || !c.Health().Contact.Equal(noon.Add(2*time.Minute)) {
		t.Errorf("afterwards: %+v, %v", c.Health(), err)
	}
	if got := strings.Count(log.String(), "\n"); got != 2 {
		t.Errorf("the log has %d lines, want one when the bucket went and one when it came:\n%s", got, log.String())
	}
}

// panicky has a bug.
type panicky struct{}

func (panicky) Get(context.Context, string) (io.ReadCloser, layout.Meta, error) {
	panic("a bug in a store")
}
func (panicky) Stat(context.Context, string) (layout.Meta, error) { panic("a bug in a store") }

func TestPanicWhileReadingIsNotPublic(t *testing.T) {
	c := newSettings(panicky{}, slog.New(slog.DiscardHandler), time.Now)
	for range 2 { // the second is not stuck behind the first
		if a, err := c.Access(t.Context(), tools); err == nil || a.Visibility != "" {
			t.Errorf("got %+v, %v, want an error", a, err)
		}
	}
}

// While the bucket cannot be read, no path says whether a repository exists: to apt and dnf a 404 is its end.
func TestUnreadableIsUndecided(t *testing.T) {
	s := &store{}
	s.set(0, publicTools, errors.New("no connection to 10.0.0.1"))
	var log proctest.Output
	site := newSiteWith(t, newBucket(), newKey(t), func(cfg *serve.ResolverConfig) {
		cfg.Settings = newSettings(s, slog.New(slog.NewTextHandler(&log, nil)), s.now)
	})
	for _, target := range []string{"/" + debKey, "/acme/secret/el/9.repo", "/acme/nothing/el/9.repo", "/acme/nothing/gpgkey"} {
		resp, body := raw(t, site.resolver, "GET", target)
		if resp.StatusCode != http.StatusServiceUnavailable || strings.Contains(body, "10.0.0.1") || resp.Header.Get("Retry-After") != "1" || resp.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: got %d, %q, %v, want a 503 that is not cached", target, resp.StatusCode, body, resp.Header)
		}
	}
	if got := strings.Count(log.String(), "\n"); got != 1 || !strings.Contains(log.String(), "no connection") {
		t.Errorf("want one line about the fault, the log has\n%s", log.String())
	}
}

// One refresh failed; minutes later, with the bucket well again, a token that was revoked long ago is asked about.
func TestFaultDoesNotKeepRevokedToken(t *testing.T) { synctest.Test(t, oneFaultKeepsNoRevokedToken) }

func oneFaultKeepsNoRevokedToken(t *testing.T) {
	secret, digest := serve.NewToken()
	with := strings.Replace(privateTools, `"private"`, `"private","tokens":[{"name":"x","sha256":"`+digest+`"}]`, 1)
	s := &store{}
	c := newSettings(s, slog.New(slog.DiscardHandler), s.now)
	opens := func() bool {
		a, err := c.Access(t.Context(), tools)
		if err != nil {
			t.Log(err)
		}
		return a.Visibility == catalog.Private && a.Opens([]serve.Secret{serve.Secret(secret)}, s.now())
	}
	s.set(0, with, nil)
	if !opens() {
		t.Fatal("token does not open")
	}
	s.set(6*time.Second, with, errors.New("503 slow down"))
	opens()
	settled(t, s, "stat ")
	s.set(50*time.Second, privateTools, nil) // revoked 40 s ago; the bucket answered all the time but once. (MaxStale is a minute here, 15 in the resolver)
	if opens() {
		t.Error("a token that was revoked 40 s ago is good, although the bucket answers")
	}
}
