package catalogdb

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"iter"
	"slices"
	"strconv"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/stall"
)

// What one transaction of a recovery imports at most, in rows and in bytes of fragments. Other changes of the repository wait for it,
// with SQLite those of all. recoveryRows is a variable for tests.
var recoveryRows = 1000

const recoveryBytes = 4 << 20

// A recoveryBatch is a part of the rows of a release, in their order.
type recoveryBatch struct {
	rows []catalog.Package
	from int    // rows before it
	sum  string // digest of all rows up to its end
}

// end returns the number of rows up to its end.
func (b recoveryBatch) end() int { return b.from + len(b.rows) }

// recoveryBatches yields rows in batches: at least one, which is empty if there are no rows. How rows are divided depends on the rows alone. An
// error is the last value; the rows before it in its batch are not to be used.
// Digests of a rebuild differ from those of a recovery, which trusts rows that are here: neither goes on where the other has ended.
func recoveryBatches(rows iter.Seq2[catalog.Package, error], rebuild bool) iter.Seq2[recoveryBatch, error] {
	return func(yield func(recoveryBatch, error) bool) {
		var b recoveryBatch
		var size int
		digest := sha256.New()
		if rebuild {
			digest.Write([]byte("rebuild ")) //nolint:errcheck // never fails (hash.Hash)
		}
		send := func(err error) bool {
			b.sum = hex.EncodeToString(digest.Sum(nil))
			done := b
			b, size = recoveryBatch{from: b.end()}, 0
			return yield(done, err)
		}
		for k, err := range rows {
			if err == nil {
				k = kept(k)
				err = addRow(digest, k)
			}
			if err != nil {
				send(err)
				return
			}
			b.rows = append(b.rows, k)
			size += len(k.Stanza) + len(k.Primary) + len(k.Filelists) + len(k.Other)
			if (len(b.rows) == recoveryRows || size >= recoveryBytes) && !send(nil) {
				return
			}
		}
		if len(b.rows) > 0 || b.from == 0 {
			send(nil)
		}
	}
}

// kept returns a row that stays valid when the next one is read.
func kept(k catalog.Package) catalog.Package {
	for _, f := range []*[]byte{&k.SortKey, &k.Stanza, &k.Primary, &k.Filelists, &k.Other} {
		*f = bytes.Clone(*f)
	}
	k.Needs = slices.Clone(k.Needs)
	return k
}

// addRow adds a row to a digest, without its key: which directory that of a noarch package names depends on what is published beside it.
func addRow(digest hash.Hash, k catalog.Package) error {
	k.Key = ""
	text, err := json.Marshal(k)
	for _, part := range [][]byte{text, k.SortKey, k.Stanza, k.Primary, k.Filelists, k.Other} {
		digest.Write(strconv.AppendInt(nil, int64(len(part)), 10)) //nolint:errcheck // never fails (hash.Hash)
		digest.Write([]byte{' '})                                  //nolint:errcheck // likewise
		digest.Write(part)                                         //nolint:errcheck // likewise
	}
	return err
}

// foreignRows are the rows of a release that another catalog published.
type foreignRows struct {
	release   catalog.Release
	rows      iter.Seq2[catalog.Package, error]
	published catalog.Revision
	rebuild   bool
	now       time.Time
}

// A survey is what the first reading of rows found: the digest up to the end of each batch, by the number of rows up to there.
type survey struct {
	total int
	sums  map[int]string
}

// survey reads rows to their end. The error is theirs, or says which of them is not of the release.
func (f foreignRows) survey(ctx context.Context) (survey, error) {
	s := survey{sums: map[int]string{}}
	for b, err := range recoveryBatches(f.rows, f.rebuild) {
		if err != nil {
			return s, err
		}
		for _, k := range b.rows {
			if err := checkRecovered(f.release, k); err != nil {
				return s, err
			}
		}
		s.total = b.end()
		s.sums[s.total] = b.sum
		stall.Moved(ctx)
	}
	return s, nil
}

// begin returns how many rows are imported already.
func (s survey) begin(m recoveryMark, published catalog.Revision) int {
	if m.published == published && m.done < s.total && m.sum != "" && s.sums[m.done] == m.sum {
		return m.done
	}
	return 0
}

// errMoved says that another process imports the same rows, and has begun again.
var errMoved = errors.New("another process recovers the release, too: try again")

// recoverForeign imports rows in batches, each in a transaction.
func (d *DB) recoverForeign(ctx context.Context, f foreignRows) (Recovered, error) {
	s, err := f.survey(ctx)
	if err != nil {
		return Recovered{}, err
	}
	mark, err := d.recoveryMark(ctx, f.release)
	if err != nil {
		return Recovered{}, err
	}
	at := s.begin(mark, f.published)
	for b, err := range recoveryBatches(f.rows, f.rebuild) {
		switch {
		case err != nil:
			return Recovered{}, err
		case s.sums[b.end()] != b.sum:
			return Recovered{}, fmt.Errorf("the published rows %d to %d changed while they were read", b.from+1, b.end())
		case b.from > at:
			return Recovered{}, errMoved
		case b.from < at:
			continue
		}
		counts, next, err := d.recoverBatch(ctx, f, s, b)
		if err != nil || next == ended {
			return counts, err
		}
		at = next
		stall.Moved(ctx)
	}
	return Recovered{}, errMoved
}

// ended follows the last batch.
const ended = -1

// recoverBatch imports one batch and, with the last one, ends the recovery. It returns how many rows are imported then, also by other
// processes, and what the whole recovery changed if this batch has ended it.
func (d *DB) recoverBatch(ctx context.Context, f foreignRows, s survey, b recoveryBatch) (counts Recovered, next int, err error) {
	err = d.tx(ctx, func(tx *transaction) error {
		rec, err := beginRecovery(ctx, tx, f.release, f.now)
		if err != nil {
			return err
		}
		if known, err := knowsRevision(ctx, tx, rec.release.id, f.published); err != nil || known {
			if next = ended; err == nil && f.rebuild && counts == (Recovered{}) { // else they are those of a try whose commit went through unreported
				err = errMoved // another process was faster, and may have trusted rows that are here
			}
			return err
		}
		mark, err := readMark(ctx, tx, rec.release.id)
		if err != nil {
			return err
		}
		if next = s.begin(mark, f.published); next != b.from {
			return nil
		}
		if next == 0 { // what another recovery has counted is not of this one
			mark = recoveryMark{published: f.published, shared: mark.shared, began: f.now}
		}
		if err := rec.readPublished(ctx, f.published, false, f.rebuild); err != nil {
			return err
		}
		if err := rec.importBatch(ctx, b.rows); err != nil {
			return err
		}
		mark.add(rec.counts)
		rec.shared = rec.shared || mark.shared
		if b.end() == s.total {
			counts, next = mark.counts, ended
			return rec.end(ctx, mark.counts, f.published)
		}
		mark.shared, mark.done, mark.total, mark.sum, next = rec.shared, b.end(), s.total, b.sum, b.end()
		return mark.write(ctx, tx, rec.release.id)
	})
	return counts, next, err
}
