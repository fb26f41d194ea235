package tree

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path"
	"strings"

	"repomill/publish/apt"
	"repomill/publish/sign"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// debPointer is InRelease.
type debPointer struct{}

func (debPointer) pairKeys(r catalog.Release) []string {
	dir := layout.DebDir(r)
	return []string{dir + "/Release.gpg", dir + "/Release"}
}

func (f debPointer) parse(r catalog.Release, body []byte) (Pointer, error) {
	text, err := ClearText(body)
	if err != nil {
		return Pointer{}, err
	}
	return f.parseText(r, text)
}

func (f debPointer) open(_ context.Context, _ Reader, keys sign.Keyring, r catalog.Release, body []byte) (Pointer, error) {
	text, err := keys.VerifyClear(body)
	if err != nil {
		return Pointer{}, fmt.Errorf("%w: InRelease %w", ErrForeign, err)
	}
	return f.parseText(r, text)
}

func (debPointer) parseText(r catalog.Release, text []byte) (Pointer, error) {
	rel, err := apt.Parse(text)
	ptr := Pointer{Revision: rel.Revision, Date: rel.Date}
	open := map[string]apt.File{}
	for _, f := range rel.Files {
		name, ok := strings.CutSuffix(f.Path, ".gz")
		if !ok {
			open[f.Path] = f
			continue
		}
		plain := path.Join(layout.DebDir(r), f.Path)
		ptr.Plain = append(ptr.Plain, plain)
		ptr.Indexes = append(ptr.Indexes, Index{
			Name:   name,
			Packed: Object{Key: layout.ByHashKey(plain, f.SHA256), Size: f.Size, SHA256: f.SHA256},
			Open:   Object{Size: open[name].Size, SHA256: open[name].SHA256}, // sorted before the packed one
		})
	}
	return ptr, err
}

func (debPointer) text(body []byte) []byte {
	text, err := ClearText(body)
	if err != nil {
		return nil
	}
	return text
}

// ClearText returns the text inside the cleartext signature of an InRelease, and does not verify the signature. It does
// not undo dash escapes: no line of a Release file that repomill writes starts with a dash.
func ClearText(signed []byte) ([]byte, error) {
	_, rest, ok := bytes.Cut(signed, []byte("\n\n"))
	text, _, ok2 := bytes.Cut(rest, []byte("-----BEGIN PGP SIGNATURE-----"))
	if !ok || !ok2 {
		return nil, errors.New("read InRelease: it has no cleartext signature")
	}
	return text, nil
}
