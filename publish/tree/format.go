package tree

import (
	"context"
	"encoding/json"
	"fmt"

	"repomill/schemas/layout"
)

// Format is the number of the form in which this program writes a bucket. It is raised when an earlier program would harm what a later
// one writes: a collector that does not know of a new kind of reference removes what it refers to. 2 has snapshots, which hold indexes.
const Format = 2

// A BucketFormat is the object [layout.FormatKey]. A bucket without it has format 1.
type BucketFormat struct {
	Format int `json:"format"`
}

// A NewerFormat is the error for a bucket that a later version of the program has written to. It is final: nothing but an
// upgrade helps.
type NewerFormat struct{ Bucket int }

func (e *NewerFormat) Error() string {
	return fmt.Sprintf("the bucket has format %d, and this version of repomill knows %d: a later version has written to it; upgrade this program", e.Bucket, Format)
}

// CheckFormat returns whether the bucket says its format, or a [*NewerFormat] if this program must not write to it.
func CheckFormat(ctx context.Context, b Reader) (written bool, err error) {
	body, meta, err := ReadSmall(ctx, b, layout.FormatKey)
	if err != nil {
		return false, fmt.Errorf("read %s: %w", layout.FormatKey, err)
	}
	_, err = ParseFormat(body, meta)
	return meta.Version != "", err
}

// ParseFormat returns the format that the object [layout.FormatKey] says, given its bytes and metadata: 1 if it is absent. A higher one than
// this program knows is a [*NewerFormat].
func ParseFormat(body []byte, meta layout.Meta) (int, error) {
	if meta.Version == "" {
		return 1, nil
	}
	var f BucketFormat
	if err := json.Unmarshal(body, &f); err != nil || f.Format < 1 {
		return 0, fmt.Errorf("%s of the bucket is %.100q, and should be {\"format\": %d}: restore an earlier version of that object", layout.FormatKey, body, Format)
	}
	if f.Format > Format {
		return f.Format, &NewerFormat{f.Format}
	}
	return f.Format, nil
}
