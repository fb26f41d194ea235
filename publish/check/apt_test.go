package check_test

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"

	"repomill/publish/check"
	"repomill/publish/sign"
	"repomill/schemas/catalog"
	"repomill/testdata/debtest"
)

const (
	aptBase = "acme/tools/ubuntu"
	dist    = aptBase + "/dists/jammy"
	amd64   = "main/binary-amd64/Packages"
)

// An aptSource is what a DEB release is made of.
type aptSource struct {
	fields  []string          // of Release, without Date and SHA256
	date    time.Time         // of Release
	indexes map[string]string // by name below dist, such as "main/binary-amd64/Packages"
	pool    memTree           // by name below the base
	entries map[string]string // more lines of SHA256, or other ones; "" leaves an entry out
	signer  *sign.Signer
}

// newAptSource returns a sound release of two packages, one of them for all architectures.
func newAptSource(t *testing.T) *aptSource {
	t.Helper()
	s := &aptSource{
		fields: []string{
			"Origin: acme/tools", "Label: tools", "Suite: jammy", "Codename: jammy",
			"Architectures: all amd64 arm64", "Components: main", "Acquire-By-Hash: yes",
			"Repomill-Revision: 7 00112233445566aa",
		},
		date:    now,
		indexes: map[string]string{},
		pool:    memTree{},
		entries: map[string]string{},
		signer:  signer(),
	}
	hello := s.add(t, debtest.Spec{Name: "hello", Version: "2.10-3", Arch: "amd64"})
	data := s.add(t, debtest.Spec{Name: "hello-data", Version: "1:2.10+b1", Arch: "all"})
	s.indexes["main/binary-amd64/Packages"] = hello + "\n" + data + "\n"
	s.indexes["main/binary-arm64/Packages"] = data + "\n"
	s.indexes["main/binary-all/Packages"] = data + "\n"
	s.indexes["main/source/Sources"] = ""
	return s
}

// add puts a package into the pool and returns its stanza.
func (s *aptSource) add(t *testing.T, spec debtest.Spec) string {
	t.Helper()
	b := debtest.Build(t, spec)
	name := fmt.Sprintf("pool/jammy/main/h/%s/%s_%s_%s.deb", spec.Name, spec.Name, spec.Version, spec.Arch)
	s.pool[name] = b
	sum := md5.Sum(b)
	return fmt.Sprintf("Package: %s\nVersion: %s\nArchitecture: %s\nDescription: greets\n .\n politely\nFilename: %s\nSize: %d\nMD5sum: %s\nSHA256: %s\n",
		spec.Name, spec.Version, spec.Arch, name, len(b), hex.EncodeToString(sum[:]), sha(b))
}

// publish returns the release as a tree.
func (s *aptSource) publish() memTree {
	m := memTree{}
	for name, b := range s.pool {
		m[aptBase+"/"+name] = b
	}
	sums := map[string]string{}
	for name, text := range s.indexes {
		packed := gz([]byte(text))
		m[dist+"/"+name+".gz"] = packed
		m[dist+"/"+path.Dir(name)+"/by-hash/SHA256/"+sha(packed)] = packed
		sums[name] = entry([]byte(text), name)
		sums[name+".gz"] = entry(packed, name+".gz")
	}
	maps.Copy(sums, s.entries)
	body := s.release(sums)
	m[dist+"/InRelease"] = must(s.signer.Clear(body, now))
	m[dist+"/Release"] = body
	m[dist+"/Release.gpg"] = must(s.signer.Detach(body, now))
	return m
}

func entry(b []byte, name string) string { return fmt.Sprintf(" %s %d %s\n", sha(b), len(b), name) }

func (s *aptSource) release(sums map[string]string) []byte {
	var b bytes.Buffer
	for _, f := range s.fields {
		b.WriteString(f + "\n")
	}
	b.WriteString("Date: " + s.date.Format("Mon, 02 Jan 2006 15:04:05 UTC") + "\nSHA256:\n")
	for _, name := range slices.Sorted(maps.Keys(sums)) {
		b.WriteString(sums[name])
	}
	return b.Bytes()
}

// field replaces the value of a field of Release; an empty value removes it.
func (s *aptSource) field(name, value string) {
	i := slices.IndexFunc(s.fields, func(f string) bool { return strings.HasPrefix(f, name+":") })
	switch {
	case i < 0:
		s.fields = append(s.fields, name+": "+value)
	case value == "":
		s.fields = slices.Delete(s.fields, i, i+1)
	default:
		s.fields[i] = name + ": " + value
	}
}

// replace changes the text of an index before it is published.
func (s *aptSource) replace(t *testing.T, index, from, to string) {
	t.Helper()
	if !strings.Contains(s.indexes[index], from) {
		t.Fatalf("no %q in %s:\n%s", from, index, s.indexes[index])
	}
	s.indexes[index] = strings.Replace(s.indexes[index], from, to, 1)
}

func apt(t *testing.T, tree check.Tree, o check.Options) (check.Release, []check.Problem) {
	t.Helper()
	r, problems, err := check.Apt(t.Context(), tree, aptBase, "jammy", keyring(t), o)
	if err != nil {
		t.Fatal(err)
	}
	return r, problems
}

// Below a snapshot there are no plain-named indexes; one that is there has to be right.
func TestAptByHashAlone(t *testing.T) {
	tree := newAptSource(t).publish()
	for name := range tree {
		if strings.HasPrefix(path.Base(name), "Packages") {
			delete(tree, name)
		}
	}
	byHash := opt
	byHash.ByHash = true
	if got, problems := apt(t, tree, byHash); len(problems) > 0 || got.Packages != 2 {
		t.Errorf("%d packages, and problems:\n%s", got.Packages, list(problems))
	}
	if _, problems := apt(t, tree, opt); len(problems) == 0 {
		t.Error("a release that without the option needs plain-named indexes")
	}
	key := aptBase + "/dists/jammy/main/binary-amd64/Packages.gz"
	tree[key] = gz([]byte("Package: x\n"))
	if _, problems := apt(t, tree, byHash); len(problems) != 1 || problems[0].Path != key {
		t.Errorf("a wrong one is reported as:\n%s", list(problems))
	}
}

func TestAptSoundTree(t *testing.T) {
	tree := newAptSource(t).publish()
	got, problems := apt(t, tree, opt)
	if len(problems) > 0 {
		t.Errorf("got problems:\n%s", list(problems))
	}
	want := check.Release{
		Format: catalog.DEB, Name: "acme/tools/ubuntu/jammy",
		Revision: catalog.Revision{Number: 7, Nonce: "00112233445566aa"},
		Date:     now, Indexes: 8, Packages: 2,
	}
	for name, b := range tree {
		if strings.HasSuffix(name, ".deb") {
			want.Bytes += int64(len(b))
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("release (-want +got):\n%s", diff)
	}
	for _, o := range []check.Options{{}, {Workers: 1}, {Content: true, Workers: 9}} {
		if _, problems := apt(t, tree, o); len(problems) > 0 {
			t.Errorf("options %+v: got problems:\n%s", o, list(problems))
		}
	}
}

func TestAptAcceptsVariants(t *testing.T) {
	for _, tt := range []struct {
		name string
		edit func(t *testing.T, s *aptSource)
	}{
		{"no packages at all", func(t *testing.T, s *aptSource) {
			for name := range s.indexes {
				s.indexes[name] = ""
			}
		}},
		{"no MD5sum", func(t *testing.T, s *aptSource) {
			for _, name := range []string{"main/binary-all/Packages", "main/binary-amd64/Packages", "main/binary-arm64/Packages"} {
				before, rest, _ := strings.Cut(s.indexes[name], "MD5sum:")
				_, after, _ := strings.Cut(rest, "\n")
				s.indexes[name] = before + after
			}
			s.indexes["main/binary-arm64/Packages"] = s.indexes["main/binary-all/Packages"]
			s.indexes["main/binary-amd64/Packages"] = s.indexes["main/binary-all/Packages"]
		}},
		{"a Valid-Until that has not come", func(t *testing.T, s *aptSource) { s.field("Valid-Until", "Mon, 10 Mar 2025 00:00:00 UTC") }},
		{"a Date 5 s ahead", func(t *testing.T, s *aptSource) { s.date = opt.Now.Add(5 * time.Second) }},
		{"another version of a package", func(t *testing.T, s *aptSource) {
			s.indexes[amd64] += s.add(t, debtest.Spec{Name: "hello", Version: "2.10-4", Arch: "amd64"}) + "\n"
		}},
		{"the last stanza without a blank line", func(t *testing.T, s *aptSource) { s.indexes[amd64] = strings.TrimSuffix(s.indexes[amd64], "\n") }},
		{"two signatures, one unknown", func(t *testing.T, s *aptSource) {
			s.signer = must(sign.Read(append(must(signer().Private()), must(stranger().Private())...)))
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newAptSource(t)
			tt.edit(t, s)
			if _, problems := apt(t, s.publish(), opt); len(problems) > 0 {
				t.Errorf("got problems:\n%s", list(problems))
			}
		})
	}
}

// TestAptSource has one row for each thing that can be wrong in what was signed.
func TestAptSource(t *testing.T) {
	const arm64 = "main/binary-arm64/Packages"
	const pointer, index = dist + "/InRelease", dist + "/" + amd64 + ".gz"
	hello := aptBase + "/pool/jammy/main/h/hello/hello_2.10-3_amd64.deb"
	for _, tt := range []struct {
		name, path, detail string
		edit               func(t *testing.T, s *aptSource)
	}{
		{"an unknown signer", pointer, "no signature by a known key", func(t *testing.T, s *aptSource) { s.signer = stranger() }},
		{"another codename", pointer, "conflicting distribution", func(t *testing.T, s *aptSource) { s.field("Codename", "noble") }},
		{"another suite", pointer, "conflicting distribution", func(t *testing.T, s *aptSource) { s.field("Suite", "stable") }},
		{"neither suite nor codename", pointer, "neither", func(t *testing.T, s *aptSource) { s.field("Suite", ""); s.field("Codename", "") }},
		{"a Date in the future", pointer, "not valid yet", func(t *testing.T, s *aptSource) { s.date = opt.Now.Add(time.Minute) }},
		{"a Valid-Until in the past", pointer, "expired", func(t *testing.T, s *aptSource) { s.field("Valid-Until", "Mon, 03 Mar 2025 00:00:00 UTC") }},
		{"a Valid-Until that is no date", pointer, "Valid-Until", func(t *testing.T, s *aptSource) { s.field("Valid-Until", "tomorrow") }},
		{"no Acquire-By-Hash", pointer, "Acquire-By-Hash", func(t *testing.T, s *aptSource) { s.field("Acquire-By-Hash", "") }},
		{"no architecture all", pointer, "all", func(t *testing.T, s *aptSource) { s.field("Architectures", "amd64 arm64") }},
		{"no support for all", pointer, "all", func(t *testing.T, s *aptSource) { s.field("No-Support-for-Architecture-all", "Packages") }},
		{"a SHA512 section", pointer, "by-hash", func(t *testing.T, s *aptSource) { s.field("SHA512", "00") }},
		{"a field twice", pointer, "twice", func(t *testing.T, s *aptSource) { s.fields = append(s.fields, "origin: x") }},
		{"an overlong line", pointer, "4096", func(t *testing.T, s *aptSource) { s.field("Description", strings.Repeat("x", 5000)) }},
		{"an architecture without an index", pointer, "riscv64", func(t *testing.T, s *aptSource) { s.field("Architectures", "all amd64 arm64 riscv64") }},
		{"a component without indexes", pointer, "contrib/binary-all", func(t *testing.T, s *aptSource) { s.field("Components", "main contrib") }},
		{"no Sources", pointer, "Sources.gz", func(t *testing.T, s *aptSource) { delete(s.indexes, "main/source/Sources") }},
		{"no index for all", pointer, "binary-all", func(t *testing.T, s *aptSource) { delete(s.indexes, "main/binary-all/Packages") }},
		{"the plain Packages not listed", pointer, "binary-amd64/Packages", func(t *testing.T, s *aptSource) { s.entries[amd64] = "" }},
		{"the compressed Packages not listed", dist + "/" + amd64, "missing", func(t *testing.T, s *aptSource) { s.entries[amd64+".gz"] = "" }},
		{"an entry that leads outside", pointer, "outside", func(t *testing.T, s *aptSource) { s.entries["x"] = entry(nil, "../../x") }},
		{"an absolute entry", pointer, "absolute", func(t *testing.T, s *aptSource) { s.entries["x"] = entry(nil, "/x") }},
		{"an entry without a size", pointer, "is not digest", func(t *testing.T, s *aptSource) { s.entries["x"] = " 00 x\n" }},
		{"an entry with a short digest", pointer, "no SHA-256", func(t *testing.T, s *aptSource) { s.entries["x"] = " 00 0 x\n" }},
		{"an entry with a negative size", pointer, "no size", func(t *testing.T, s *aptSource) { s.entries["x"] = " " + sha(nil) + " -1 x\n" }},
		{"an entry listed twice", pointer, "twice", func(t *testing.T, s *aptSource) { s.entries["x"] = entry(nil, amd64) }},
		{"an entry that is not stored", dist + "/main/Contents-amd64.gz", "missing", func(t *testing.T, s *aptSource) { s.entries["x"] = entry(nil, "main/Contents-amd64.gz") }},
		{"another plain digest than the compressed file holds", index, "hash sum mismatch", func(t *testing.T, s *aptSource) {
			s.entries[amd64] = fmt.Sprintf(" %s %d %s\n", sha(nil), len(s.indexes[amd64]), amd64)
		}},
		{"a plain size that is too small", index, "more than", func(t *testing.T, s *aptSource) {
			s.entries[amd64] = fmt.Sprintf(" %s %d %s\n", sha(nil), len(s.indexes[amd64])-1, amd64)
		}},
		{"a stanza twice", index, "twice", func(t *testing.T, s *aptSource) { s.indexes[amd64] += s.indexes[amd64] }},
		{"an equal version, written otherwise", index, "twice", func(t *testing.T, s *aptSource) {
			text := s.indexes[amd64]
			s.replace(t, amd64, "Version: 2.10-3", "Version: 0:2.010-03")
			s.indexes[amd64] += text[:strings.Index(text, "\n\n")+2]
		}},
		{"a field twice in a stanza", index, "twice", func(t *testing.T, s *aptSource) { s.replace(t, amd64, "Filename:", "version: 1\nFilename:") }},
		{"a line that is no field", index, "not a field", func(t *testing.T, s *aptSource) { s.replace(t, amd64, "Filename:", "oops\nFilename:") }},
		{"a control character", index, "control character", func(t *testing.T, s *aptSource) { s.replace(t, amd64, "greets", "\x1bgreets") }},
		{"CRLF", index, "control character", func(t *testing.T, s *aptSource) { s.replace(t, amd64, "greets\n", "greets\r\n") }},
		{"no newline at the end", index, "newline", func(t *testing.T, s *aptSource) { s.indexes[amd64] = strings.TrimRight(s.indexes[amd64], "\n") }},
		{"two blank lines", index, "blank line", func(t *testing.T, s *aptSource) { s.replace(t, amd64, "\n\n", "\n\n\n") }},
		{"a line of blanks", index, "blanks", func(t *testing.T, s *aptSource) { s.replace(t, amd64, " politely\n", " politely\n \n") }},
		{"no Filename", index, "filename", func(t *testing.T, s *aptSource) { s.replace(t, amd64, "Filename:", "File:") }},
		{"no SHA256", index, "sha256", func(t *testing.T, s *aptSource) { s.replace(t, amd64, "SHA256:", "SHA1:") }},
		{"a Size that is no number", index, "no size", func(t *testing.T, s *aptSource) { s.replace(t, amd64, "Size: ", "Size: +") }},
		{"a Filename that leads outside", index, "outside", func(t *testing.T, s *aptSource) { s.replace(t, amd64, "Filename: ", "Filename: ../") }},
		{"a Filename that leads outside further in", index, "outside", func(t *testing.T, s *aptSource) { s.replace(t, amd64, "pool/jammy", "pool/../../jammy") }},
		{"an absolute Filename", index, "absolute", func(t *testing.T, s *aptSource) { s.replace(t, amd64, "Filename: ", "Filename: /") }},
		{"another architecture", index, "architecture", func(t *testing.T, s *aptSource) { s.replace(t, amd64, "Architecture: amd64", "Architecture: arm64") }},
		{"a wrong package size", hello, "bytes", func(t *testing.T, s *aptSource) { s.replace(t, amd64, "Size: ", "Size: 9") }},
		{"a wrong package MD5", hello, "MD5", func(t *testing.T, s *aptSource) { s.replace(t, amd64, "MD5sum: ", "MD5sum: 0") }},
		{"two sizes of one file", dist + "/" + amd64, "another size", func(t *testing.T, s *aptSource) {
			i := strings.Index(s.indexes[amd64], "hello-data")
			s.indexes[amd64] = s.indexes[amd64][:i] + strings.Replace(s.indexes[amd64][i:], "Size: ", "Size: 9", 1)
		}},
		{"an index without a package for all", dist + "/" + arm64, "lacks", func(t *testing.T, s *aptSource) { s.indexes[arm64] = "" }},
		{"another stanza of a package for all", dist + "/" + arm64, "another stanza", func(t *testing.T, s *aptSource) { s.replace(t, arm64, "greets", "says hello") }},
		{"a package for all that binary-all lacks", dist + "/" + arm64, "not in binary-all", func(t *testing.T, s *aptSource) { s.indexes["main/binary-all/Packages"] = "" }},
		{"a Sources that is malformed", dist + "/main/source/Sources.gz", "not a field", func(t *testing.T, s *aptSource) { s.indexes["main/source/Sources"] = "oops\n" }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newAptSource(t)
			tt.edit(t, s)
			_, problems := apt(t, s.publish(), opt)
			expect(t, problems, tt.path, tt.detail)
		})
	}
}

// TestAptTree has one row for each object that can differ from what was signed.
func TestAptTree(t *testing.T) {
	hello := aptBase + "/pool/jammy/main/h/hello/hello_2.10-3_amd64.deb"
	byHash := func(t *testing.T, m memTree) string { return m.find(t, dist+"/main/binary-amd64/by-hash/SHA256/*") }
	for _, tt := range []struct {
		name, path, detail string
		edit               func(t *testing.T, m memTree) (path string) // the path, if it is not a constant
	}{
		{"InRelease flipped", dist + "/InRelease", "signature", func(t *testing.T, m memTree) string { m.flip(t, dist+"/InRelease"); return "" }},
		{"InRelease with a line before it", dist + "/InRelease", "signature", func(t *testing.T, m memTree) string {
			m[dist+"/InRelease"] = append([]byte("Suite: evil\n"), m[dist+"/InRelease"]...)
			return ""
		}},
		{"InRelease cut short", dist + "/InRelease", "signature", func(t *testing.T, m memTree) string { m[dist+"/InRelease"] = m[dist+"/InRelease"][:300]; return "" }},
		{"Release missing", dist + "/Release", "missing", func(t *testing.T, m memTree) string { m.remove(t, dist+"/Release"); return "" }},
		{"Release of another time", dist + "/Release", "differs", func(t *testing.T, m memTree) string { m.grow(t, dist+"/Release"); return "" }},
		{"Release.gpg missing", dist + "/Release.gpg", "missing", func(t *testing.T, m memTree) string { m.remove(t, dist+"/Release.gpg"); return "" }},
		{"Release.gpg of another body", dist + "/Release.gpg", "does not sign", func(t *testing.T, m memTree) string {
			m[dist+"/Release.gpg"] = must(signer().Detach([]byte("x"), now))
			return ""
		}},
		{"Release.gpg by another key", dist + "/Release.gpg", "does not sign", func(t *testing.T, m memTree) string {
			m[dist+"/Release.gpg"] = must(stranger().Detach(m[dist+"/Release"], now))
			return ""
		}},
		{"plain-named index missing", dist + "/" + amd64 + ".gz", "missing", func(t *testing.T, m memTree) string { m.remove(t, dist+"/"+amd64+".gz"); return "" }},
		{"plain-named index of another time", dist + "/" + amd64 + ".gz", "listed with", func(t *testing.T, m memTree) string {
			m[dist+"/"+amd64+".gz"] = gz([]byte("Package: x\n"))
			return ""
		}},
		{"stored uncompressed index of another time", dist + "/" + amd64, "listed with", func(t *testing.T, m memTree) string { m[dist+"/"+amd64] = []byte("x"); return "" }},
		{"by-hash copy missing", "", "missing", func(t *testing.T, m memTree) string { p := byHash(t, m); m.remove(t, p); return p }},
		{"by-hash copy flipped", "", "hash sum mismatch", func(t *testing.T, m memTree) string { p := byHash(t, m); m.flip(t, p); return p }},
		{"by-hash copy too long", "", "more than", func(t *testing.T, m memTree) string { p := byHash(t, m); m.grow(t, p); return p }},
		{"by-hash copy too short", "", "listed with", func(t *testing.T, m memTree) string { p := byHash(t, m); m.cut(t, p); return p }},
		{"package missing", hello, "missing", func(t *testing.T, m memTree) string { m.remove(t, hello); return "" }},
		{"package flipped", hello, "hash sum mismatch", func(t *testing.T, m memTree) string { m.flip(t, hello); return "" }},
		{"package too long", hello, "more than", func(t *testing.T, m memTree) string { m.grow(t, hello); return "" }},
		{"package too short", hello, "listed with", func(t *testing.T, m memTree) string { m.cut(t, hello); return "" }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := newAptSource(t).publish()
			p := tt.edit(t, m)
			_, problems := apt(t, m, opt)
			expect(t, problems, tt.path+p, tt.detail)
			if len(problems) != 1 && !strings.HasSuffix(tt.path, "InRelease") {
				t.Errorf("got %d problems, want one:\n%s", len(problems), list(problems))
			}
		})
	}
}

func TestAptReadsOtherForms(t *testing.T) {
	zst := func(text string) []byte { return must(zstd.NewWriter(nil)).EncodeAll([]byte(text), nil) }
	for _, tt := range []struct {
		name, ext, detail string
		pack              func(text string) []byte
	}{
		{"zstd", ".zst", "", zst},
		{"zstd of another text", ".zst", "hash sum mismatch", func(s string) []byte { return zst(strings.Replace(s, "greets", "GREETS", 1)) }},
		{"zstd that is none", ".zst", "magic", func(string) []byte { return []byte("oops") }},
		{"gzip named zstd", ".zst", "magic", func(s string) []byte { return gz([]byte(s)) }},
		{"a compression that not all clients read", ".xz", "compression", func(s string) []byte { return []byte(s) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newAptSource(t)
			name, packed := amd64+tt.ext, tt.pack(s.indexes[amd64])
			s.entries[name] = entry(packed, name)
			m := s.publish()
			m[dist+"/"+name] = packed
			m[dist+"/"+path.Dir(name)+"/by-hash/SHA256/"+sha(packed)] = packed
			_, problems := apt(t, m, opt)
			if tt.detail != "" {
				expect(t, problems, dist+"/"+name, tt.detail)
			} else if len(problems) > 0 {
				t.Errorf("got problems:\n%s", list(problems))
			}
		})
	}
}

func TestAptWithoutContentChecksSizes(t *testing.T) {
	hello := aptBase + "/pool/jammy/main/h/hello/hello_2.10-3_amd64.deb"
	m := newAptSource(t).publish()
	m.flip(t, hello)
	dir := t.TempDir()
	if err := os.CopyFS(dir, m.fs()); err != nil {
		t.Fatal(err)
	}
	for name, tree := range map[string]check.Tree{"memory": m, "folder": check.Dir(dir)} {
		if _, problems := apt(t, tree, check.Options{Settle: 1}); len(problems) > 0 {
			t.Errorf("%s: a flipped byte: got problems:\n%s", name, list(problems))
		}
	}
	m.cut(t, hello)
	if err := os.Truncate(filepath.Join(dir, hello), int64(len(m[hello]))); err != nil {
		t.Fatal(err)
	}
	for name, tree := range map[string]check.Tree{"memory": m, "folder": check.Dir(dir)} {
		_, problems := apt(t, tree, check.Options{Settle: 1})
		if len(problems) != 1 || problems[0].Path != hello {
			t.Errorf("%s: a short file: got problems:\n%s", name, list(problems))
		}
	}
}

func TestAptNoPointerIsAnError(t *testing.T) {
	m := newAptSource(t).publish()
	m.remove(t, dist+"/InRelease")
	_, _, err := check.Apt(t.Context(), m, aptBase, "jammy", keyring(t), opt)
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want fs.ErrNotExist", err)
	}
}

func TestAptEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	m := &changingTree{memTree: newAptSource(t).publish(), opens: map[string]int{}, before: func(name string, _ int) {
		if strings.Contains(name, "by-hash") {
			cancel()
		}
	}}
	_, _, err := check.Apt(ctx, m, aptBase, "jammy", keyring(t), opt)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}

// The winner of a swap writes the pair files a moment after InRelease.
func TestAptWaitsForPairFiles(t *testing.T) {
	m := newAptSource(t).publish()
	late := maps.Clone(m)
	m.remove(t, dist+"/Release.gpg")
	m.remove(t, dist+"/"+amd64+".gz")
	tree := &changingTree{memTree: m, opens: map[string]int{}, before: func(name string, n int) {
		if name == dist+"/Release" && n == 2 {
			maps.Copy(m, late)
		}
	}}
	if _, problems := apt(t, tree, opt); len(problems) > 0 {
		t.Errorf("got problems:\n%s", list(problems))
	}
}

// What a pointer names may be gone once the pointer is superseded.
func TestAptReadsAgainAfterAnotherPublish(t *testing.T) {
	old := newAptSource(t)
	m := old.publish()
	next := newAptSource(t)
	next.field("Repomill-Revision", "8 00112233445566ab")
	next.indexes[amd64] += next.add(t, debtest.Spec{Name: "hello", Version: "2.10-4", Arch: "amd64"}) + "\n"
	gone := m.find(t, dist+"/main/binary-amd64/by-hash/SHA256/*")
	tree := &changingTree{memTree: m, opens: map[string]int{}, before: func(name string, n int) {
		if name == gone && n == 1 {
			delete(m, gone)
			maps.Copy(m, next.publish())
		}
	}}
	got, problems := apt(t, tree, opt)
	if len(problems) > 0 {
		t.Errorf("got problems:\n%s", list(problems))
	}
	if got.Revision.Number != 8 || got.Packages != 3 {
		t.Errorf("got %+v, want revision 8 with 3 packages", got)
	}
}

func TestAptFilesAreReadOnce(t *testing.T) {
	tree := &changingTree{memTree: newAptSource(t).publish(), opens: map[string]int{}, before: func(string, int) {}}
	o := opt
	o.Workers = 1
	apt(t, tree, o)
	for name, n := range tree.opens {
		if strings.HasSuffix(name, ".deb") && n != 1 {
			t.Errorf("%s was read %d times", name, n)
		}
	}
}

func TestAptProblemsAreBounded(t *testing.T) {
	s := newAptSource(t)
	var b strings.Builder
	for i := range 25_000 {
		fmt.Fprintf(&b, "Package: p%d\nVersion: 1\nArchitecture: amd64\nFilename: pool/p%05d.deb\nSize: 1\nSHA256: %s\n\n", i, i, sha(nil))
	}
	s.indexes[amd64] = s.indexes["main/binary-all/Packages"] + b.String()
	_, problems := apt(t, s.publish(), opt)
	if len(problems) != 10_001 {
		t.Fatalf("got %d problems, want 10,001", len(problems))
	}
	if got, want := problems[0].Path, aptBase+"/pool/p00000.deb"; got != want {
		t.Errorf("first problem of %s, want %s", got, want)
	}
	if got := problems[10_000].String(); !strings.Contains(got, "15000 more") {
		t.Errorf("last problem: %s", got)
	}
}

// TestAptFtparchiveTree judges the judge: a release as Debian's own tool makes it has no problems.
func TestAptFtparchiveTree(t *testing.T) {
	tool := judge(t, "apt-ftparchive")
	root := t.TempDir()
	base := filepath.Join(root, filepath.FromSlash(aptBase))
	s := newAptSource(t)
	for name, b := range s.pool {
		writeFile(t, filepath.Join(base, name), b)
	}
	folder := filepath.Join(base, "dists", "jammy")
	for _, arch := range []string{"all", "amd64", "arm64"} {
		writeFile(t, filepath.Join(folder, "main/binary-"+arch+"/Packages"), run(t, base, tool, "--arch", arch, "packages", "pool"))
	}
	writeFile(t, filepath.Join(folder, "main/source/Sources"), nil)
	for _, name := range []string{"binary-all/Packages", "binary-amd64/Packages", "binary-arm64/Packages", "source/Sources"} {
		text := must(os.ReadFile(filepath.Join(folder, "main", name)))
		packed := gz(text)
		writeFile(t, filepath.Join(folder, "main", name+".gz"), packed)
	}
	args := []string{"-o", "APT::FTPArchive::MD5=false", "-o", "APT::FTPArchive::SHA1=false", "-o", "APT::FTPArchive::SHA512=false"}
	for _, f := range []string{"Suite=jammy", "Codename=jammy", "Architectures=all amd64 arm64", "Components=main", "Acquire-By-Hash=true"} {
		args = append(args, "-o", "APT::FTPArchive::Release::"+f)
	}
	body := run(t, folder, tool, append(args, "release", ".")...)
	for _, name := range []string{"binary-all", "binary-amd64", "binary-arm64", "source"} {
		for _, file := range must(filepath.Glob(filepath.Join(folder, "main", name, "*.gz"))) {
			b := must(os.ReadFile(file))
			writeFile(t, filepath.Join(folder, "main", name, "by-hash/SHA256", sha(b)), b)
		}
	}
	at := time.Now()
	writeFile(t, filepath.Join(folder, "Release"), body)
	writeFile(t, filepath.Join(folder, "Release.gpg"), must(signer().Detach(body, at)))
	writeFile(t, filepath.Join(folder, "InRelease"), must(signer().Clear(body, at)))
	got, problems := apt(t, check.Dir(root), check.Options{Content: true, Now: at})
	if len(problems) > 0 {
		t.Errorf("got problems:\n%s\n%s", list(problems), body)
	}
	if got.Packages != 2 {
		t.Errorf("got %d packages, want 2", got.Packages)
	}
}

func writeFile(t *testing.T, name string, b []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, b, 0o644); err != nil {
		t.Fatal(err)
	}
}
