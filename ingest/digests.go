package ingest

import (
	"crypto/md5" //nolint:gosec // a field of Packages that old tools ask for
	"crypto/sha256"
	"encoding/hex"
	"hash"

	"repomill/schemas/catalog"
)

// digests computes the size and the digests of a file as it is written to them.
type digests struct {
	size   int64
	sha256 hash.Hash
	md5    hash.Hash // DEB only
}

func newDigests(f catalog.Format) digests {
	d := digests{sha256: sha256.New()}
	if f == catalog.DEB {
		d.md5 = md5.New() //nolint:gosec // see above
	}
	return d
}

func (d *digests) Write(p []byte) (int, error) {
	d.size += int64(len(p))
	if d.md5 != nil {
		d.md5.Write(p)
	}
	return d.sha256.Write(p)
}

func (d *digests) file() catalog.File {
	f := catalog.File{Size: d.size, SHA256: hex.EncodeToString(d.sha256.Sum(nil))}
	if d.md5 != nil {
		f.MD5 = hex.EncodeToString(d.md5.Sum(nil))
	}
	return f
}
