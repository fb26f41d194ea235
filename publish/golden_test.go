package publish_test

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"flag"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"repomill/publish/tree"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
	"repomill/testdata/debtest"
	"repomill/testdata/rpmtest"
)

var update = flag.Bool("update", false, "rewrite the golden releases")

// A goldenRelease is a distribution whose bytes are kept, with one more package that comes later, and one of the uploads
// that is withdrawn then.
type goldenRelease struct {
	name     string
	releases []catalog.Release
	uploads  func(*world) []upload
	more     func(*world) upload
	yanked   int // index in uploads
}

var goldenReleases = []goldenRelease{
	{"jammy", []catalog.Release{jammy}, debs, func(w *world) upload {
		return w.deb(jammy, "main", debtest.Spec{Name: "hello", Version: "1.11", Arch: "amd64"})
	}, 2},
	{"el9", []catalog.Release{el9, in(el9, "aarch64"), in(el9, "SRPMS")}, rpms, func(w *world) upload {
		return w.rpm(el9, rpmtest.Spec{Name: "hello", Version: "1.11", Release: "1.el9"})
	}, 1},
}

// A golden release is all that clients read, byte for byte, but for what is drawn at random: the nonce
// and the signing key.
func TestGoldenReleases(t *testing.T) {
	for _, g := range goldenReleases {
		t.Run(g.name, func(t *testing.T) {
			simulate(t, func(t *testing.T, w *world) {
				uploads := g.uploads(w)
				w.push(uploads...)
				first := g.publish(w)
				compareGolden(t, g.name, first)
				time.Sleep(time.Hour)
				w.push(g.more(w))
				more := g.publish(w)
				compareGolden(t, g.name+"-one-more", difference(first, more))
				time.Sleep(time.Hour)
				w.yank(uploads[g.yanked])
				compareGolden(t, g.name+"-yank", difference(more, g.publish(w)))
			})
		})
	}
}

// publish publishes and returns all that clients read.
func (g goldenRelease) publish(w *world) []txtar.File {
	var files []txtar.File
	for _, r := range g.releases {
		w.publish(r)
		files = append(files, texts(w, r)...)
	}
	return append(files, settings(w), config(w, g.releases[0]), objects(w))
}

// difference returns the files of after that before does not have so, and of the list of objects what came and went.
func difference(before, after []txtar.File) (changed []txtar.File) {
	had := map[string]string{}
	for _, f := range before {
		had[f.Name] = string(f.Data)
	}
	for _, f := range after {
		old, text := had[f.Name], string(f.Data)
		delete(had, f.Name)
		switch {
		case old == text:
		case f.Name == "objects":
			changed = append(changed, txtar.File{Name: "objects that are new", Data: lacking(old, text)}, txtar.File{Name: "objects that are gone", Data: lacking(text, old)})
		default:
			changed = append(changed, f)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(had)) {
		changed = append(changed, txtar.File{Name: name + " is gone"})
	}
	return changed
}

// lacking returns the objects, of three lines each, that text lists and list does not.
func lacking(list, text string) (lines []byte) {
	had := map[string]bool{}
	for o := range slices.Chunk(slices.Collect(strings.Lines(list)), 3) {
		had[strings.Join(o, "")] = true
	}
	for o := range slices.Chunk(slices.Collect(strings.Lines(text)), 3) {
		if one := strings.Join(o, ""); !had[one] {
			lines = append(lines, one...)
		}
	}
	return lines
}

func compareGolden(t *testing.T, name string, files []txtar.File) {
	t.Helper()
	name = filepath.Join("..", "testdata", "releases", name+".txtar")
	got := txtar.Format(&txtar.Archive{Files: files})
	if *update {
		if err := os.WriteFile(name, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got); if this is meant, run with -update:\n%s", name, diff)
	}
}

// texts returns a release's pointer without its signature, and its indexes decompressed, by their plain names.
func texts(w *world, r catalog.Release) []txtar.File {
	nonce := mustParse(w.t, r, w.bucket.Bytes(layout.PointerKey(r))).Nonce
	pointer, dir := layout.PointerKey(r), layout.RPMDir(r)
	if r.Arch == "" {
		pointer, dir = layout.DebDir(r)+"/Release", layout.DebDir(r)
	}
	files := []txtar.File{{Name: pointer, Data: bytes.ReplaceAll(w.bucket.Bytes(pointer), []byte(nonce), []byte("NONCE"))}}
	for _, x := range newestManifest(w, r).Indexes {
		files = append(files, txtar.File{Name: plainName(w, r, dir, x), Data: gunzip(w.t, w.bucket.Bytes(x.Key))})
	}
	return files
}

// plainName returns the name of an index without its digest.
func plainName(w *world, r catalog.Release, dir string, x tree.Object) string {
	if r.Arch != "" {
		return strings.TrimSuffix(strings.Replace(x.Key, x.SHA256+"-", "", 1), ".gz")
	}
	for line := range strings.Lines(string(w.bucket.Bytes(dir + "/Release"))) {
		name := strings.TrimSuffix(line[strings.LastIndex(line, " ")+1:], ".gz\n")
		if strings.Contains(line, x.SHA256) && layout.ByHashKey(dir+"/"+name, x.SHA256) == x.Key {
			return dir + "/" + name
		}
	}
	w.t.Fatalf("Release does not list %s", x.Key)
	return ""
}

func gunzip(t testing.TB, b []byte) []byte {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// settings returns the settings of the repository.
func settings(w *world) txtar.File {
	key := layout.SettingsKey(tools)
	return txtar.File{Name: key, Data: bytes.ReplaceAll(w.bucket.Bytes(key), []byte(w.settings().Revision.Nonce), []byte("NONCE"))}
}

var keyBlock = regexp.MustCompile(`(?s) -----BEGIN.*?\n -----END[^\n]*`)

// config returns what clients install.
func config(w *world, r catalog.Release) txtar.File {
	key := layout.SourcesKey(r.Repository, r.Distribution)
	if r.Arch != "" {
		key = layout.RepoKey(r.Repository, r.Distribution)
	}
	return txtar.File{Name: key, Data: keyBlock.ReplaceAll(w.bucket.Bytes(key), []byte(" PUBLIC KEY"))}
}

var manifestName = regexp.MustCompile(`^(\.history/.*)-[0-9a-f]{64}\.json$`)

// objects lists all objects with their headers.
func objects(w *world) txtar.File {
	var lines []string
	for _, key := range w.bucket.Keys() {
		o := layout.ObjectOf(key)
		lines = append(lines, manifestName.ReplaceAllString(key, "$1-POINTER.json")+"\n    "+o.ContentType+"\n    "+o.CacheControl+"\n")
	}
	slices.SortFunc(lines, cmp.Compare)
	return txtar.File{Name: "objects", Data: []byte(strings.Join(lines, ""))}
}
