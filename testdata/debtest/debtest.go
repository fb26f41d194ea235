// Package debtest makes Debian binary packages in pure Go, for tests and benchmarks. The packages are
// real: dpkg installs them. The same [Spec] always gives the same bytes.
package debtest

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"testing"
)

// A Spec says which package to make. Its zero value is hello 1.0 for all architectures, plain tar files inside.
type Spec struct {
	Name    string            // "hello" if empty
	Version string            // "1.0" if empty
	Arch    string            // "all" if empty
	Fields  []string          // more control lines, without newlines: "Depends: libc6". Maintainer and Description are there already, unless given here
	Control string            // compression of control.tar: "", "gz", "xz" or "zst"
	Data    string            // compression of data.tar, likewise
	Size    int64             // bytes of random, incompressible payload; 0 for no payload file
	Seed    uint64            // another seed gives another payload
	Files   map[string]string // more files: path, such as "usr/bin/hello", to content
}

// Build returns the package that s describes.
func Build(t testing.TB, s Spec) []byte {
	t.Helper()
	r, size := Stream(s)
	var b bytes.Buffer
	b.Grow(int(size))
	if n, err := b.ReadFrom(r); err != nil || n != size {
		t.Fatalf("build %+v: %d bytes of %d, %v", s, n, size, err)
	}
	return b.Bytes()
}

// Stream returns a reader of the package that s describes, and its size in bytes. If Data is "", memory
// use does not depend on Size; otherwise the compressed data.tar is held in memory.
func Stream(s Spec) (io.Reader, int64) {
	s = s.withDefaults()
	control := Compress(s.Control, Tar(TarFile{Name: "./control", Body: s.control()}))
	head := Ar(
		Member{Name: "debian-binary", Body: []byte("2.0\n")},
		Member{Name: memberName("control.tar", s.Control), Body: control},
	)
	data, size := s.data()
	if s.Data != "" {
		raw, err := io.ReadAll(data)
		if err != nil {
			panic(err) // a reader of memory and random numbers
		}
		packed := Compress(s.Data, raw)
		data, size = bytes.NewReader(packed), int64(len(packed))
	}
	header := arHeader(memberName("data.tar", s.Data), size)
	padding := strings.Repeat("\n", int(size&1))
	total := int64(len(head)+len(header)+len(padding)) + size
	return io.MultiReader(bytes.NewReader(head), strings.NewReader(header), data, strings.NewReader(padding)), total
}

func (s Spec) withDefaults() Spec {
	for _, f := range []struct {
		field *string
		value string
	}{{&s.Name, "hello"}, {&s.Version, "1.0"}, {&s.Arch, "all"}} {
		if *f.field == "" {
			*f.field = f.value
		}
	}
	return s
}

// control returns the control file.
func (s Spec) control() string {
	lines := []string{"Package: " + s.Name, "Version: " + s.Version, "Architecture: " + s.Arch}
	for _, f := range []string{"Maintainer: Test Maintainer <test@example.org>", "Description: package made for tests"} {
		name, _, _ := strings.Cut(f, " ")
		if !slices.ContainsFunc(s.Fields, func(s string) bool { return strings.HasPrefix(s, name) }) {
			lines = append(lines, f)
		}
	}
	return strings.Join(append(lines, s.Fields...), "\n") + "\n"
}

// data returns data.tar without compression, and its size: the files, then the payload.
func (s Spec) data() (io.Reader, int64) {
	doc := "usr/share/doc/" + s.Name
	files := map[string]string{doc + "/copyright": "This package was made for tests and has no content worth protecting.\n"}
	for name, body := range s.Files {
		files[name] = body
	}
	payload := doc + "/payload"
	var entries []TarFile
	for _, name := range append(parents(files, payload), sortedKeys(files)...) {
		entries = append(entries, TarFile{Name: "./" + name, Body: files[name]})
	}
	if s.Size == 0 {
		b := Tar(entries...)
		return bytes.NewReader(b), int64(len(b))
	}
	head := tarBytes(entries, "./"+payload, s.Size)
	seed := sha256.Sum256(fmt.Appendf(nil, "%s %s %s %d", s.Name, s.Version, s.Arch, s.Seed))
	random := io.LimitReader(rand.NewChaCha8(seed), s.Size)
	tail := make([]byte, (512-s.Size%512)%512+1024)
	return io.MultiReader(bytes.NewReader(head), random, bytes.NewReader(tail)), int64(len(head)+len(tail)) + s.Size
}

// parents returns the folders, each with a slash at its end, of all files and of extra, outer ones first.
func parents(files map[string]string, extra string) []string {
	set := map[string]string{"": ""}
	for _, name := range append(sortedKeys(files), extra) {
		for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
			set[dir+"/"] = ""
		}
	}
	return sortedKeys(set)
}

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
