package publish_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"repomill/publish/publishtest"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// row makes an upload of which there are bytes enough for an index, and none for a client.
func row(name string) upload {
	body := []byte(name)
	s := sha256.Sum256(body)
	k := catalog.Package{
		Repository: tools, Distribution: jammy.Distribution, Component: "main", Format: catalog.DEB, Name: name, Version: "1", Canonical: "1", Arch: "amd64",
		SortKey: []byte(name), File: catalog.File{Size: int64(len(body)), SHA256: hex.EncodeToString(s[:])}, Uploaded: publishtest.Start,
		Stanza: []byte("Package: " + name + "\n"),
	}
	k.Key = layout.PoolKey(k)
	return upload{k, body}
}

// members returns the gzip members of an index, each decompressed.
func members(t testing.TB, index []byte) []string {
	t.Helper()
	in := bufio.NewReader(bytes.NewReader(index))
	var all []string
	for {
		z, err := gzip.NewReader(in)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		z.Multistream(false)
		text, err := io.ReadAll(z)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, string(text))
	}
}

// An index is a row of segments whose borders depend on the rows alone: one more package changes one of
// them.
func TestSegments(t *testing.T) {
	skipUnderRace(t)
	simulate(t, func(t *testing.T, w *world) {
		const rows = 600
		var all []upload
		var want strings.Builder
		for i := range rows {
			name := fmt.Sprintf("p%04d", i)
			all = append(all, row(name))
			want.WriteString("Package: " + name + "\n\n")
		}
		late := 300
		w.push(slices.Concat(all[:late], all[late+1:])...)
		w.publish(jammy)
		before := members(t, w.bucket.Bytes(plainIndex))
		w.push(all[late])
		w.publish(jammy)
		after := members(t, w.bucket.Bytes(plainIndex))
		if got := strings.Join(after, ""); got != want.String() {
			t.Errorf("the index does not have %d stanzas in order:\n%s", rows, got)
		}
		changed := slices.DeleteFunc(slices.Clone(after), func(m string) bool { return slices.Contains(before, m) })
		if len(after) < 3 || len(changed) != 1 {
			t.Errorf("%d of %d segments changed", len(changed), len(after))
		}
	})
}

const plainIndex = "acme/tools/ubuntu/dists/jammy/main/binary-amd64/Packages.gz"
