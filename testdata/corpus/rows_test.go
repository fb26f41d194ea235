package corpus_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"repomill/ingest/deb"
	"repomill/ingest/rpm"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/testdata/corpus"
)

var (
	tools = catalog.Repository{Owner: "acme", Name: "tools"}
	jammy = catalog.Release{Repository: tools, Distribution: catalog.Distribution{OS: "ubuntu", Version: "jammy"}}
	el9   = catalog.Release{Repository: tools, Distribution: catalog.Distribution{OS: "el", Version: "9"}, Arch: "x86_64"}
)

// A reader is what ingest reads a package with.
type reader interface {
	Identity() catalog.Package
	Describe(*catalog.Package) error
}

// A row differs from that of the package of the same number in the facts about its file alone.
func TestRowsAreWhatIngestMakes(t *testing.T) {
	for _, tt := range []struct {
		name string
		r    catalog.Release
		rows corpus.Rows
		read func(i int) (reader, error)
	}{
		{"deb", jammy, some.DebRows(30), func(i int) (reader, error) {
			_, file := some.Deb(i)
			return deb.Peek(bytes.NewReader(file))
		}},
		{"rpm", el9, some.RPMRows(t, 30), func(i int) (reader, error) {
			_, file := some.RPM(t, i)
			return rpm.Peek(bytes.NewReader(file))
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			data := t.TempDir()
			corpus.Seed(t, data, tt.r, tt.rows)
			rows := read(t, data, tt.r)
			if len(rows) != 30 {
				t.Fatalf("got %d rows", len(rows))
			}
			compared := 0
			for i := range 30 {
				p, err := tt.read(i)
				if err != nil {
					t.Fatal(err)
				}
				want := p.Identity()
				row, ok := rows[want.Name+" "+want.Version+" "+want.Arch]
				if !ok { // all rows of an RPM release are for its own architecture
					continue
				}
				want.Repository, want.Distribution, want.Component, want.File = row.Repository, row.Distribution, row.Component, row.File
				want.Uploaded, want.Key, want.State = row.Uploaded, row.Key, catalog.Active
				if err := p.Describe(&want); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(shown(want), shown(row)); diff != "" {
					t.Errorf("%s: %s", want.Name, diff)
				}
				compared++
			}
			if compared < 10 {
				t.Errorf("only %d rows could be compared", compared)
			}
		})
	}
}

// shown returns a package as its parts that are text.
func shown(k catalog.Package) []string {
	return []string{k.Name, k.Version, k.Canonical, k.Arch, string(k.SortKey), k.Key, string(k.Stanza), sizeless(k.Primary), string(k.Filelists), string(k.Other)}
}

// sizeless returns an element without the line about sizes: that of a file which stands for all.
func sizeless(primary []byte) string {
	before, after, _ := bytes.Cut(primary, []byte("<size "))
	_, after, _ = bytes.Cut(after, []byte("\n"))
	return string(before) + string(after)
}

func TestRowsBeyondTheModelsHaveTheirOwnNames(t *testing.T) {
	data := t.TempDir()
	corpus.Seed(t, data, el9, some.RPMRows(t, 250))
	for name, row := range read(t, data, el9) {
		got, err := rpm.Row(row.Primary)
		if err != nil {
			t.Fatal(err)
		}
		if got.Name+" "+got.Version+" "+got.Arch != name || got.File != row.File {
			t.Errorf("the element of %s is of %s %s, %+v", name, got.Name, got.Version, got.File)
		}
		for _, f := range [][]byte{row.Filelists, row.Other} {
			if !bytes.Contains(f, []byte(`pkgid="`+row.File.SHA256+`" name="`+row.Name+`" arch="x86_64"`)) {
				t.Errorf("%s: its element begins %.200s", name, f)
			}
		}
	}
}

func TestBigRowsListTheirFiles(t *testing.T) {
	data := t.TempDir()
	corpus.Seed(t, data, el9, some.BigRows(t, 2))
	rows := read(t, data, el9)
	for name, row := range rows {
		if got := bytes.Count(row.Filelists, []byte("/usr/share/"+row.Name[:len(row.Name)-len("-data")]+"/")); got != corpus.BigFiles {
			t.Errorf("%s lists %d files", name, got)
		}
	}
	if len(rows) != 2 {
		t.Errorf("got %d rows", len(rows))
	}
}

// read returns the rows of a release by name, version and architecture, and looks at their objects.
func read(t *testing.T, data string, r catalog.Release) map[string]catalog.Package {
	t.Helper()
	db, err := catalogdb.Open("sqlite://" + filepath.Join(data, "catalog.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	s, err := db.Snapshot(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close() //nolint:errcheck // a read
	rows := map[string]catalog.Package{}
	for k, err := range s.Packages(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(filepath.Join(data, "bucket", k.Key))
		if err != nil || info.Size() != k.File.Size {
			t.Errorf("object of %s: %v; the row says %d bytes", k.Name, err, k.File.Size)
		}
		k.SortKey, k.Stanza = bytes.Clone(k.SortKey), bytes.Clone(k.Stanza)
		k.Primary, k.Filelists, k.Other = bytes.Clone(k.Primary), bytes.Clone(k.Filelists), bytes.Clone(k.Other)
		rows[k.Name+" "+k.Version+" "+k.Arch] = k
	}
	return rows
}
