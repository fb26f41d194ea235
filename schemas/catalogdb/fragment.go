package catalogdb

import (
	"fmt"

	"github.com/klauspost/compress/zstd"

	"repomill/schemas/catalog"
)

// MaxFragment is the largest index fragment that a row takes, in compressed bytes. Larger packets
// are refused by databases with default settings.
const MaxFragment = 12 << 20

// A fragment column holds one zstd frame. Both coders may be used concurrently.
var (
	encoder, _ = zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
	decoder, _ = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(1<<30))
)

// pack returns the column value of a fragment; an empty fragment is NULL.
func pack(fragment []byte) (any, error) {
	if len(fragment) == 0 {
		return nil, nil
	}
	b := encoder.EncodeAll(fragment, nil)
	if len(b) > MaxFragment {
		return nil, &catalog.Rejection{
			Reason: catalog.TooLarge,
			Detail: fmt.Sprintf("the package's index entry has %d bytes compressed, more than %d; ship fewer files or a shorter change log", len(b), MaxFragment),
		}
	}
	return b, nil
}

// unpack is the inverse of pack. It appends to dst.
func unpack(dst, column []byte) ([]byte, error) {
	if len(column) == 0 {
		return nil, nil
	}
	b, err := decoder.DecodeAll(column, dst)
	if err != nil {
		return nil, fmt.Errorf("read fragment: %w", err)
	}
	return b, nil
}
