package catalogdb_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

// Each push adds one package and one revision, so that a view with another sum of them is torn.
func snapshotStays(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	const pushes = 30
	done := make(chan error, 1)
	go func() {
		var err error
		for i := range pushes {
			err = errors.Join(err, push(t, db, deb(jammy, fmt.Sprintf("p%d", i), "1")))
		}
		done <- err
	}()
	views := 0
	for running := true; running; views++ {
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
			running = false
		default:
		}
		checkView(t, db)
	}
	checkPushed(t, db, jammy, pushes)
	t.Logf("%d views", views)
}

func checkView(t *testing.T, db *catalogdb.DB) {
	t.Helper()
	s := snapshot(t, db, jammy)
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	for range 2 {
		count, err := s.Count(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		rows := 0
		for _, err := range s.Packages(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			rows++
		}
		if int64(rows) != s.Revision.Number-1 || count != rows {
			t.Errorf("revision %d has %d rows and a count of %d", s.Revision.Number, rows, count)
		}
	}
}

func snapshotOrder(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	keys := []string{"\x00", "\x00\x00", "\x00\xff", "\x01", "A", "a", "a\x00", "a\x00\x01", "a\x01", "aa", "z", "\x7f", "\x80", "\xc3\xa9", "\xff", "\xff\xff"}
	shuffled := slices.Concat(keys[8:], keys[:8])
	slices.Reverse(shuffled[3:11])
	for i, key := range shuffled {
		k := deb(jammy, fmt.Sprintf("p%d", i), "1")
		k.SortKey = []byte(key)
		if err := push(t, db, k); err != nil {
			t.Fatal(err)
		}
	}
	s := snapshot(t, db, jammy)
	defer s.Close()
	var got []string
	for k, err := range s.Packages(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, string(k.SortKey))
	}
	if diff := cmp.Diff(keys, got); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
	for range s.Packages(t.Context()) {
		break // a reader may stop early, and read again
	}
	if n, err := s.Count(t.Context()); err != nil || n != len(keys) {
		t.Errorf("got a count of %d, %v; want %d", n, err, len(keys))
	}
}

func snapshotFragments(t *testing.T, db *catalogdb.DB) {
	declare(t, db, el9)
	random := noise(8 << 20)
	want := map[string][4][]byte{
		"a-none":      {},
		"b-small":     {[]byte("s"), []byte("<p/>\n"), []byte("\x00\xff\x00"), []byte("é\n")},
		"c-blob":      {random[:65535], random[:65536], random[:65537], bytes.Repeat([]byte("0"), 1<<20)}, // where MySQL's BLOB ends
		"d-large":     {nil, random, nil, bytes.Repeat([]byte("<file>/usr/share/doc</file>\n"), 8<<20/28)},
		"e-afterward": {nil, []byte("short"), random[:100], nil},
	}
	for name, f := range want {
		k := rpm(el9, name, "1-1", "x86_64")
		k.Stanza, k.Primary, k.Filelists, k.Other = f[0], f[1], f[2], f[3]
		if err := push(t, db, k, "x86_64"); err != nil {
			t.Fatal(err)
		}
	}
	s := snapshot(t, db, el9)
	defer s.Close()
	seen := 0
	for k, err := range s.Packages(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		seen++
		for i, got := range [][]byte{k.Stanza, k.Primary, k.Filelists, k.Other} {
			if f := want[k.Name][i]; !bytes.Equal(got, f) {
				t.Errorf("fragment %d of %s: got %d bytes, want %d", i, k.Name, len(got), len(f))
			}
		}
	}
	if seen != len(want) {
		t.Errorf("got %d rows, want %d", seen, len(want))
	}
}

func snapshotShows(t *testing.T, db *catalogdb.DB) {
	declare(t, db, el9, "i386")
	declare(t, db, in(catalog.Release{Repository: tools, Distribution: catalog.Distribution{OS: "el", Version: "8"}}, "x86_64"))
	for _, arch := range []string{"x86_64", "aarch64", "i686", "noarch", "src", "nosrc"} {
		if err := push(t, db, rpm(el9, "hello", "1-1", arch), "x86_64", "aarch64", "i386", "SRPMS"); err != nil {
			t.Fatal(err)
		}
	}
	claim(t, db, rpm(el9, "claimed", "1-1", "x86_64"))
	el8 := el9
	el8.Distribution.Version = "8"
	for _, tt := range []struct {
		release catalog.Release
		want    []string
	}{
		{el9, []string{"hello 1-1 noarch", "hello 1-1 x86_64"}},
		{in(el9, "aarch64"), []string{"hello 1-1 aarch64", "hello 1-1 noarch"}},
		{in(el9, "i386"), []string{"hello 1-1 i686", "hello 1-1 noarch"}},
		{in(el9, "SRPMS"), []string{"hello 1-1 nosrc", "hello 1-1 src"}},
		{el8, nil},
	} {
		if diff := cmp.Diff(tt.want, names(t, db, tt.release)); diff != "" {
			t.Errorf("%s shows (-want +got):\n%s", tt.release, diff)
		}
	}
}

// List reads pages of one row, of two, and one that is not full.
func lists(t *testing.T, db *catalogdb.DB) {
	declare(t, db, el9)
	for _, arch := range []string{"x86_64", "noarch", "aarch64"} {
		for _, name := range []string{"hello", "world"} {
			if err := push(t, db, rpm(el9, name, "1-1", arch), "x86_64", "aarch64", "SRPMS"); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, page := range []int{1, 2, 100} {
		catalogdb.SetListPage(t, page)
		for name, want := range map[string][]string{
			"":      {"hello noarch", "hello x86_64", "world noarch", "world x86_64"},
			"world": {"world noarch", "world x86_64"},
			"worl":  nil,
		} {
			var got []string
			for k, err := range db.List(t.Context(), el9, name) {
				if err != nil || k.Primary != nil || k.SortKey != nil {
					t.Fatal(k, err)
				}
				got = append(got, k.Name+" "+k.Arch)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%q in pages of %d (-want +got):\n%s", name, page, diff)
			}
		}
	}
}

// The clock of a database runs. Ours and that of the tests' servers are the same.
func clock(t *testing.T, db *catalogdb.DB) {
	before := time.Now()
	first, err := db.Clock(t.Context())
	if after := time.Now(); err != nil || first.Before(before.Add(-5*time.Second)) || first.After(after.Add(5*time.Second)) {
		t.Fatalf("the clock is at %s, %v", first, err)
	}
	time.Sleep(5 * time.Millisecond)
	if second, err := db.Clock(t.Context()); err != nil || !second.After(first) {
		t.Errorf("the clock went from %s to %s, %v", first, second, err)
	}
}

func snapshotUnknown(t *testing.T, db *catalogdb.DB) {
	declare(t, db, el9)
	for _, r := range []catalog.Release{jammy, in(el9, "i386"), in(el9, "")} {
		if s, err := db.Snapshot(t.Context(), r); !errors.Is(err, catalogdb.ErrNotFound) {
			t.Errorf("%s: got %v, %v; want ErrNotFound", r, s, err)
		}
	}
	s := snapshot(t, db, el9)
	defer s.Close()
	if s.Release != el9 || s.Revision != stateOf(t, db, el9).Revision || s.Published != 0 || s.Settings.Origin != "acme/tools" || len(s.Settings.Distributions) != 1 {
		t.Errorf("got %+v", s)
	}
}
