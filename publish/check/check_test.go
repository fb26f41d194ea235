package check_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os/exec"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/publish/check"
	"repomill/publish/sign"
	"repomill/schemas/catalog"
)

var now = time.Date(2025, 3, 4, 5, 6, 7, 0, time.UTC)

var opt = check.Options{Content: true, Now: now.Add(time.Minute), Settle: time.Millisecond}

// Two signers for the whole test binary: making a key takes long.
var (
	signer   = sync.OnceValue(func() *sign.Signer { return generate("acme repomill signing key") })
	stranger = sync.OnceValue(func() *sign.Signer { return generate("somebody else") })
)

func generate(name string) *sign.Signer {
	s, err := sign.Generate(name, 2048, now)
	if err != nil {
		panic(err)
	}
	return s
}

func keyring(t *testing.T) sign.Keyring {
	t.Helper()
	k, err := sign.ReadKeyring(signer().Public())
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// A memTree is a published tree in memory.
type memTree map[string][]byte

func (m memTree) Open(_ context.Context, name string) (io.ReadCloser, error) {
	b, ok := m[name]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return io.NopCloser(bytes.NewReader(b)), nil
}

// fs returns the tree as a file system.
func (m memTree) fs() fs.FS {
	f := fstest.MapFS{}
	for name, b := range m {
		f[name] = &fstest.MapFile{Data: b}
	}
	return f
}

// flip changes one byte in the middle of an object.
func (m memTree) flip(t *testing.T, name string) {
	t.Helper()
	b := slices.Clone(m.get(t, name))
	b[len(b)/2] ^= 1
	m[name] = b
}

func (m memTree) cut(t *testing.T, name string) {
	t.Helper()
	b := m.get(t, name)
	m[name] = b[:len(b)-1]
}

func (m memTree) grow(t *testing.T, name string) {
	t.Helper()
	m[name] = append(slices.Clone(m.get(t, name)), 'x')
}

func (m memTree) remove(t *testing.T, name string) {
	t.Helper()
	m.get(t, name)
	delete(m, name)
}

func (m memTree) get(t *testing.T, name string) []byte {
	t.Helper()
	b, ok := m[name]
	if !ok {
		t.Fatalf("no %s in the tree; it has:\n%s", name, strings.Join(slices.Sorted(maps.Keys(m)), "\n"))
	}
	return b
}

// find returns the only key that matches pattern.
func (m memTree) find(t *testing.T, pattern string) string {
	t.Helper()
	var found []string
	for name := range m {
		if ok, _ := path.Match(pattern, name); ok {
			found = append(found, name)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%s matches %q", pattern, found)
	}
	return found[0]
}

func gz(b []byte) []byte {
	var buf bytes.Buffer
	w := gzip.NewWriter(&buf)
	if _, err := w.Write(b); err != nil {
		panic(err)
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return buf.Bytes()
}

func sha(b []byte) string { return hex.EncodeToString(hashed(b)) }

func hashed(b []byte) []byte { s := sha256.Sum256(b); return s[:] }

// judge returns the path of a program, or skips the test.
func judge(t *testing.T, name string) string {
	t.Helper()
	p, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("no %s on this machine", name)
	}
	return p
}

// run runs a program in dir and returns its standard output.
func run(t *testing.T, dir, name string, args ...string) []byte {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, stderr.Bytes())
	}
	return out
}

// expect checks that there is a problem with path wantPath whose detail contains wantDetail, and that
// every problem has one of the paths wantPath and others.
func expect(t *testing.T, problems []check.Problem, wantPath, wantDetail string) {
	t.Helper()
	if !slices.ContainsFunc(problems, func(p check.Problem) bool {
		return p.Path == wantPath && strings.Contains(p.Detail, wantDetail)
	}) {
		t.Errorf("no problem of %s about %q; got:\n%s", wantPath, wantDetail, list(problems))
	}
	if !slices.IsSortedFunc(problems, func(a, b check.Problem) int { return strings.Compare(a.Path, b.Path) }) {
		t.Errorf("problems are not sorted:\n%s", list(problems))
	}
}

func list(problems []check.Problem) string {
	var b strings.Builder
	for _, p := range problems {
		fmt.Fprintf(&b, "\t%s\n", p)
	}
	return b.String()
}

func TestFind(t *testing.T) {
	tree := memTree{
		"acme/tools/ubuntu/dists/jammy/InRelease":                               nil,
		"acme/tools/ubuntu/dists/noble/Release":                                 nil,
		"acme/tools/ubuntu/dists/.new/InRelease":                                nil,
		"acme/tools/ubuntu/pool/jammy/main/dists/x/InRelease":                   nil,
		"acme/tools/el/9/x86_64/repodata/repomd.xml":                            nil,
		"acme/tools/el/9/aarch64/repodata/primary.xml.gz":                       nil,
		"pool/dists/el/9/SRPMS/repodata/repomd.xml":                             nil,
		"pool/tools/el/9/SRPMS/repodata/repomd.xml":                             nil,
		".history/acme/tools/el/9/x86_64/repodata/repomd.xml":                   nil,
		"acme/.trash/ubuntu/dists/jammy/InRelease":                              nil,
		"acme/tools/snapshots/20261129T021500Z/ubuntu/dists/jammy/InRelease":    nil,
		"acme/tools/snapshots/20261129T021500Z/el/9/x86_64/repodata/repomd.xml": nil,
		"acme/tools/ubuntu/dists/jammy/main/binary-amd64/Release":               nil,
	}
	got, err := check.Find(tree.fs())
	if err != nil {
		t.Fatal(err)
	}
	want := []check.Found{
		{Format: catalog.RPM, Base: "acme/tools/el/9/x86_64"},
		{Format: catalog.DEB, Base: "acme/tools/ubuntu", Codename: "jammy"},
		{Format: catalog.RPM, Base: "pool/tools/el/9/SRPMS"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	got, err = check.Find(memTree{"repodata/repomd.xml": nil, "dists/a/InRelease": nil}.fs())
	if err != nil {
		t.Fatal(err)
	}
	want = []check.Found{{Format: catalog.DEB, Codename: "a"}, {Format: catalog.RPM}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("at the root (-want +got):\n%s", diff)
	}
}

// A changingTree calls before on every Open, with a count of them, and then opens from the memTree.
// It does one thing at a time.
type changingTree struct {
	memTree
	mu     sync.Mutex
	opens  map[string]int
	before func(name string, n int)
}

func (c *changingTree) Open(ctx context.Context, name string) (io.ReadCloser, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.opens[name]++
	c.before(name, c.opens[name])
	return c.memTree.Open(ctx, name)
}
