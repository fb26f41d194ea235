package check_test

import (
	"context"
	"errors"
	"io"
	"path"
	"slices"
	"strings"
	"testing"

	"repomill/publish/check"
	"repomill/schemas/catalog"
)

// sample looks at all that a release names, and returns what is not ok; and how many are.
func sample(t *testing.T, tree check.Tree, f check.Found) (bad []check.Seen, good int) {
	t.Helper()
	for _, s := range check.Sample(t.Context(), tree, f, keyring(t), 1000, opt) {
		if s.Outcome == check.Good {
			good++
		} else {
			bad = append(bad, s)
		}
	}
	return bad, good
}

var (
	debFound = check.Found{Format: catalog.DEB, Base: aptBase, Codename: "jammy"}
	rpmFound = check.Found{Format: catalog.RPM, Base: rpmBase}
)

// failing is a tree of which one object cannot be read.
type failing struct {
	memTree
	name string
}

func (f failing) Open(ctx context.Context, name string) (io.ReadCloser, error) {
	if name == f.name {
		return nil, errors.New("the CDN is away")
	}
	return f.memTree.Open(ctx, name)
}

// Each fault of an object that is drawn is found under its own word.
func TestSample(t *testing.T) {
	for _, tt := range []struct {
		fact, of string // "deb" or "rpm", and a pattern of a key
		harm     func(m memTree, name string)
		want     check.Outcome
		says     string
	}{
		{"a missing pointer", dist + "/InRelease", memTree.gone, check.Absent, "is missing"},
		{"a pointer of a stranger", dist + "/InRelease", func(m memTree, name string) { m[name] = must(stranger().Clear(m[dist+"/Release"], now)) }, check.Differs, "signature"},
		{"a missing index", dist + "/main/binary-amd64/Packages.gz", memTree.gone, check.Absent, "is missing (listed in " + dist + "/InRelease)"},
		{"a missing by-hash copy", dist + "/main/source/by-hash/SHA256/*", memTree.gone, check.Absent, "is missing"},
		{"a missing package", aptBase + "/pool/jammy/main/h/hello-data/*", memTree.gone, check.Absent, "is missing"},
		{"a wrong byte of a package", aptBase + "/pool/jammy/main/h/hello-data/*", memTree.bent, check.Differs, "hash sum mismatch"},
		{"a package that is cut off", aptBase + "/pool/jammy/main/h/hello-data/*", memTree.shorter, check.Differs, "bytes, listed with"},
		{"a missing repomd.xml", rpmBase + "/repodata/repomd.xml", memTree.gone, check.Absent, "is missing"},
		{"a missing signature of repomd.xml", rpmBase + "/repodata/repomd.xml.asc", memTree.gone, check.Absent, "is missing"},
		{"another repomd.xml than was signed", rpmBase + "/repodata/repomd.xml", memTree.bent, check.Differs, "bad GPG signature"},
		{"a missing primary", rpmBase + "/repodata/*-primary.xml.gz", memTree.gone, check.Absent, "is missing"},
		{"a wrong byte of primary", rpmBase + "/repodata/*-primary.xml.gz", memTree.bent, check.Differs, ""},
		{"a missing RPM", rpmBase + "/*.x86_64.rpm", memTree.gone, check.Absent, "is missing"},
	} {
		t.Run(tt.fact, func(t *testing.T) {
			m, f := newAptSource(t).publish(), debFound
			if strings.HasPrefix(tt.of, rpmBase) {
				m, f = newRPMSource(t).publish(), rpmFound
			}
			if bad, good := sample(t, m, f); len(bad) > 0 || good < 6 {
				t.Fatalf("of a sound release, %d are ok: %+v", good, bad)
			}
			name := m.find(t, tt.of)
			tt.harm(m, name)
			// One list of packages is drawn: of two that name the package, both do.
			bad, _ := sample(t, m, f)
			if !slices.ContainsFunc(bad, func(s check.Seen) bool {
				return (s.Path == name || strings.HasPrefix(s.Path, name)) && s.Outcome == tt.want && strings.Contains(s.Detail, tt.says)
			}) {
				t.Errorf("got %+v, want %s of %s", bad, tt.want, name)
			}
			for _, s := range bad {
				if s.Outcome == check.Unreachable {
					t.Errorf("not in one word: %+v", s)
				}
			}
		})
	}
}

// A sample of one object is an index or a package, so that many small samples are of both.
func TestSampleOfOne(t *testing.T) {
	m := newAptSource(t).publish()
	kinds := map[string]bool{}
	for range 100 {
		seen := check.Sample(t.Context(), m, debFound, keyring(t), 1, opt)
		for _, s := range seen[1:] {
			kinds[path.Base(path.Dir(path.Dir(s.Path)))] = true
		}
		if len(seen) < 2 || len(seen) > 3 || seen[0].Path != dist+"/InRelease" { // the pointer, and an index or a package of an index
			t.Fatalf("got %+v", seen)
		}
	}
	if !kinds["h"] || !kinds["by-hash"] || !kinds["main"] {
		t.Errorf("drawn were %v", kinds)
	}
}

// What cannot be reached is neither absent nor wrong.
func TestSampleOfWhatIsAway(t *testing.T) {
	m := newAptSource(t).publish()
	for _, name := range []string{dist + "/InRelease", dist + "/main/binary-amd64/Packages.gz", m.find(t, aptBase+"/pool/jammy/main/h/hello-data/*")} {
		bad, _ := sample(t, failing{m, name}, debFound)
		if len(bad) != 1 || bad[0] != (check.Seen{Path: name, Outcome: check.Unreachable, Detail: bad[0].Detail}) || !strings.Contains(bad[0].Detail, "the CDN is away") {
			t.Errorf("%s: %+v", name, bad)
		}
	}
}

// A release that is published while it is looked at has no fault.
func TestSampleWhileThePointerMoves(t *testing.T) {
	old, s := newAptSource(t).publish(), newAptSource(t)
	s.fields[7] = "Repomill-Revision: 8 00112233445566aa"
	s.indexes["main/binary-arm64/Packages"] = strings.ReplaceAll(s.indexes["main/binary-arm64/Packages"], "greets", "waves")
	moving := &movingTree{old: old, now: s.publish()}
	if bad, good := sample(t, moving, debFound); len(bad) > 0 || good < 6 {
		t.Errorf("%d are ok: %+v", good, bad)
	}
	if moving.pointers < 2 {
		t.Errorf("the pointer was read %d times", moving.pointers)
	}
}

// A movingTree answers the first read of the pointer with the old one, and has the files of the new one.
type movingTree struct {
	old, now memTree
	pointers int
}

func (m *movingTree) Open(ctx context.Context, name string) (io.ReadCloser, error) {
	if strings.HasSuffix(name, "/InRelease") {
		if m.pointers++; m.pointers == 1 {
			return m.old.Open(ctx, name)
		}
	}
	return m.now.Open(ctx, name)
}

func (m memTree) gone(name string) { delete(m, name) }

func (m memTree) bent(name string) {
	b := slices.Clone(m[name])
	b[len(b)/2] ^= 1
	m[name] = b
}

func (m memTree) shorter(name string) { m[name] = m[name][:len(m[name])-1] }
