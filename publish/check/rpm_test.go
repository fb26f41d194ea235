package check_test

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"repomill/publish/check"
	"repomill/publish/sign"
	"repomill/schemas/catalog"
	"repomill/testdata/rpmtest"
)

const (
	rpmBase = "acme/tools/el/9/x86_64"
	md      = rpmBase + "/repodata/repomd.xml"
)

// An rpmSource is what an RPM release is made of.
type rpmSource struct {
	lists  map[string]string // by type: the XML of primary, filelists and other
	pool   memTree           // package files, by name below the base
	edit   func(string) string
	signer *sign.Signer
}

// newRPMSource returns a sound release of two packages.
func newRPMSource(t *testing.T) *rpmSource {
	t.Helper()
	s := &rpmSource{pool: memTree{}, edit: func(x string) string { return x }, signer: signer()}
	primary, filelists, other := "", "", ""
	for _, spec := range []rpmtest.Spec{
		{Name: "hello", Version: "2.10", Release: "3.el9", Arch: "x86_64"},
		{Name: "hello-data", Epoch: 1, Version: "2.10^git1", Release: "3", Arch: "noarch"},
	} {
		b := rpmtest.Build(t, spec)
		name := fmt.Sprintf("%s-%s-%s.%s.rpm", spec.Name, spec.Version, spec.Release, spec.Arch)
		if spec.Epoch > 0 {
			name = fmt.Sprintf("e%d/%s", spec.Epoch, name)
		}
		s.pool[name] = b
		version := fmt.Sprintf(`<version epoch="%d" ver="%s" rel="%s"/>`, spec.Epoch, spec.Version, spec.Release)
		primary += fmt.Sprintf("<package type=\"rpm\">\n  <name>%s</name>\n  <arch>%s</arch>\n  %s\n  <checksum type=\"sha256\" pkgid=\"YES\">%s</checksum>\n"+
			"  <summary>x</summary>\n  <size package=\"%d\" installed=\"1\" archive=\"1\"/>\n  <location href=\"%s\"/>\n"+
			"  <format><rpm:license>MIT</rpm:license></format>\n</package>\n", spec.Name, spec.Arch, version, sha(b), len(b), name)
		element := fmt.Sprintf("<package pkgid=%q name=%q arch=%q>\n  %s\n", sha(b), spec.Name, spec.Arch, version)
		filelists += element + "  <file>/usr/bin/hello</file>\n</package>\n"
		other += element + "</package>\n"
	}
	const head = `<?xml version="1.0" encoding="UTF-8"?>` + "\n"
	s.lists = map[string]string{
		"primary":   head + `<metadata xmlns="http://linux.duke.edu/metadata/common" xmlns:rpm="http://linux.duke.edu/metadata/rpm" packages="2">` + "\n" + primary + "</metadata>\n",
		"filelists": head + `<filelists xmlns="http://linux.duke.edu/metadata/filelists" packages="2">` + "\n" + filelists + "</filelists>\n",
		"other":     head + `<otherdata xmlns="http://linux.duke.edu/metadata/other" packages="2">` + "\n" + other + "</otherdata>\n",
	}
	return s
}

// publish returns the release as a tree.
func (s *rpmSource) publish() memTree {
	m := memTree{}
	for name, b := range s.pool {
		m[rpmBase+"/"+name] = b
	}
	body := `<?xml version="1.0" encoding="UTF-8"?>` + "\n" + `<repomd xmlns="http://linux.duke.edu/metadata/repo">` + "\n" +
		"  <revision>7</revision>\n  <tags>\n    <repo>repomill-nonce:00112233445566aa</repo>\n  </tags>\n"
	for _, kind := range slices.Sorted(maps.Keys(s.lists)) {
		open := []byte(s.lists[kind])
		packed := gz(open)
		href := "repodata/" + sha(packed) + "-" + kind + ".xml.gz"
		m[rpmBase+"/"+href] = packed
		body += fmt.Sprintf("  <data type=%q>\n    <checksum type=\"sha256\">%s</checksum>\n    <open-checksum type=\"sha256\">%s</open-checksum>\n"+
			"    <location href=%q/>\n    <timestamp>%d</timestamp>\n    <size>%d</size>\n    <open-size>%d</open-size>\n  </data>\n",
			kind, sha(packed), sha(open), href, now.Unix(), len(packed), len(open))
	}
	body = s.edit(body + "</repomd>\n")
	m[md] = []byte(body)
	m[md+".asc"] = must(s.signer.Detach([]byte(body), now))
	return m
}

// replace changes an index before it is published.
func (s *rpmSource) replace(t *testing.T, kind, from, to string) {
	t.Helper()
	if !strings.Contains(s.lists[kind], from) {
		t.Fatalf("no %q in %s:\n%s", from, kind, s.lists[kind])
	}
	s.lists[kind] = strings.Replace(s.lists[kind], from, to, 1)
}

// replaceIn changes repomd.xml before it is signed.
func (s *rpmSource) replaceIn(t *testing.T, from, to string) {
	s.edit = func(body string) string {
		if !strings.Contains(body, from) {
			t.Fatalf("no %q in repomd.xml:\n%s", from, body)
		}
		return strings.Replace(body, from, to, 1)
	}
}

func rpm(t *testing.T, tree check.Tree, o check.Options) (check.Release, []check.Problem) {
	t.Helper()
	r, problems, err := check.RPM(t.Context(), tree, rpmBase, keyring(t), o)
	if err != nil {
		t.Fatal(err)
	}
	return r, problems
}

func TestRPMSoundTree(t *testing.T) {
	tree := newRPMSource(t).publish()
	got, problems := rpm(t, tree, opt)
	if len(problems) > 0 {
		t.Errorf("got problems:\n%s", list(problems))
	}
	want := check.Release{
		Format: catalog.RPM, Name: rpmBase,
		Revision: catalog.Revision{Number: 7, Nonce: "00112233445566aa"},
		Date:     now, Indexes: 3, Packages: 2,
	}
	for name, b := range tree {
		if strings.HasSuffix(name, ".rpm") {
			want.Bytes += int64(len(b))
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("release (-want +got):\n%s", diff)
	}
	for _, o := range []check.Options{{}, {Workers: 1}} {
		if _, problems := rpm(t, tree, o); len(problems) > 0 {
			t.Errorf("options %+v: got problems:\n%s", o, list(problems))
		}
	}
}

// TestRPMSource has one row for each thing that can be wrong in what was signed.
func TestRPMSource(t *testing.T) {
	hello := rpmBase + "/hello-2.10-3.el9.x86_64.rpm"
	for _, tt := range []struct {
		name, path, detail string // a path that starts with "*" is that of an index file
		edit               func(t *testing.T, s *rpmSource)
	}{
		{"an unknown signer", md + ".asc", "no signature by a known key", func(t *testing.T, s *rpmSource) { s.signer = stranger() }},
		{"not XML", md, "malformed", func(t *testing.T, s *rpmSource) { s.replaceIn(t, "</repomd>", "") }},
		{"another root element", md, "malformed", func(t *testing.T, s *rpmSource) { s.replaceIn(t, "metadata/repo", "metadata/other") }},
		{"something after the root element", md, "malformed", func(t *testing.T, s *rpmSource) { s.replaceIn(t, "</repomd>", "</repomd><x/>") }},
		{"no primary", md, "primary", func(t *testing.T, s *rpmSource) { delete(s.lists, "primary") }},
		{"no filelists", md, "filelists", func(t *testing.T, s *rpmSource) { delete(s.lists, "filelists") }},
		{"no other", md, "other", func(t *testing.T, s *rpmSource) { delete(s.lists, "other") }},
		{"a type twice", md, "twice", func(t *testing.T, s *rpmSource) { s.replaceIn(t, `type="other"`, `type="primary"`) }},
		{"a checksum of another type", md, "no checksum of type sha256", func(t *testing.T, s *rpmSource) { s.replaceIn(t, `<checksum type="sha256">`, `<checksum type="sha">`) }},
		{"no open-checksum", md, "decompressed", func(t *testing.T, s *rpmSource) { s.replaceIn(t, "<open-checksum type=\"sha256\">", "<open-checksum>") }},
		{"no timestamp", md, "timestamp", func(t *testing.T, s *rpmSource) { s.replaceIn(t, "<timestamp>", "<timestamp>x") }},
		{"no size", md, "size", func(t *testing.T, s *rpmSource) { s.replaceIn(t, "<size>", "<size>x") }},
		{"a location that leads outside", md, "outside", func(t *testing.T, s *rpmSource) { s.replaceIn(t, `href="repodata`, `href="../x86_64/repodata`) }},
		{"an absolute location", md, "absolute", func(t *testing.T, s *rpmSource) { s.replaceIn(t, `href="repodata`, `href="/repodata`) }},
		{"an xml:base", md, "xml:base", func(t *testing.T, s *rpmSource) {
			s.replaceIn(t, `<location href`, `<location xml:base="http://x" href`)
		}},
		{"a wrong open-size", "*filelists", "decompressed", func(t *testing.T, s *rpmSource) { s.replaceIn(t, "<open-size>", "<open-size>9") }},
		{"a wrong size", "*filelists", "listed with", func(t *testing.T, s *rpmSource) { s.replaceIn(t, "<size>", "<size>9") }},
		{"a wrong open-checksum", "*primary", "decompressed", func(t *testing.T, s *rpmSource) {
			open := sha([]byte(s.lists["primary"]))
			s.replaceIn(t, open, sha(nil))
		}},
		{"a wrong packages number in primary", "*primary", `packages="3"`, func(t *testing.T, s *rpmSource) { s.replace(t, "primary", `packages="2"`, `packages="3"`) }},
		{"a wrong packages number in other", "*other", `packages="1"`, func(t *testing.T, s *rpmSource) { s.replace(t, "other", `packages="2"`, `packages="1"`) }},
		{"no packages number", "*filelists", "packages attribute", func(t *testing.T, s *rpmSource) { s.replace(t, "filelists", ` packages="2"`, "") }},
		{"primary that is not closed", "*primary", "malformed", func(t *testing.T, s *rpmSource) { s.replace(t, "primary", "</metadata>", "") }},
		{"primary with a forbidden character", "*primary", "malformed", func(t *testing.T, s *rpmSource) { s.replace(t, "primary", "<summary>", "<summary>\ufffe") }},
		{"primary with a DOCTYPE", "*primary", "DOCTYPE", func(t *testing.T, s *rpmSource) { s.replace(t, "primary", "<metadata", "<!DOCTYPE x><metadata") }},
		{"primary with an entity", "*primary", "malformed", func(t *testing.T, s *rpmSource) { s.replace(t, "primary", "<summary>", "<summary>&x;") }},
		{"primary of another namespace", "*primary", "root element", func(t *testing.T, s *rpmSource) { s.replace(t, "primary", "metadata/common", "metadata/x") }},
		{"another element among the packages", "*other", "where packages should be", func(t *testing.T, s *rpmSource) { s.replace(t, "other", "</otherdata>", "<x/></otherdata>") }},
		{"something after primary's root", "*primary", "follows", func(t *testing.T, s *rpmSource) { s.replace(t, "primary", "</metadata>", "</metadata><x/>") }},
		{"a package without a name", "*primary", "lacks", func(t *testing.T, s *rpmSource) { s.replace(t, "primary", "<name>hello</name>", "") }},
		{"a package without a pkgid", "*primary", "pkgid", func(t *testing.T, s *rpmSource) { s.replace(t, "primary", ` pkgid="YES"`, "") }},
		{"a package of another architecture", "*primary", "does not belong", func(t *testing.T, s *rpmSource) {
			s.replace(t, "primary", "<arch>x86_64</arch>", "<arch>aarch64</arch>")
		}},
		{"a package location that leads outside", "*primary", "outside", func(t *testing.T, s *rpmSource) { s.replace(t, "primary", `href="hello`, `href="../noarch/hello`) }},
		{"an absolute package location", "*primary", "absolute", func(t *testing.T, s *rpmSource) { s.replace(t, "primary", `href="hello`, `href="/hello`) }},
		{"a package location with xml:base", "*primary", "xml:base", func(t *testing.T, s *rpmSource) {
			s.replace(t, "primary", `<location href`, `<location xml:base="http://x/" href`)
		}},
		{"a package twice", "*primary", "twice", func(t *testing.T, s *rpmSource) {
			_, rest, _ := strings.Cut(s.lists["primary"], "<package ")
			one, _, _ := strings.Cut(rest, "</package>")
			s.replace(t, "primary", "</metadata>", "<package "+one+"</package></metadata>")
			s.replace(t, "primary", `packages="2"`, `packages="3"`)
		}},
		{"a package that filelists lacks", "*filelists", "lacks", func(t *testing.T, s *rpmSource) { s.dropPackage(t, "filelists") }},
		{"a package that other lacks", "*other", "lacks", func(t *testing.T, s *rpmSource) { s.dropPackage(t, "other") }},
		{"a package that only filelists has", "*filelists", "not in primary", func(t *testing.T, s *rpmSource) { s.dropPackage(t, "primary") }},
		{"another name in filelists", "*filelists", "where primary has", func(t *testing.T, s *rpmSource) { s.replace(t, "filelists", `name="hello"`, `name="hullo"`) }},
		{"a wrong package size", hello, "listed with", func(t *testing.T, s *rpmSource) { s.replace(t, "primary", `package="`, `package="9`) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newRPMSource(t)
			tt.edit(t, s)
			m := s.publish()
			want := tt.path
			if kind, ok := strings.CutPrefix(want, "*"); ok {
				want = m.find(t, rpmBase+"/repodata/*-"+kind+".xml.gz")
			}
			_, problems := rpm(t, m, opt)
			expect(t, problems, want, tt.detail)
		})
	}
}

// dropPackage removes the first package of an index.
func (s *rpmSource) dropPackage(t *testing.T, kind string) {
	before, rest, _ := strings.Cut(s.lists[kind], "<package ")
	_, after, _ := strings.Cut(rest, "</package>\n")
	s.lists[kind] = before + after
	s.replace(t, kind, `packages="2"`, `packages="1"`)
}

// TestRPMTree has one row for each object that can differ from what was signed.
func TestRPMTree(t *testing.T) {
	hello := rpmBase + "/hello-2.10-3.el9.x86_64.rpm"
	primary := rpmBase + "/repodata/*-primary.xml.gz"
	for _, tt := range []struct {
		name, object, path, detail string // path: if it is not that of the object
		edit                       func(m memTree, t *testing.T, name string)
	}{
		{"repomd.xml flipped", md, md + ".asc", "bad GPG signature", func(m memTree, t *testing.T, _ string) { m[md] = append(m[md], '\n') }},
		{"signature missing", md + ".asc", "", "is missing: repomd.xml is not signed", memTree.remove},
		{"signature flipped", md + ".asc", "", "bad GPG signature", memTree.flip},
		{"index missing", primary, "", "missing", memTree.remove},
		{"index flipped", primary, "", "hash sum mismatch", memTree.flip},
		{"index too long", primary, "", "more than", memTree.grow},
		{"index too short", primary, "", "listed with", memTree.cut},
		{"package missing", hello, "", "missing", memTree.remove},
		{"package flipped", hello, "", "hash sum mismatch", memTree.flip},
		{"package too long", hello, "", "more than", memTree.grow},
		{"package too short", hello, "", "listed with", memTree.cut},
		{"package below its epoch's folder missing", rpmBase + "/e1/*.rpm", "", "missing", memTree.remove},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := newRPMSource(t).publish()
			name := m.find(t, tt.object)
			tt.edit(m, t, name)
			if tt.path != "" {
				name = tt.path
			}
			_, problems := rpm(t, m, opt)
			expect(t, problems, name, tt.detail)
			if len(problems) != 1 {
				t.Errorf("got %d problems, want one:\n%s", len(problems), list(problems))
			}
		})
	}
}

func TestRPMIndexNotNamedAfterItsChecksum(t *testing.T) {
	m := newRPMSource(t).publish()
	name := m.find(t, rpmBase+"/repodata/*-other.xml.gz")
	plain := rpmBase + "/repodata/other.xml.gz"
	m[plain] = m[name]
	m[md] = []byte(strings.Replace(string(m[md]), strings.TrimPrefix(name, rpmBase+"/"), "repodata/other.xml.gz", 1))
	m[md+".asc"] = must(signer().Detach(m[md], now))
	_, problems := rpm(t, m, opt)
	if len(problems) != 1 {
		t.Errorf("got %d problems, want one", len(problems))
	}
	expect(t, problems, plain, "not named after its checksum")
}

func TestRPMNoPointerIsAnError(t *testing.T) {
	m := newRPMSource(t).publish()
	m.remove(t, md)
	_, _, err := check.RPM(t.Context(), m, rpmBase, keyring(t), opt)
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want fs.ErrNotExist", err)
	}
}

// The two objects cannot be swapped together: for a moment, the pair is torn.
func TestRPMWaitsForATornPair(t *testing.T) {
	old, next := newRPMSource(t).publish(), newRPMSource(t)
	next.replaceIn(t, "<revision>7", "<revision>8")
	published := next.publish()
	for name, torn := range map[string]string{"signature first": md, "repomd.xml first": md + ".asc"} {
		m := maps.Clone(published)
		m[torn] = old[torn]
		tree := &changingTree{memTree: m, opens: map[string]int{}, before: func(name string, n int) {
			if n == 2 {
				maps.Copy(m, published)
			}
		}}
		got, problems := rpm(t, tree, opt)
		if len(problems) > 0 || got.Revision.Number != 8 {
			t.Errorf("%s: got revision %d, problems:\n%s", name, got.Revision.Number, list(problems))
		}
	}
}

// TestCreaterepoTree judges the judge: a release as createrepo_c makes it has no problems.
func TestCreaterepoTree(t *testing.T) {
	tool := judge(t, "createrepo_c")
	root := t.TempDir()
	base := filepath.Join(root, filepath.FromSlash(rpmBase))
	for name, b := range newRPMSource(t).pool {
		writeFile(t, filepath.Join(base, name), b)
	}
	run(t, base, tool, "--no-database", "--checksum", "sha256", ".")
	pointer := filepath.Join(root, filepath.FromSlash(md))
	writeFile(t, pointer+".asc", must(signer().Detach(must(os.ReadFile(pointer)), now)))
	got, problems := rpm(t, check.Dir(root), check.Options{Content: true})
	if len(problems) > 0 {
		t.Errorf("got problems:\n%s", list(problems))
	}
	if got.Packages != 2 || got.Revision.Number == 0 {
		t.Errorf("got %+v", got)
	}
}

// For any bytes of the indexes, reading them ends, with a list of problems.
func FuzzIndexes(f *testing.F) {
	f.Add("<metadata xmlns=\"http://linux.duke.edu/metadata/common\" packages=\"1\"><package type=\"rpm\"><name>a</name></package></metadata>", "Package: a\n")
	f.Fuzz(func(t *testing.T, primary, packages string) {
		r := newRPMSource(t)
		r.lists["primary"], r.lists["other"] = primary, primary
		rpm(t, r.publish(), check.Options{Settle: 1})
		s := newAptSource(t)
		s.indexes[amd64] = packages
		apt(t, s.publish(), check.Options{Settle: 1})
	})
}

// What an unsigned repomd.xml names is looked at all the same: it must not lead anywhere.
func FuzzRepomd(f *testing.F) {
	f.Add([]byte("<repomd xmlns=\"http://linux.duke.edu/metadata/repo\"><data type=\"primary\"><location href=\"../x\"/></data></repomd>"))
	f.Fuzz(func(t *testing.T, body []byte) {
		tree := &changingTree{memTree: memTree{md: body}, opens: map[string]int{}, before: func(name string, _ int) {
			if !strings.HasPrefix(name, rpmBase+"/") || !fs.ValidPath(name) {
				t.Errorf("opens %q", name)
			}
		}}
		rpm(t, tree, check.Options{Settle: 1})
	})
}
