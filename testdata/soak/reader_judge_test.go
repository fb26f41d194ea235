package soak_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"repomill/publish/sign"
	"repomill/schemas/catalog"
)

// A mapTree is objects in memory.
type mapTree map[string][]byte

// Open implements check.Tree.
func (m mapTree) Open(_ context.Context, name string) (io.ReadCloser, error) {
	body, ok := m[name]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return io.NopCloser(bytes.NewReader(body)), nil
}

// pack compresses text.
func pack(t *testing.T, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

const (
	jammyDir = "acme/tools/ubuntu/dists/jammy/"
	helloKey = "acme/tools/ubuntu/pool/jammy/main/h/hello/hello_1.0_amd64.deb"
)

// publish puts a release with one package into the tree, and returns the key of its index.
func (m mapTree) publish(t *testing.T, signer *sign.Signer, revision int, date time.Time, deb string) (index string) {
	t.Helper()
	m[helloKey] = []byte(deb)
	stanza := fmt.Sprintf("Package: hello\nVersion: 1.0\nArchitecture: amd64\nFilename: %s\nSize: %d\nSHA256: %s\n", strings.TrimPrefix(helloKey, "acme/tools/ubuntu/"), len(deb), digest([]byte(deb)))
	packages := pack(t, stanza)
	index = jammyDir + "main/binary-amd64/by-hash/SHA256/" + digest(packages)
	m[index] = packages
	body := fmt.Sprintf("Suite: jammy\nDate: %s\nRepomill-Revision: %d 0123456789abcdef\nSHA256:\n %s %d main/binary-amd64/Packages.gz\n",
		date.Format("Mon, 02 Jan 2006 15:04:05 UTC"), revision, digest(packages), len(packages))
	signed, err := signer.Clear([]byte(body), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	m[jammyDir+"InRelease"] = signed
	return index
}

// The reader finds what is wrong with a release, and nothing else.
func TestReader(t *testing.T) {
	t.Parallel()
	signer, err := signingKey()
	if err != nil {
		t.Fatal(err)
	}
	trusted, err := sign.ReadKeyring(signer.Public())
	if err != nil {
		t.Fatal(err)
	}
	day := time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		fact string
		then func(t *testing.T, m mapTree, index string) // what becomes of revision 7
		want string                                      // the invariant that is violated; empty for none
	}{
		{"nothing happens", func(*testing.T, mapTree, string) {}, ""},
		{"the next revision", func(t *testing.T, m mapTree, _ string) { m.publish(t, signer, 8, day.Add(time.Second), "deb") }, ""},
		{"an index goes", func(_ *testing.T, m mapTree, index string) { delete(m, index) }, "I1"},
		{"an index is cut", func(_ *testing.T, m mapTree, index string) { m[index] = m[index][:20] }, "I1"},
		{"a package goes", func(_ *testing.T, m mapTree, _ string) { delete(m, helloKey) }, "I1"},
		{"the pointer goes", func(_ *testing.T, m mapTree, _ string) { delete(m, jammyDir+"InRelease") }, "I1"},
		{"a lower revision", func(t *testing.T, m mapTree, _ string) { m.publish(t, signer, 6, day.Add(time.Second), "deb") }, "I2"},
		{"another pointer with the same revision", func(t *testing.T, m mapTree, _ string) { m.publish(t, signer, 7, day.Add(time.Second), "deb") }, "I2"},
		{"the same Date", func(t *testing.T, m mapTree, _ string) { m.publish(t, signer, 8, day, "deb") }, "I2"},
		{"other bytes", func(t *testing.T, m mapTree, _ string) { m.publish(t, signer, 8, day.Add(time.Second), "bed") }, "I4"},
		{"a pointer that somebody changed", func(_ *testing.T, m mapTree, _ string) {
			m[jammyDir+"InRelease"] = bytes.Replace(m[jammyDir+"InRelease"], []byte("Revision: 7"), []byte("Revision: 8"), 1)
		}, "I8"},
	} {
		t.Run(tt.fact, func(t *testing.T) {
			var said []string
			j := newJudge(func(format string, args ...any) { said = append(said, fmt.Sprintf(format, args...)) })
			tree := mapTree{}
			k := &soaking{site: &site{tree: tree, trusted: trusted}, judge: j, ledger: newLedger(j)}
			hello := &pkg{dist: "ubuntu/jammy", name: "hello", version: "1.0", arch: "amd64", releases: allReleases[:1], bytes: map[string][]byte{digest([]byte("deb")): {1}, digest([]byte("bed")): {2}}}
			k.ledger.declare(hello)
			r := &reader{soaking: k, rand: rand.New(rand.NewPCG(1, 1)), seen: map[catalog.Release]*view{}, kept: map[string]fact{}, gpgv: &gpgv{}}
			index := tree.publish(t, signer, 7, day, "deb")
			for run := range 2 {
				r.read(t.Context(), allReleases[0])
				r.lookAtAll(t.Context())
				if run == 0 {
					if j.total() > 0 {
						t.Fatalf("before anything happens: %s", strings.Join(said, "\n"))
					}
					tt.then(t, tree, index)
				}
			}
			if (j.total() > 0) != (tt.want != "") || tt.want != "" && j.found[tt.want] == 0 {
				t.Errorf("want %q, got %v: %s", tt.want, j.found, strings.Join(said, "\n"))
			}
		})
	}
}
