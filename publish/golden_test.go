package publish_test

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"flag"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"repomill/publish/tree"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

var update = flag.Bool("update", false, "rewrite the golden releases")

// A golden release is all that clients read, byte for byte, but for what is drawn at random: the nonce
// and the signing key.
func TestGoldenReleases(t *testing.T) {
	for _, tt := range []struct {
		file     string
		releases []catalog.Release
		uploads  func(*world) []upload
	}{
		{"jammy.txtar", []catalog.Release{jammy}, debs},
		{"el9.txtar", []catalog.Release{el9, in(el9, "aarch64"), in(el9, "SRPMS")}, rpms},
	} {
		t.Run(tt.file, func(t *testing.T) {
			simulate(t, func(t *testing.T, w *world) {
				w.push(tt.uploads(w)...)
				var a txtar.Archive
				for _, r := range tt.releases {
					w.publish(r)
					a.Files = append(a.Files, texts(w, r)...)
				}
				a.Files = append(a.Files, settings(w), config(w, tt.releases[0]), objects(w))
				compareGolden(t, filepath.Join("..", "testdata", "releases", tt.file), txtar.Format(&a))
			})
		})
	}
}

func compareGolden(t *testing.T, name string, got []byte) {
	t.Helper()
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

func gunzip(t *testing.T, b []byte) []byte {
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
