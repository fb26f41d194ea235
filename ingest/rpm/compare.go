package rpm

import (
	"crypto"
	_ "crypto/sha3" // rpm 6
	"encoding/hex"
	"hash"
	"io"
	"maps"
	"strings"

	"repomill/ingest/input"
)

// fileAlgorithms are the digests of files that rpm knows, by number: digestAlgorithms, and two of rpm 6.
var fileAlgorithms = func() map[uint64]crypto.Hash {
	all := maps.Clone(digestAlgorithms)
	all[12], all[14] = crypto.SHA3_256, crypto.SHA3_512
	return all
}()

// A comparison compares the files of an archive with those of the header, as rpm does when it installs (lib/rpmfi.c:
// iterReadArchiveNext, lib/fsm.c: rpmPackageFilesInstall).
type comparison struct {
	*payloadFiles
	archive   *cpioArchive
	hash      hash.Hash
	alg       crypto.Hash
	pending   int // the last name of a hard-linked file whose contents are still to come, or -1
	oddDigest int // a file with a digest of another length, or -1: rpm then compares no digest
}

// compare reads an archive to its end and returns what stops rpm in it, or a fault of the archive.
func (c *payloadFiles) compare(a *cpioArchive) error {
	c.prepare()
	alg, ok := fileAlgorithms[c.algorithm]
	if !ok {
		alg = crypto.MD5 // the default of rpm
	}
	in := &comparison{payloadFiles: c, archive: a, hash: alg.New(), alg: alg, pending: -1, oddDigest: -1}
	for i := range c.n {
		if d := c.digest(i); len(d) != 0 && len(d) != 2*alg.Size() {
			in.oddDigest = i
		}
	}
	for {
		e, end, err := a.next()
		if err != nil {
			return err
		}
		if end {
			return in.end()
		}
		if err := in.entry(e); err != nil {
			return err
		}
	}
}

// end checks that the archive had all files of the header.
func (c *comparison) end() error {
	if c.pending >= 0 {
		return c.mixedNames(c.pending)
	}
	for i, found := range c.found {
		if !found && !c.ghost(i) {
			return newProblem("does not have the file %s, which the header lists", c.shown(i))
		}
	}
	return nil
}

// shown returns the path of a file, quoted.
func (c *comparison) shown(i int) string { return input.Quote(string(c.path([]byte("/"), i))) }

// entry checks one file of the archive and reads its contents.
func (c *comparison) entry(e cpioEntry) error {
	i := -1
	switch {
	case !e.stripped:
		i = c.find(e.name)
	case e.index < uint64(c.n):
		i = int(e.index)
	}
	switch {
	case i < 0 && e.stripped:
		return newProblem("has the file %d of the header, which has %d", e.index, c.n)
	case i < 0:
		return newProblem("has the file %s, which the header does not list", input.Quote(string(e.name)))
	case c.found[i]:
		return newProblem("has the file %s twice", c.shown(i))
	case c.ghost(i) && e.stripped:
		return newProblem("has the file %s, which the header says it has not (%%ghost)", c.shown(i))
	}
	c.found[i], c.expected = true, i+1
	switch mode := c.mode(i) & modeType; {
	case c.ghost(i): // rpm before 4.11 wrote it; rpm skips its contents
		return c.archive.copy(io.Discard, e.size)
	case mode == modeRegular:
		return c.file(i)
	case mode == modeSymlink: // rpm takes the target from the header
		size := c.size(i)
		if !e.stripped && size > uint64(e.size) {
			return newProblem("has %d bytes for the symbolic link %s, which has %d by the header", e.size, c.shown(i), size)
		}
		return c.copy(io.Discard, size)
	}
	return nil
}

// file reads the contents of a regular file, if this name has them, and compares their digest. Like rpm it takes the
// size from the header and ignores that of the archive.
func (c *comparison) file(i int) error {
	last := c.lastName(i)
	if c.pending >= 0 && c.pending != last {
		return c.mixedNames(c.pending)
	}
	if c.pending = last; last != i {
		return nil
	}
	c.pending = -1
	c.hash.Reset()
	size := c.size(i)
	if err := c.copy(c.hash, size); err != nil {
		return err
	}
	if c.oddDigest >= 0 {
		return newProblem("has files that rpm cannot compare with their digests: the header declares %s, and the digest of %s is %s", c.alg, c.shown(c.oddDigest), input.Quote(c.digest(c.oddDigest)))
	}
	got, want := hex.EncodeToString(c.hash.Sum(nil)), c.digest(i)
	if strings.EqualFold(got, want) || size == 0 && c.alg == crypto.MD5 && strings.Trim(want, "0") == "" {
		return nil
	}
	return newProblem("has the file %s with the %s %s, not %s as the header says", c.shown(i), c.alg, got, input.Quote(want))
}

// copy reads n bytes of the archive into w.
func (c *comparison) copy(w io.Writer, n uint64) error {
	if n > 1<<62 {
		return io.ErrUnexpectedEOF // more than an archive can have
	}
	return c.archive.copy(w, int64(n))
}

// mixedNames is the problem of an archive in which the names of a hard-linked file do not follow each other, or in
// which the last of them does not have the contents. rpm takes a file in between for another name of it, or leaves
// names without contents.
func (c *comparison) mixedNames(i int) error {
	return newProblem("has the names of one file, of which %s is the last, among other files or in another order, so that rpm mixes up their contents", c.shown(i))
}
