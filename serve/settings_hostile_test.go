package serve_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
	"repomill/serve"
	"repomill/testdata/proctest"
)

// A flood of invented names fills the queue of first reads. Further requests are refused at once and hold
// no memory, the log has one line, and cached repositories are served as before.
func TestUnknownNamesFloodIsRefused(t *testing.T) { synctest.Test(t, floodOfUnknownNamesIsRefused) }

func floodOfUnknownNamesIsRefused(t *testing.T) {
	const queue, more = 1024, 500
	g := &gate{opened: make(chan struct{})}
	g.set(0, publicTools, nil)
	var log proctest.Output
	declared := catalog.Repository{Owner: "acme", Name: "declared"}
	c := newSettings(beside{g, layout.SettingsKey(declared), strings.Replace(publicTools, "tools", declared.Name, 1)}, slog.New(slog.NewTextHandler(&log, nil)), g.now)
	go func() { g.opened <- struct{}{} }()
	if _, err := c.Access(t.Context(), tools); err != nil {
		t.Fatal(err)
	}
	refused, queued := make(chan struct{}, queue+more), sync.WaitGroup{}
	for i := range queue + more {
		queued.Go(func() {
			if _, err := c.Access(t.Context(), catalog.Repository{Owner: "acme", Name: fmt.Sprint("x", i)}); err == nil {
				t.Error("an unknown name is known")
			} else if !errors.Is(err, fs.ErrNotExist) {
				refused <- struct{}{}
			}
		})
	}
	synctest.Wait() // until all the others wait
	for range more {
		select {
		case <-refused:
		default: // who waits is refused after five seconds
			t.Fatal("they wait")
		}
	}
	if a, err := c.Access(t.Context(), tools); err != nil || a.Visibility != catalog.Public {
		t.Errorf("what is known is not served: %+v, %v", a, err)
	}
	if _, err := c.Access(t.Context(), declared); err == nil || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a declared repository that is not cached: got %v, want an error that does not deny it", err)
	}
	close(g.opened)
	queued.Wait()
	g.set(time.Second, publicTools, nil)
	if a, err := c.Access(t.Context(), declared); err != nil || a.Visibility != catalog.Public {
		t.Errorf("a declared repository, a second later: %+v, %v", a, err)
	}
	if len(refused) != 0 || strings.Count(log.String(), "\n") != 1 || !strings.Contains(log.String(), "too many unknown") {
		t.Errorf("%d more are refused, and the log has\n%s", len(refused), log.String())
	}
}

// beside is a store with one more settings object, which is read at once.
type beside struct {
	*gate
	key, text string
}

func (b beside) Get(ctx context.Context, key string) (io.ReadCloser, layout.Meta, error) {
	if key == b.key {
		return io.NopCloser(strings.NewReader(b.text)), layout.Meta{Version: "1"}, nil
	}
	return b.gate.Get(ctx, key)
}

// FuzzSettings checks that a settings object that is not JSON serves nothing, that a token which it does not
// have opens nothing, and that nothing of it breaks a line of the log.
func FuzzSettings(f *testing.F) {
	secret, digest := serve.NewToken()
	for _, seed := range []string{publicTools, privateTools, "", "null", "[]", publicTools + "{}", strings.Replace(publicTools, "tools", "other", 1), strings.Replace(publicTools, "public", "Public", 1),
		strings.Replace(privateTools, `"private"`, `"private","tokens":[{"name":"x","sha256":"`+serve.TokenDigest("x")+`","expires":"2026-01-01T00:00:00Z"},{"sha256":"zz"}]`, 1)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(strings.ToLower(text), digest) {
			return
		}
		s := &store{}
		s.set(0, text, nil)
		var log proctest.Output
		a, err := newSettings(s, slog.New(slog.NewJSONHandler(&log, nil)), s.now).Access(t.Context(), tools)
		if err != nil && a.Visibility != "" {
			t.Errorf("%q: got %q with %v", text, a.Visibility, err)
		}
		if a.Opens([]serve.Secret{serve.Secret(secret), "", "x\x00"}, noon) {
			t.Errorf("%q opens to anybody", text)
		}
		if served := a.Visibility == catalog.Public || a.Visibility == catalog.Private; served && !json.Valid([]byte(text)) {
			t.Errorf("%q is %s", text, a.Visibility)
		}
		for line := range strings.Lines(log.String()) {
			if !json.Valid([]byte(line)) {
				t.Errorf("%q: the log has %q", text, line)
			}
		}
	})
}
