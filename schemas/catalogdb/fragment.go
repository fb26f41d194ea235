package catalogdb

import (
	"bytes"
	"fmt"

	"github.com/klauspost/compress/zstd"

	"repomill/schemas/catalog"
	"repomill/schemas/gzipmember"
)

// MaxFragment is the largest index fragment that a row takes, in compressed bytes. Larger packets
// are refused by databases with default settings.
const MaxFragment = 12 << 20

// maxText is the largest index fragment that a row may hold, in bytes.
const maxText = 1 << 30

// A fragment column holds one zstd frame or, for a text that is a member of its own in the published
// index, that member, which is never made again. Both coders may be used concurrently.
var (
	encoder, _ = zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
	decoder, _ = zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxMemory(maxText))
)

// pack returns the column value of a fragment; an empty fragment is NULL.
func pack(fragment []byte) (any, error) {
	var b []byte
	switch {
	case len(fragment) == 0:
		return nil, nil
	case len(fragment) > gzipmember.Oversized:
		b = gzipmember.Append(nil, fragment)
	default:
		b = encoder.EncodeAll(fragment, nil)
	}
	if len(b) > MaxFragment {
		return nil, &catalog.Rejection{
			Reason: catalog.TooLarge,
			Detail: fmt.Sprintf("the package's index entry has %d bytes compressed, more than %d; ship fewer files or a shorter change log", len(b), MaxFragment),
		}
	}
	return b, nil
}

// A Fragment is what a row has for one index.
type Fragment struct {
	Text   []byte
	Member []byte // the gzip member that holds Text, if it was made at ingest
}

// unpack is the inverse of pack. It reuses what f has room for.
func (f *Fragment) unpack(column []byte) (err error) {
	text := f.Text[:0]
	f.Text, f.Member = text, nil
	switch {
	case len(column) == 0:
		return nil
	case gzipmember.Is(column):
		f.Text, err = gzipmember.Text(text, column, maxText)
		f.Member = bytes.Clone(column)
	default:
		f.Text, err = decoder.DecodeAll(column, text)
	}
	if err != nil {
		return fmt.Errorf("read fragment: %w", err)
	}
	return nil
}
