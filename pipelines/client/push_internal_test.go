package client

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"repomill/pipelines/command"
	"repomill/pipelines/objects"
	"repomill/schemas/catalog"
)

// flaky is a staging bucket that fails some times.
type flaky struct {
	objects.Staging
	fails int
	err   error
	got   []string // bodies
}

func (f *flaky) Put(_ context.Context, object string, body io.Reader, _ catalog.Pusher) (catalog.Upload, error) {
	b, err := io.ReadAll(body)
	if err != nil {
		return catalog.Upload{}, err
	}
	f.got = append(f.got, string(b))
	if f.fails--; f.fails >= 0 {
		return catalog.Upload{}, f.err
	}
	return catalog.Upload{Object: object, Generation: "1"}, nil
}

func TestStageTriesAgain(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a.deb")
	if err := os.WriteFile(file, []byte("bytes"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name           string
		fails, retries int
		err            error
		code, attempts int
	}{
		{"a fault that goes away", 1, 1, errors.New("reset"), command.OK, 2},
		{"a fault that stays", 9, 1, errors.New("reset"), command.Unreachable, 2},
		{"no retries", 1, 0, errors.New("reset"), command.Unreachable, 1},
		{"what is not permitted stays so", 9, 5, fs.ErrPermission, command.Unreachable, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := &flaky{fails: tt.fails, err: tt.err}
			var said bytes.Buffer
			c := Push{Retries: tt.retries}
			_, err := c.stage(t.Context(), Stdio{io.Discard, &said}, s, &pushed{file: file, object: "o"})
			if command.CodeOf(err) != tt.code || len(s.got) != tt.attempts || strings.Count(said.String(), "trying again in 1s") != tt.attempts-1 {
				t.Errorf("got %v after %d attempts, want code %d after %d; said %q", err, len(s.got), tt.code, tt.attempts, said.String())
			}
			for _, body := range s.got {
				if body != "bytes" {
					t.Errorf("an attempt stored %q", body)
				}
			}
		})
	}
}

func TestProgressText(t *testing.T) {
	up := func(s catalog.UploadState) *pushed {
		return &pushed{file: "dist/a.deb", verdict: catalog.Verdict{State: s}, settled: s == catalog.Rejected}
	}
	for _, tt := range []struct {
		want   string
		waited time.Duration
		ups    []*pushed
	}{
		{"a.deb: stored (0s)", 0, []*pushed{up("")}},
		{"a.deb: stored; does a worker (or up) run? (6s)", 6 * time.Second, []*pushed{up("")}},
		{"a.deb: received (1m0s)", time.Minute, []*pushed{up(catalog.Received)}},
		{"a.deb: publishing (1s)", time.Second, []*pushed{up(catalog.Stored)}},
		{"a.deb: publishing (1s)", time.Second, []*pushed{up(catalog.Published)}}, // clients do not see it yet
		{"1/4: 1 stored, 1 received, 1 publishing (9s)", 9 * time.Second, []*pushed{up(""), up(catalog.Rejected), up(catalog.Received), up(catalog.Stored)}},
	} {
		if got := progressText(tt.ups, tt.waited); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
	long := &pushed{file: strings.Repeat("ü", 200) + "\x1b[2J.deb"}
	if got := progressText([]*pushed{long}, 61*time.Minute); len([]rune(got)) > 79 || strings.Contains(got, "\x1b") {
		t.Errorf("it does not fit into a line: %q", got)
	}
}

// What a push prints has no signature in it.
func TestSignedURLsAreNotShown(t *testing.T) {
	broken := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	defer broken.Close()
	resolver := httptest.NewServer(http.RedirectHandler(broken.URL+"/InRelease?Policy=abc&Signature=secret", http.StatusFound))
	defer resolver.Close()
	var agent string
	seen := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		agent = r.UserAgent()
		http.NotFound(w, r)
	}))
	defer seen.Close()
	w := verdictPoller{client: http.DefaultClient}
	err := w.fetch(t.Context(), catalog.VerdictRelease{Pointer: resolver.URL})
	if err == nil || strings.Contains(err.Error(), "secret") || !strings.Contains(err.Error(), broken.URL+"/InRelease") {
		t.Errorf("got %v", err)
	}
	if err := w.fetch(t.Context(), catalog.VerdictRelease{Pointer: seen.URL}); err == nil || agent != command.UserAgent("repomill") || !strings.HasPrefix(agent, "repomill/") {
		t.Errorf("got %v; the client says that it is %q", err, agent)
	}
}
