package versus_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A kind is how packages are packed.
type kind string

const (
	debs   kind = "debs"    // members are compressed with gzip, as nfpm and fpm write them
	xzDebs kind = "xz-debs" // with xz, which dpkg-deb does by default
	rpms   kind = "rpms"
)

// write writes packages of the corpus into a folder, and returns their files.
func (k kind) write(b *testing.B, dir string, from, to int) []string {
	b.Helper()
	switch k {
	case debs:
		return packages.Debs(b, dir, from, to)
	case xzDebs:
		return packages.XZDebs(b, dir, from, to)
	}
	return packages.RPMs(b, dir, from, to)
}

// files returns the first packages of the corpus of one kind, written once for all benchmarks.
func files(b *testing.B, k kind, count int) []string {
	b.Helper()
	if from := len(written[k]); from < count {
		b.Logf("writing %s %d to %d", k, from, count-1)
		written[k] = append(written[k], k.write(b, filepath.Join(work, string(k)), from, count)...)
	}
	return written[k][:count]
}

var written = map[kind][]string{}

// more returns the file of package i, alone in a folder.
func more(b *testing.B, k kind, i int) string {
	b.Helper()
	return k.write(b, filepath.Join(work, string(k)+"-more"), i, i+1)[0]
}

// A published peer has a repository.
type published struct {
	dir     string
	expense expense // of one run from nothing
	copied  expense // of a copy of its packages, if it stores none
	next    int     // the package that it gets next
}

var repositories = map[string]*published{}

// publish makes a peer's repository of the corpus, once for all benchmarks, as often as it is measured.
func (p peer) publish(b *testing.B, packed kind, times int) *published {
	b.Helper()
	name := p.name + " " + string(packed)
	if r := repositories[name]; r != nil {
		return r
	}
	key(b)
	r := &published{next: sizes.packages}
	all := files(b, packed, sizes.packages)
	var es, copies []expense
	for range times {
		if r.dir != "" {
			remove(b, r.dir)
		}
		r.dir = filepath.Join(work, name)
		p.begin(b, r.dir, all)
		copies = append(copies, p.copyPackages(b, r.dir))
		es = append(es, measure(b, p.cold(r.dir, all)...))
		p.check(b, r.dir, all)
	}
	r.expense, r.copied = median(es), median(copies)
	repositories[name] = r
	return r
}

// copyPackages measures what it takes to put packages where a peer finds them that stores none: cp -r of their folders.
func (p peer) copyPackages(b *testing.B, dir string) (e expense) {
	b.Helper()
	for _, folder := range p.stores {
		stored := filepath.Join(work, "stored")
		e = e.plus(measure(b, command(dir, "cp", "-r", filepath.Join(dir, folder), stored)))
		remove(b, stored)
	}
	return e
}

// check makes sure that an index has the packages: all of them or, of reprepro, one version of each name.
func (p peer) check(b *testing.B, dir string, files []string) {
	b.Helper()
	want := 0
	for _, f := range files {
		if p.lacks == "" || !strings.HasSuffix(f, p.lacks) {
			want++
		}
	}
	names, err := filepath.Glob(filepath.Join(dir, p.index))
	if err != nil || len(names) != 1 {
		b.Fatalf("%s wrote %d indexes %s, %v", p.name, len(names), p.index, err)
	}
	plain := filepath.Join(work, "plain")
	unpack(b, names[0], plain)
	defer os.Remove(plain)
	body, err := os.ReadFile(plain)
	if err != nil {
		b.Fatal(err)
	}
	if got := bytes.Count(body, []byte("\nFilename: ")) + bytes.Count(body, []byte("<package type=")); got < want*8/10 || got > want {
		b.Fatalf("%s indexed %d packages of %d", p.name, got, want)
	}
}

// begin makes a folder of a peer's own, with its packages where it wants them.
func (p peer) begin(b *testing.B, dir string, files []string) {
	b.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		b.Fatal(err)
	}
	if p.prepare != nil {
		p.prepare(b, dir)
	}
	if p.own != nil {
		p.own(b, dir, files...)
	}
}

// oneMore measures one more package.
func (p peer) oneMore(b *testing.B, packed kind) expense {
	b.Helper()
	r := p.publish(b, packed, 1)
	var es []expense
	for range *runs {
		file := more(b, packed, r.next)
		r.next++
		if p.own != nil {
			p.own(b, r.dir, file)
		}
		es = append(es, measure(b, p.more(r.dir, file)...))
		remove(b, file)
	}
	return median(es)
}

func remove(b *testing.B, path string) {
	b.Helper()
	if err := os.RemoveAll(path); err != nil {
		b.Fatal(err)
	}
}
