package objectstest

import (
	"errors"
	"io"
	"io/fs"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"repomill/schemas/catalog"
)

func stagedCreated(t *testing.T, s Staging) {
	broken := errors.New("broken off")
	body := io.MultiReader(strings.NewReader("hel"), iotest.ErrReader(broken))
	if u, err := s.Create(t.Context(), Staged, body, pusher); !errors.Is(err, broken) {
		t.Errorf("a body that breaks off: got %+v, %v", u, err)
	}
	checkListed(t, s)
	first, err := s.Create(t.Context(), Staged, strings.NewReader("hello"), pusher)
	if err != nil {
		t.Fatal(err)
	}
	checkStaged(t, s, first, "hello")
	for _, again := range []string{"hello", "other"} {
		if u, err := s.Create(t.Context(), Staged, strings.NewReader(again), pusher); !errors.Is(err, fs.ErrExist) {
			t.Errorf("created again as %q: got %+v, %v; want ErrExist", again, u, err)
		}
	}
	checkStaged(t, s, first, "hello")
	checkListed(t, s, first)
	second := put(t, s, Staged, "replaced")
	checkStaged(t, s, second, "replaced")
	if err := s.Delete(t.Context(), second); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Create(t.Context(), Staged, strings.NewReader("back"), pusher); err != nil {
		t.Errorf("a name that is free again: %v", err)
	}
	if u, err := s.Create(t.Context(), "", strings.NewReader("x"), pusher); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("an empty name: got %+v, %v; want ErrInvalid", u, err)
	}
}

// createdConcurrently lets several create one name, none of which may read its body before all have begun.
func createdConcurrently(t *testing.T, s Staging) {
	const writers = 4
	var begun, done sync.WaitGroup
	begun.Add(writers)
	var mu sync.Mutex
	var created []catalog.Upload
	for i := range writers {
		done.Go(func() {
			body := &gate{r: strings.NewReader(strings.Repeat("x", i+1)), begun: &begun}
			u, err := s.Create(t.Context(), Staged, body, pusher)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				created = append(created, u)
			case !errors.Is(err, fs.ErrExist):
				t.Errorf("got %v, want ErrExist", err)
			}
		})
	}
	done.Wait()
	if len(created) != 1 {
		t.Fatalf("created: %+v; want one", created)
	}
	checkStaged(t, s, created[0], strings.Repeat("x", int(created[0].Size)))
	checkListed(t, s, created[0])
}

// A gate is a body whose first Read waits until others have begun.
type gate struct {
	r     io.Reader
	begun *sync.WaitGroup
	once  sync.Once
}

// Read implements [io.Reader].
func (g *gate) Read(p []byte) (int, error) {
	g.once.Do(func() {
		g.begun.Done()
		g.begun.Wait()
	})
	return g.r.Read(p)
}
