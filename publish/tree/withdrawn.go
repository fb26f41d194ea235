package tree

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"regexp"
	"strings"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// WithdrawnFormat is the format of the lists that this version writes: of their lines, of their order and of the boundaries of chunks. Raise
// it with each change of these: a list of another format is not updated but made again.
const WithdrawnFormat = 1

// A WithdrawnList names the chunks of the list of the withdrawn packages of a release. It is stored in JSON, compressed.
type WithdrawnList struct {
	Chunks []WithdrawnChunk `json:"chunks"` // in order; none of them is empty
}

// A WithdrawnChunk is an object with a line of JSON for each of some withdrawn packages, in the order of their sort keys, compressed.
// Packages that share a sort key are in one chunk.
type WithdrawnChunk struct {
	Start  []byte `json:"start"` // sort key of the first package
	Rows   int    `json:"rows"`
	Size   int64  `json:"size"` // of the object, in bytes
	SHA256 string `json:"sha256"`

	// Object is where the packages are. It follows from the digest.
	Object Object `json:"-"`
}

const (
	// maxLine bounds one withdrawn package in a list, in bytes.
	maxLine = 1 << 20
	// maxList bounds what names the chunks of a list, in bytes: some 500,000 chunks.
	maxList = 128 << 20
)

// WithdrawnListKey returns the key of what names the chunks of a list. It depends on the SHA-256 of the object.
func WithdrawnListKey(r catalog.Release, sha256 string) string {
	return layout.HistoryPrefix(r) + "withdrawn-" + sha256 + ".json.gz"
}

// WithdrawnChunkKey returns the key of a chunk of a list. It depends on the SHA-256 of the object.
func WithdrawnChunkKey(r catalog.Release, sha256 string) string {
	return layout.HistoryPrefix(r) + "withdrawn-chunk-" + sha256 + ".json.gz"
}

// IsWithdrawnKey reports whether a list of the withdrawn packages of a release, or a part of one, lies under a key, also one that an
// earlier version wrote.
func IsWithdrawnKey(r catalog.Release, key string) bool {
	name, ok := strings.CutPrefix(key, layout.HistoryPrefix(r))
	return ok && (strings.HasPrefix(name, "withdrawn-") || strings.HasPrefix(name, "yanked-"))
}

var hexSHA256 = regexp.MustCompile(`^[0-9a-f]{64}$`)

// ReadWithdrawnList reads what a manifest of a release says of its withdrawn packages; no chunks if there are none. The list of an earlier
// version is one chunk.
func ReadWithdrawnList(ctx context.Context, b Reader, r catalog.Release, m Manifest) (l WithdrawnList, err error) {
	switch {
	case m.WithdrawnFormat > WithdrawnFormat:
		return l, fmt.Errorf("read list of withdrawn packages: format %d is of a later version of repomill", m.WithdrawnFormat)
	case m.Withdrawn != nil:
	case m.Yanked != nil:
		return WithdrawnList{Chunks: []WithdrawnChunk{{Size: m.Yanked.Size, SHA256: m.Yanked.SHA256, Object: *m.Yanked}}}, nil
	default:
		return l, nil
	}
	in, err := OpenPacked(ctx, b, *m.Withdrawn)
	if err != nil {
		return l, fmt.Errorf("read list of withdrawn packages: %w", err)
	}
	defer in.Close()
	text, err := io.ReadAll(io.LimitReader(in, maxList+1))
	if err == nil && len(text) > maxList {
		err = fmt.Errorf("more than %d bytes", maxList)
	}
	if err == nil {
		err = json.Unmarshal(text, &l)
	}
	for i := range l.Chunks {
		c := &l.Chunks[i]
		if !hexSHA256.MatchString(c.SHA256) || i > 0 && bytes.Compare(l.Chunks[i-1].Start, c.Start) >= 0 {
			err = fmt.Errorf("chunk %d is out of order, or has no digest", i)
			break
		}
		c.Object = Object{Key: WithdrawnChunkKey(r, c.SHA256), Size: c.Size, SHA256: c.SHA256}
	}
	if err != nil {
		return WithdrawnList{}, fmt.Errorf("read %s: %w", m.Withdrawn.Key, err)
	}
	return l, nil
}

// Withdrawn yields the packages in the list that a manifest of a release names, in order; none if it names none.
func Withdrawn(ctx context.Context, b Reader, r catalog.Release, m Manifest) iter.Seq2[catalog.Package, error] {
	return func(yield func(catalog.Package, error) bool) {
		l, err := ReadWithdrawnList(ctx, b, r, m)
		if err != nil {
			yield(catalog.Package{}, err)
			return
		}
		for _, c := range l.Chunks {
			for k, err := range c.Packages(ctx, b) {
				if !yield(k, err) || err != nil {
					return
				}
			}
		}
	}
}

// Packages yields the packages of a chunk, in order.
func (c WithdrawnChunk) Packages(ctx context.Context, b Reader) iter.Seq2[catalog.Package, error] {
	return func(yield func(catalog.Package, error) bool) {
		in, err := OpenPacked(ctx, b, c.Object)
		if err != nil {
			yield(catalog.Package{}, err)
			return
		}
		defer in.Close()
		lines := bufio.NewScanner(in)
		lines.Buffer(nil, maxLine)
		for lines.Scan() {
			var k catalog.Package
			err := json.Unmarshal(lines.Bytes(), &k)
			if !yield(k, err) || err != nil {
				return
			}
		}
		if err := lines.Err(); err != nil {
			yield(catalog.Package{}, fmt.Errorf("read %s: %w", c.Object.Key, err))
		}
	}
}

// IsKeyOf reports whether a package can lie under a key.
func IsKeyOf(key string, k catalog.Package) bool {
	if k.Format == catalog.DEB {
		return k.Component != "" && key == layout.PoolKey(k)
	}
	dir, _, _ := strings.Cut(strings.TrimPrefix(key, k.Repository.String()+"/"+k.Distribution.String()+"/"), "/")
	own := k.Arch == layout.Noarch && layout.ValidArch(dir) || dir == layout.RPMDirOf(k.Arch) || k.Multilib && dir == layout.X86
	return own && key == layout.RPMKey(k, dir)
}
