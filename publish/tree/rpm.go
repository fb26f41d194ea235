package tree

import (
	"context"
	"fmt"

	"repomill/publish/repomd"
	"repomill/publish/sign"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// SignatureKey returns the key of the signature beside an RPM release's pointer.
func SignatureKey(r catalog.Release) string { return layout.PointerKey(r) + ".asc" }

// rpmPointer is repomd.xml.
type rpmPointer struct{}

func (rpmPointer) pairKeys(r catalog.Release) []string { return []string{SignatureKey(r)} }

func (rpmPointer) parse(r catalog.Release, body []byte) (Pointer, error) {
	md, err := repomd.Parse(body)
	ptr := Pointer{Revision: md.Revision, Date: md.Date, Hints: md.Hints}
	for _, d := range md.Data {
		ptr.Indexes = append(ptr.Indexes, Index{
			Name:   d.Type,
			Packed: Object{Key: layout.RPMDir(r) + "/" + d.Name(), Size: d.Size, SHA256: d.SHA256},
			Open:   Object{Size: d.OpenSize, SHA256: d.OpenSHA256},
		})
	}
	return ptr, err
}

func (rpmPointer) text(body []byte) []byte { return body }

func (f rpmPointer) open(ctx context.Context, b Reader, keys sign.Keyring, r catalog.Release, body []byte) (Pointer, error) {
	asc, _, err := ReadSmall(ctx, b, SignatureKey(r))
	if err != nil {
		return Pointer{}, err
	}
	if err := keys.VerifyDetached(body, asc); err != nil {
		return Pointer{}, fmt.Errorf("%w: repomd.xml.asc: %w", ErrForeign, err)
	}
	return f.parse(r, body)
}
