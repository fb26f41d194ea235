package publish

import (
	"context"
	"fmt"

	"repomill/publish/repomd"
	"repomill/publish/sign"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

func ascKey(r catalog.Release) string { return layout.PointerKey(r) + ".asc" }

// rpmPointer is repomd.xml.
type rpmPointer struct{}

func (rpmPointer) pairKeys(r catalog.Release) []string { return []string{ascKey(r)} }

func (rpmPointer) parse(r catalog.Release, body []byte) (pointer, error) {
	md, err := repomd.Parse(body)
	ptr := pointer{revision: md.Revision, date: md.Date, hints: md.Hints}
	for _, d := range md.Data {
		ptr.indexes = append(ptr.indexes, listed{
			name:   d.Type,
			packed: ManifestObject{Key: layout.RPMDir(r) + "/" + d.Name(), Size: d.Size, SHA256: d.SHA256},
			open:   ManifestObject{Size: d.OpenSize, SHA256: d.OpenSHA256},
		})
	}
	return ptr, err
}

func (rpmPointer) text(body []byte) []byte { return body }

func (f rpmPointer) open(ctx context.Context, b Reader, keys sign.Keyring, r catalog.Release, body []byte) (pointer, error) {
	asc, _, err := readSmall(ctx, b, ascKey(r))
	if err != nil {
		return pointer{}, err
	}
	if err := keys.VerifyDetached(body, asc); err != nil {
		return pointer{}, fmt.Errorf("%w: repomd.xml.asc: %w", ErrForeign, err)
	}
	return f.parse(r, body)
}
