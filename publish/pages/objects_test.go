package pages_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"repomill/publish/keys"
	"repomill/publish/pages"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

// Pages may be large: they are replaced and removed like others.
func TestLargePagesAreReplaced(t *testing.T) {
	large := bytes.Repeat([]byte("<p>large</p>\n"), 900_000)
	w := newWorld(t)
	w.push(pkg{jammy, "hello", "1.0", "says hello"})
	w.publish()
	m := w.maker()
	w.make(m)
	work := catalogdb.PageWork{Repository: tools, Front: true, Requests: []catalogdb.PageRequest{{Name: "hello"}}}
	var keys []string
	for key := range w.pages() {
		if !strings.HasPrefix(key, "assets/") {
			keys = append(keys, key)
			w.bucket.Put(key, large)
		}
	}
	if failed, _, err := m.Make(t.Context(), work); err != nil || len(failed) > 0 {
		t.Errorf("failed: %v, %v", failed, err)
	}
	for _, key := range keys {
		w.want(key, "!large")
	}
}

func TestAllPagesHaveTheirAssetsAgain(t *testing.T) {
	w := newWorld(t)
	w.push(pkg{jammy, "hello", "1.0", "says hello"})
	w.publish()
	m := w.maker()
	w.make(m)
	var lost []string
	for key := range w.pages() {
		if strings.HasPrefix(key, "assets/") {
			lost = append(lost, key)
			w.bucket.Put(key, nil)
		}
	}
	w.ask()
	w.make(m)
	for _, key := range lost {
		if !w.has(key) {
			t.Errorf("there is no %s", key)
		}
	}
	if len(lost) == 0 {
		t.Error("there were no assets")
	}
}

// No page of a name that the list of names does not have is read before it is written. One that is there still, as after the loss of the catalog, is
// replaced, and what it says is of today.
func TestPagesOfANewName(t *testing.T) {
	w := newWorld(t)
	w.push(pkg{jammy, "hello", "1.0", "says hello"})
	w.publish()
	m := w.maker()
	w.make(m)
	all := []string{layout.NamePageKey(tools, "bye"), layout.NameTwinKey(tools, "bye"), layout.NameFeedKey(tools, "bye"), layout.VersionPageKey(tools, "bye", "1.0"),
		layout.OlderPageKey(tools, "bye", 1), layout.OlderTwinKey(tools, "bye", 1)}
	var mu sync.Mutex
	var read []string
	for _, key := range all {
		for _, op := range []string{"Get", "Stat"} {
			w.bucket.After(op, key, func() {
				mu.Lock()
				defer mu.Unlock()
				read = append(read, key)
			})
		}
	}
	w.push(pkg{jammy, "bye", "1.0", "says goodbye"})
	w.publish()
	w.make(m)
	w.want(all[0], "1.0")
	w.want(all[3], "says goodbye")
	if len(read) > 0 {
		t.Errorf("read before they were there: %q", read)
	}
	for _, key := range []string{layout.NamePageKey(tools, "other"), layout.NameFeedKey(tools, "other"), layout.VersionPageKey(tools, "other", "1.0")} {
		w.bucket.Put(key, []byte("of another catalog"))
	}
	w.bucket.Put(layout.OlderPageKey(tools, "other", 1), []byte("of another catalog"))
	w.push(pkg{jammy, "other", "1.0", "is another one"})
	w.publish()
	w.make(m)
	w.want(layout.NamePageKey(tools, "other"), "1.0", "!another catalog")
	w.want(layout.NameFeedKey(tools, "other"), "!another catalog")
	w.want(layout.VersionPageKey(tools, "other", "1.0"), "is another one", "!another catalog")
	w.wantNone(layout.OlderPageKey(tools, "other", 1))
}

// A countedCatalog counts what is asked of names.
type countedCatalog struct {
	*catalogdb.DB
	versions, packages, lists atomic.Int64
}

func (c *countedCatalog) PageVersions(ctx context.Context, r catalog.Repository, name string) ([]catalogdb.PageVersion, error) {
	c.versions.Add(1)
	return c.DB.PageVersions(ctx, r, name)
}

func (c *countedCatalog) PagePackages(ctx context.Context, r catalog.Repository, name string, versions []string, fragments bool) ([]catalogdb.PagePackage, error) {
	c.packages.Add(1)
	return c.DB.PagePackages(ctx, r, name, versions, fragments)
}

func (c *countedCatalog) PageFilelists(ctx context.Context, p catalogdb.PagePackage) ([]byte, error) {
	c.lists.Add(1)
	return c.DB.PageFilelists(ctx, p)
}

// The rows of a name that is new are read twice: for its pages, and for its row in the list of names. Of one that pages have, a new version costs a few
// questions more, and each file is asked for its list once.
func TestQuestionsOfAName(t *testing.T) {
	w := newWorld(t)
	counted := &countedCatalog{DB: w.db}
	m := pages.New(pages.Config{Bucket: w.bucket, Catalog: counted, Keys: func(context.Context) (keys.Set, error) { return w.set, nil },
		PublicURL: publicURL, Now: w.at, Log: slog.New(slog.DiscardHandler)})
	for _, tt := range []struct {
		version                   string
		versions, packages, lists int64
	}{
		{"1.0", 2, 2, 1},
		{"2.0", 4, 3, 1},
	} {
		w.push(pkg{el9, "tool", tt.version, "a tool"})
		w.publish()
		counted.versions.Store(0)
		counted.packages.Store(0)
		counted.lists.Store(0)
		w.make(m)
		w.want(layout.NamePageKey(tools, "tool"), tt.version)
		if got := [3]int64{counted.versions.Load(), counted.packages.Load(), counted.lists.Load()}; got != [3]int64{tt.versions, tt.packages, tt.lists} {
			t.Errorf("version %s: versions, packages and lists of files were asked for %d times, want %d, %d and %d", tt.version, got, tt.versions, tt.packages, tt.lists)
		}
	}
}
