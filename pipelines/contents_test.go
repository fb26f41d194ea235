package pipelines_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"repomill/pipelines"
	"repomill/pipelines/objects"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
	"repomill/testdata/debtest"
	"repomill/testdata/proctest"
)

// newContentsSite returns a site that reads the contents of DEBs up to some bytes.
func newContentsSite(t *testing.T, run runner, limit int64) *site {
	t.Helper()
	dir := t.TempDir()
	writeKey(t, dir)
	cfg := configOf(dir)
	cfg.MaxContents = limit
	migrate(t, cfg.Catalog)
	return openSite(t, dir, cfg, run)
}

const newestEntry = "hello (1.0-1) unstable; urgency=low\n\n  * <script>alert(1)</script>\n\n -- A <a@example.org>  Mon, 05 Jan 2026 10:00:00 +0000"

func withChangelog(name string) debtest.Spec {
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	w.Write([]byte(newestEntry + "\n")) //nolint:errcheck // into memory
	w.Close()                           //nolint:errcheck // likewise
	return debtest.Spec{Name: name, Arch: "amd64", Data: "xz", Files: map[string]string{
		"usr/bin/" + name: "x", "usr/share/<b>": "x", "usr/share/doc/" + name + "/changelog.Debian.gz": packed.String(),
	}}
}

// wantContents asks for the contents of all packages, as the step that makes pages does.
func (s *site) wantContents() []catalog.Package {
	s.t.Helper()
	all := s.everything()
	s.must(s.Catalog.WantContents(s.t.Context(), jammy.Repository, all))
	return all
}

// contentsOf returns what is known of the contents of a package, and the list of its files; "" if there is none.
func (s *site) contentsOf(k catalog.Package) (c *catalogdb.Contents, page string) {
	s.t.Helper()
	known, err := s.Catalog.PackageContents(s.t.Context(), k.Repository, []string{k.File.SHA256})
	s.must(err)
	body, err := os.ReadFile(s.pathOf(layout.FilesPageKey(k.Repository, k.Name, k.File.SHA256)))
	if !errors.Is(err, fs.ErrNotExist) {
		s.must(err)
	}
	return known[k.File.SHA256], string(body)
}

func (s *site) wantRead(k catalog.Package) {
	s.t.Helper()
	c, page := s.contentsOf(k)
	if c == nil || *c != (catalogdb.Contents{Files: 4, Changelog: newestEntry}) {
		s.t.Errorf("contents of %s are %+v", k.Name, c)
	}
	for _, path := range []string{"/usr/bin/" + k.Name, "/usr/share/&lt;b&gt;", "/usr/share/doc/" + k.Name + "/copyright"} {
		if !strings.Contains(page, path) {
			s.t.Errorf("the list of files of %s has no %s:\n%s", k.Name, path, page)
		}
	}
}

// noContents checks that nothing waits to be read now.
func (s *site) noContents() {
	s.t.Helper()
	if w, taken, err := s.TakeContents(s.t.Context()); taken || err != nil {
		s.t.Errorf("took %s, %v; want nothing", w.Name, err)
	}
}

// readContents takes one package, and reads it.
func (s *site) readContents() catalogdb.WantedContents {
	s.t.Helper()
	w, taken, err := s.TakeContents(s.t.Context())
	if s.must(err); !taken {
		s.t.Fatal("nothing is wanted")
	}
	s.must(pipelines.RunContents(s.t.Context(), s.run, s.Config, w))
	return w
}

func TestContentsOfPackages(t *testing.T) {
	onEachRunner(t, func(t *testing.T, run runner) {
		s := newContentsSite(t, run, 1<<20)
		s.push(jammy, withChangelog("hello"))
		all := s.wantContents()
		s.readContents()
		s.wantRead(all[0])
		s.wantContents()
		s.noContents()
	})
}

// A process that ended after it had written the list of files left everything else to the next.
func TestContentsAfterACrash(t *testing.T) {
	t.Parallel()
	s := newContentsSite(t, runDirect, 1<<20)
	s.push(jammy, withChangelog("hello"))
	k := s.wantContents()[0]
	s.readContents()
	_, page := s.contentsOf(k)

	twin := newContentsSite(t, runDirect, 1<<20)
	twin.push(jammy, withChangelog("hello"))
	twin.wantContents()
	key := layout.FilesPageKey(k.Repository, k.Name, k.File.SHA256)
	twin.must(twin.Bucket.Create(t.Context(), layout.ObjectOf(key), strings.NewReader(page)))
	twin.readContents()
	if _, again := twin.contentsOf(k); again != page {
		t.Error("the list of files differs")
	}
	twin.wantRead(k)
}

func TestContentsOfALargePackageAreSkipped(t *testing.T) {
	t.Parallel()
	s := newContentsSite(t, runDirect, 1<<20)
	spec := withChangelog("hello")
	spec.Size = 2 << 20
	s.push(jammy, spec)
	k := s.wantContents()[0]
	s.once()
	if c, page := s.contentsOf(k); c == nil || *c != (catalogdb.Contents{Why: "not read: larger than 1 MiB"}) || page != "" {
		t.Errorf("got %+v, and a list of %d bytes", c, len(page))
	}
	cfg := s.Config
	cfg.MaxContents = 4 << 20
	openSite(t, s.dir, cfg, runDirect).once()
	if c, page := s.contentsOf(k); c == nil || c.Files != 5 || c.Why != "" || !strings.Contains(page, "/payload") {
		t.Errorf("under a higher limit: got %+v, and a list of %d bytes", c, len(page))
	}
}

func TestContentsAreReadByWorkers(t *testing.T) {
	t.Parallel()
	s := newContentsSite(t, runDirect, 1<<20)
	var uploads []catalog.Upload
	for _, name := range []string{"a1", "b1", "c1", "d1", "e1"} {
		uploads = append(uploads, s.put(jammy.String()+"/"+name+".deb", debtest.Build(t, withChangelog(name))))
	}
	s.ingest(s.batch(uploads...))
	all := s.wantContents()
	first, second := s.serve(mute, grace), s.serve(mute, grace)
	proctest.Eventually(t, "no contents wait", func() bool {
		n, err := s.Catalog.CountWantedContents(t.Context())
		return n == 0 && err == nil
	})
	wantStopped(t, first)
	wantStopped(t, second)
	for _, k := range all {
		s.wantRead(k)
	}
	families, err := s.Registry().Gather()
	s.must(err)
	for _, f := range families {
		if f.GetName() != "repomill_contents_read_total" {
			continue
		}
		for _, m := range f.GetMetric() {
			if result, n := m.GetLabel()[0].GetValue(), m.GetCounter().GetValue(); result == "read" && n != float64(len(all)) || result != "read" && n != 0 {
				t.Errorf("%g are %s of %d", n, result, len(all))
			}
		}
	}
}

// An archive may become one that dpkg does not know far behind what an intake looks at.
func TestContentsOfAPackageThatDpkgRefuses(t *testing.T) {
	t.Parallel()
	s := newContentsSite(t, runDirect, 16<<20)
	noise := make([]byte, 3<<20)
	rand.NewChaCha8([32]byte{1}).Read(noise) //nolint:errcheck // never fails
	var data, control bytes.Buffer
	for _, part := range []struct {
		to      *bytes.Buffer
		headers []tar.Header
		bodies  [][]byte
	}{
		{&control, []tar.Header{{Name: "./control"}}, [][]byte{[]byte("Package: hello\nVersion: 1.0\nArchitecture: amd64\nMaintainer: A <a@example.org>\nDescription: d\n")}},
		{&data, []tar.Header{{Name: "./noise"}, {Name: "./later", Format: tar.FormatPAX, PAXRecords: map[string]string{"VENDOR.x": "y"}}}, [][]byte{noise, nil}},
	} {
		w := tar.NewWriter(part.to)
		for i, h := range part.headers {
			h.Typeflag, h.Mode, h.Size = tar.TypeReg, 0o644, int64(len(part.bodies[i]))
			s.must(w.WriteHeader(&h))
			_, err := w.Write(part.bodies[i])
			s.must(err)
		}
		s.must(w.Close())
	}
	u := s.put(jammy.String()+"/hello.deb", debtest.Ar(debtest.Member{Name: "debian-binary", Body: []byte("2.0\n")},
		debtest.Member{Name: "control.tar", Body: control.Bytes()}, debtest.Member{Name: "data.tar.gz", Body: debtest.Compress("gz", data.Bytes())}))
	s.ingest(s.batch(u))
	s.wantStates("published", u)
	k := s.wantContents()[0]
	s.once()
	if c, page := s.contentsOf(k); c == nil || !strings.HasPrefix(c.Why, "not read: dpkg cannot unpack data.tar.gz: it has PAX headers") || page != "" {
		t.Errorf("got %+v, and a list of %d bytes", c, len(page))
	}
	s.noContents()
}

func TestContentsOfAFileThatIsMissingWait(t *testing.T) {
	t.Parallel()
	s := newContentsSite(t, runDirect, 1<<20)
	s.push(jammy, withChangelog("hello"))
	k := s.wantContents()[0]
	was, err := os.ReadFile(s.pathOf(k.Key))
	s.must(err)
	s.must(os.Chmod(s.pathOf(k.Key), 0o600))
	s.must(os.WriteFile(s.pathOf(k.Key), append(bytes.Clone(was[:len(was)-1]), was[len(was)-1]^1), 0o600))
	w := s.readContents()
	if c, page := s.contentsOf(k); c != nil || page != "" {
		t.Errorf("other bytes: got %+v, and a list of %d bytes", c, len(page))
	}
	s.noContents() // for a minute
	s.must(os.WriteFile(s.pathOf(k.Key), was, 0o600))
	s.must(pipelines.RunContents(t.Context(), s.run, s.Config, w)) // as after that minute
	s.wantRead(k)
}

// A slowBucket gives out one object only when its caller does not want it any more.
type slowBucket struct {
	objects.Bucket
	key     string
	reading chan<- struct{}
}

func (b slowBucket) Get(ctx context.Context, key string) (io.ReadCloser, layout.Meta, error) {
	if key != b.key {
		return b.Bucket.Get(ctx, key)
	}
	b.reading <- struct{}{}
	<-ctx.Done()
	return nil, layout.Meta{}, ctx.Err()
}

// What is wanted is left to other processes if one ends, and is not an attempt.
func TestContentsThatAreInterruptedAreReturned(t *testing.T) {
	t.Parallel()
	s := newContentsSite(t, runDirect, 1<<20)
	s.push(jammy, withChangelog("hello"))
	k := s.wantContents()[0]
	bucket, reading := s.Bucket, make(chan struct{}, 9)
	s.Bucket = slowBucket{bucket, k.Key, reading}
	stop := s.serve(mute, grace)
	select {
	case <-reading:
	case <-time.After(time.Minute):
		t.Error("the package is not read")
	}
	wantStopped(t, stop)
	s.Bucket = bucket
	w := s.readContents()
	s.wantRead(k)
	if w.Attempts != 1 {
		t.Errorf("attempt %d, want the first", w.Attempts)
	}
}

func TestContentsGoWithTheFile(t *testing.T) {
	t.Parallel()
	s := newContentsSite(t, runDirect, 1<<20)
	s.push(jammy, withChangelog("hello"))
	s.push(jammy, withChangelog("kept"))
	s.wantContents()
	s.once()
	var hello, kept catalog.Package
	for _, k := range s.everything() {
		if s.wantRead(k); k.Name == "hello" {
			hello = k
		} else {
			kept = k
		}
	}
	s.withdraw(hello)
	s.PublishRelease(t.Context(), jammy, "")
	yanked, err := s.Catalog.Find(t.Context(), hello)
	s.must(err)
	_, err = s.Collector.RemoveNow(t.Context(), []catalog.Package{yanked})
	s.must(err)
	cfg := s.Config
	cfg.MaxContents = 0 // reads nothing more, and cleans up
	openSite(t, s.dir, cfg, runDirect).once()
	if c, page := s.contentsOf(hello); c != nil || page != "" {
		t.Errorf("got %+v, and a list of %d bytes", c, len(page))
	}
	s.wantRead(kept)
}
