package publish_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/publish"
	"repomill/publish/restore"
	"repomill/publish/sign"
	"repomill/publish/tree"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
	"repomill/testdata/debtest"
	"repomill/testdata/rpmtest"
)

// rows returns the rows of a release as the catalog has them, and then the withdrawn ones.
func (w *world) rows(r catalog.Release) (all []catalog.Package) {
	w.t.Helper()
	snap, err := w.db.Snapshot(w.t.Context(), r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer snap.Close()
	for k, err := range snap.Packages(w.t.Context()) {
		if err != nil {
			w.t.Fatal(err)
		}
		all = append(all, clone(k))
	}
	for k, err := range snap.Withdrawn(w.t.Context(), nil, nil) {
		if err != nil {
			w.t.Fatal(err)
		}
		all = append(all, k)
	}
	return sorted(all)
}

// published returns the rows of a release as they are read back from the bucket.
func (w *world) published(r catalog.Release) (all []catalog.Package, err error) {
	for k, err := range restore.Rows(w.t.Context(), w.bucket, r, keyring(w.t), rowReader{}) {
		if err != nil {
			return all, err
		}
		all = append(all, clone(k))
	}
	return sorted(all), nil
}

func clone(k catalog.Package) catalog.Package {
	for _, f := range []*[]byte{&k.SortKey, &k.Stanza, &k.Primary, &k.Filelists, &k.Other} {
		*f = bytes.Clone(*f)
	}
	return k
}

func sorted(all []catalog.Package) []catalog.Package {
	slices.SortFunc(all, func(a, b catalog.Package) int { return bytes.Compare(a.SortKey, b.SortKey) })
	return all
}

// yank withdraws packages by their identities.
func (w *world) yank(uploads ...upload) {
	w.t.Helper()
	for _, u := range uploads {
		k := u.row
		which := catalogdb.PackageSelector{Repository: k.Repository, Distribution: k.Distribution, Name: k.Name, Version: k.Version, Arch: k.Arch}
		if _, err := w.db.Yank(w.t.Context(), which, catalog.Yank{Reason: "broken", By: "jo"}, w.bucket.Now()); err != nil {
			w.t.Fatal(err)
		}
	}
}

// unyank brings a package back.
func (w *world) unyank(u upload) {
	w.t.Helper()
	k := u.row
	which := catalogdb.PackageSelector{Repository: k.Repository, Distribution: k.Distribution, Name: k.Name, Version: k.Version, Arch: k.Arch}
	if _, err := w.db.Unyank(w.t.Context(), which, w.bucket.Now()); err != nil {
		w.t.Fatal(err)
	}
}

// What is published holds what the catalog holds.
func TestRowsAreReadBack(t *testing.T) {
	skipUnderRace(t)
	for r, uploads := range map[catalog.Release]func(*world) []upload{
		jammy: debs, el9: rpms, in(el9, "aarch64"): rpms, in(el9, "SRPMS"): rpms,
	} {
		for _, yanked := range [][]int{nil, {1, 4}, {3}} {
			w := newWorld(t)
			all := uploads(w)
			w.push(all...)
			for _, i := range yanked {
				w.yank(all[i])
			}
			w.publish(in(el9, "aarch64")) // the first directory, which has the noarch packages
			w.publish(r)
			got, err := w.published(r)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(w.rows(r), got); diff != "" || len(got) == 0 {
				t.Errorf("%s: %d rows (-catalog +published):\n%s", r, len(got), diff)
			}
		}
	}
}

// An index entry of another package is an error, also with a valid signature.
func TestRowsOutOfStep(t *testing.T) {
	skipUnderRace(t)
	for name, spoil := range map[string]func(k, other *catalog.Package){
		"filelists":    func(k, other *catalog.Package) { k.Filelists = other.Filelists },
		"other":        func(k, other *catalog.Package) { k.Other = other.Other },
		"primary":      func(k, other *catalog.Package) { k.Primary = other.Primary },
		"one too few":  func(k, other *catalog.Package) { k.Filelists = []byte("\n") },
		"one too many": func(k, other *catalog.Package) { k.Other = append(bytes.Clone(k.Other), k.Other...) },
		"another directory": func(k, other *catalog.Package) {
			k.Primary = bytes.ReplaceAll(k.Primary, []byte("x86_64"), []byte("ppc64le"))
		},
	} {
		w := newWorld(t)
		one, two := w.rpm(el9, rpmtest.Spec{Name: "one"}), w.rpm(el9, rpmtest.Spec{Name: "two"})
		spoil(&two.row, &one.row)
		w.push(one, two)
		w.publish(el9)
		if got, err := w.published(el9); err == nil {
			t.Errorf("%s: got %d rows", name, len(got))
		}
	}
}

// The list of withdrawn packages has no signature. Its entries can only become withdrawals.
func TestForgedYanks(t *testing.T) {
	for _, r := range []catalog.Release{jammy, el9} {
		w := newWorld(t)
		w.push(w.some(r, "hello"))
		w.publish(r)
		good := w.some(r, "bad").row
		good.State, good.Yank = catalog.Yanked, &catalog.Yank{Reason: "r", At: w.bucket.Now().UTC().Truncate(time.Second)}
		for name, forge := range map[string]func(k *catalog.Package){
			"":                     func(k *catalog.Package) {},
			"an active row":        func(k *catalog.Package) { k.State = catalog.Active },
			"no record":            func(k *catalog.Package) { k.Yank = nil },
			"another's repository": func(k *catalog.Package) { k.Repository.Name = "other" },
			"another distribution": func(k *catalog.Package) { k.Distribution.Version = "noble" },
			"another format": func(k *catalog.Package) {
				k.Format = map[catalog.Format]catalog.Format{catalog.DEB: catalog.RPM, catalog.RPM: catalog.DEB}[k.Format]
			},
			"another key":     func(k *catalog.Package) { k.Key = layout.SettingsKey(tools) },
			"a key above":     func(k *catalog.Package) { k.Key = "acme/tools/../" + k.Key },
			"another version": func(k *catalog.Package) { k.Canonical = "9" },
			"no name":         func(k *catalog.Package) { k.Name = "" },
		} {
			k := good
			forge(&k)
			w.forgeYanks(r, k)
			got, err := w.published(r)
			if good := name == ""; good != (err == nil) || good && len(got) != 2 {
				t.Errorf("%s, %q: got %d rows, %v", r, name, len(got), err)
			}
		}
	}
}

// forgeYanks makes the newest manifest name a list of one package.
func (w *world) forgeYanks(r catalog.Release, k catalog.Package) {
	w.t.Helper()
	line, err := json.Marshal(k)
	if err != nil {
		w.t.Fatal(err)
	}
	var list bytes.Buffer
	z := gzip.NewWriter(&list)
	z.Write(append(line, '\n')) //nolint:errcheck // memory
	z.Close()                   //nolint:errcheck // memory
	m := newestManifest(w, r)
	m.Withdrawn, m.Yanked = nil, &tree.Object{Key: layout.HistoryPrefix(r) + "yanked-x.json.gz", Size: int64(list.Len()), SHA256: sum(list.Bytes())}
	w.bucket.Put(m.Yanked.Key, list.Bytes())
	body, err := json.Marshal(m)
	if err != nil {
		w.t.Fatal(err)
	}
	w.bucket.Put(manifestKeyOf(w, r), body)
}

func TestRowsOfAnEmptyRelease(t *testing.T) {
	w := newWorld(t)
	for _, r := range []catalog.Release{jammy, el9} {
		if _, err := w.published(r); !errors.Is(err, publish.ErrNotExist) {
			t.Errorf("%s, unpublished: got %v", r, err)
		}
		w.publish(r)
		if got, err := w.published(r); err != nil || len(got) > 0 {
			t.Errorf("%s: got %+v, %v", r, got, err)
		}
	}
}

// Every change of a published file is an error, at the end of the rows at the latest.
func TestRowsThatWereTamperedWith(t *testing.T) {
	flip := func(b []byte, i int) []byte { // byte 9 of a gzip file changes nothing in its text
		b = bytes.Clone(b)
		b[i] ^= 1
		return b
	}
	for _, r := range []catalog.Release{jammy, el9} {
		w := newWorld(t)
		gone := w.some(r, "gone")
		w.push(w.some(r, "hello"), gone)
		w.yank(gone)
		w.publish(r)
		m := newestManifest(w, r)
		keys := map[string]string{"the list of yanks": m.Withdrawn.Key, "a chunk of it": listObjects(w, r, m)[0].Key, "the pointer": layout.PointerKey(r), "the manifest": ""}
		for i, key := range listed(w, r) {
			if !strings.Contains(key, "/source/") {
				keys[fmt.Sprintf("index %d", i)] = key
			}
		}
		keys["the manifest"] = manifestKeyOf(w, r)
		for _, name := range slices.Sorted(maps.Keys(keys)) {
			key := keys[name]
			whole := w.bucket.Bytes(key)
			for how, body := range map[string][]byte{"absent": nil, "cut": whole[:len(whole)-1], "longer": append(bytes.Clone(whole), 0), "changed": flip(whole, len(whole)/2), "of another system": flip(whole, 9)} {
				w.bucket.Put(key, body)
				if got, err := w.published(r); err == nil && (name != "the manifest" || how == "absent") {
					t.Errorf("%s: %s, %s: got %d rows and no error", r, name, how, len(got))
				}
			}
			w.bucket.Put(key, whole)
		}
		if got, err := w.published(r); err != nil || len(got) != 2 {
			t.Errorf("%s, whole again: got %d rows, %v", r, len(got), err)
		}
	}
}

func manifestKeyOf(w *world, r catalog.Release) string {
	pointer := w.bucket.Bytes(layout.PointerKey(r))
	return layout.ManifestKey(r, fmt.Sprint(mustParse(w.t, r, pointer).Number), sum(pointer))
}

// Rows are read one by one, however many there are.
func TestRowsNeedLittleMemory(t *testing.T) {
	skipUnderRace(t)
	const rows = 4_000
	w := newWorld(t)
	body, err := w.bigRelease(rows)
	if err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	n, peak := 0, uint64(0)
	for _, err := range restore.Rows(t.Context(), w.bucket, jammy, keyring(t), rowReader{}) {
		if err != nil {
			t.Fatal(err)
		}
		if n++; n%1000 == 0 {
			runtime.GC()
			runtime.ReadMemStats(&after)
			peak = max(peak, after.HeapAlloc-min(after.HeapAlloc, before.HeapAlloc))
		}
	}
	if n != rows || peak > 1<<20 {
		t.Errorf("read %d rows of an index of %d bytes; the heap grew by %d bytes", n, body, peak)
	}
}

// bigRelease publishes a release of many rows, whose package files are absent, and returns the size of its text.
func (w *world) bigRelease(rows int) (size int, err error) {
	base := w.deb(jammy, "main", debtest.Spec{Arch: "amd64", Fields: []string{"X-Text: " + strings.Repeat("text ", 100)}})
	foreign := catalog.Revision{Number: 7, Nonce: "0123456789abcdef"}
	_, err = w.db.Recover(w.t.Context(), jammy, func(yield func(catalog.Package, error) bool) {
		for i := range rows {
			k := base.row
			version := fmt.Sprintf("1.%d", i)
			id, err := rowReader{}.Identity(catalog.DEB, k.Name, version, k.Arch)
			k.Version, k.Canonical, k.SortKey, k.State = version, id.Canonical, id.SortKey, catalog.Active
			k.Stanza = bytes.ReplaceAll(bytes.ReplaceAll(base.row.Stanza, []byte("Version: 1.0\n"), []byte("Version: "+version+"\n")), []byte("_1.0_"), []byte("_"+version+"_"))
			k.Key = layout.PoolKey(k)
			size += len(k.Stanza) + 1
			if !yield(k, err) {
				return
			}
		}
	}, foreign, w.bucket.Now())
	if err == nil {
		_, err = w.publisher().Release(context.WithoutCancel(w.t.Context()), jammy)
	}
	return size, err
}

// A reader of rows that stops has what it asked for, and leaves nothing open.
func TestRowsMayStopEarly(t *testing.T) {
	w := newWorld(t)
	w.push(w.rpm(el9, rpmtest.Spec{Name: "a"}), w.rpm(el9, rpmtest.Spec{Name: "b"}))
	w.publish(el9)
	for k, err := range restore.Rows(t.Context(), w.bucket, el9, keyring(t), rowReader{}) {
		if err != nil || k.Name != "a" {
			t.Errorf("got %+v, %v", k, err)
		}
		break
	}
	other, err := sign.ReadKeyring(generate("somebody else").Public())
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range restore.Rows(t.Context(), w.bucket, el9, other, rowReader{}) {
		if !errors.Is(err, tree.ErrForeign) {
			t.Errorf("with another key: got %v", err)
		}
	}
}
