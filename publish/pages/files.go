package pages

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"io"
	"path"
	"regexp"
	"strings"

	"repomill/publish/pages/model"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

// maxPaths is how many files a package may have so that they are listed: a page of 20 MB or so. The page of its version is made without
// the list.
const maxPaths = 200_000

// filesOf returns the key of the list of a package's files, or nothing if there is none.
func (w *work) filesOf(row catalogdb.PagePackage) string {
	if row.Format == catalog.DEB && (row.Contents == nil || row.Contents.Files == 0) {
		return ""
	}
	return layout.FilesPageKey(w.repository, row.Name, row.File.SHA256)
}

// createFiles writes the lists of files of RPM packages that are not there yet. Such a list never changes: its key has the digest of its package.
// Those of DEB packages are written when their files are read.
func (n *nameWork) createFiles(ctx context.Context, rows []catalogdb.PagePackage) error {
	seen := map[string]bool{}
	for _, row := range rows {
		if row.Format != catalog.RPM || seen[row.File.SHA256] {
			continue
		}
		seen[row.File.SHA256] = true
		if n.kept == nil { // or else most likely none is there
			there, err := n.has(ctx, layout.FilesPageKey(n.repository, n.name, row.File.SHA256))
			if err != nil {
				return err
			}
			if there {
				continue
			}
		}
		list, err := n.Catalog.PageFilelists(ctx, row)
		if err != nil {
			return err
		}
		if err := n.createFilesPage(ctx, row.Package, list); err != nil {
			return err
		}
	}
	return nil
}

// createFilesPage writes the list of the files of one package. One that has too many, or says none, has a list without files.
func (w *work) createFilesPage(ctx context.Context, k catalog.Package, list []byte) error {
	files, err := readFilelists(list)
	if err != nil {
		w.Log.Warn("files of a package are not listed", "repository", w.repository.String(), "package", k.Name, "version", k.Version, "error", err)
	}
	k.Stanza, k.Primary, k.Filelists, k.Other = nil, nil, nil, nil
	for _, p := range w.html.Files(model.Files{Repository: w.about, Package: k, Paths: files}) {
		if err := w.create(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

// wantContents asks for the contents of DEB packages of which nothing is known, or whose lists of files the bucket has lost. When they
// were read, the page is made again.
func (w *work) wantContents(ctx context.Context, rows []catalogdb.PagePackage) error {
	var unknown, lost []catalog.Package
	seen := map[string]bool{}
	for _, row := range rows {
		if row.Format != catalog.DEB || seen[row.File.SHA256] {
			continue
		}
		seen[row.File.SHA256] = true
		if row.Contents == nil {
			unknown = append(unknown, row.Package)
			continue
		}
		key := w.filesOf(row)
		if key == "" {
			continue
		}
		there, err := w.has(ctx, key)
		if err != nil {
			return err
		}
		if !there {
			lost = append(lost, row.Package)
		}
	}
	if err := w.Catalog.WantContents(ctx, w.repository, unknown); err != nil {
		return err
	}
	return w.Catalog.WantContentsAgain(ctx, w.repository, lost)
}

var errPaths = errors.New("it has more files than a page lists")

// readFilelists returns the files in a <package> element of filelists.xml.
func readFilelists(fragment []byte) (files []model.File, err error) {
	dec := xml.NewDecoder(bytes.NewReader(fragment))
	for {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return files, nil
		}
		if err != nil {
			return nil, err
		}
		start, ok := token.(xml.StartElement)
		if !ok || start.Name.Local != "file" {
			continue
		}
		if len(files) == maxPaths {
			return nil, errPaths
		}
		var f struct {
			Kind string `xml:"type,attr"`
			Path string `xml:",chardata"`
		}
		if err := dec.DecodeElement(&f, &start); err != nil {
			return nil, err
		}
		files = append(files, model.File{Path: f.Path, Kind: f.Kind})
	}
}

// filesLink matches the links of a page of a version to lists of files. No text of a package does: the quotes in it are escaped, and links
// that it says begin with a scheme.
var filesLink = regexp.MustCompile(` href="\.\./_files/([0-9a-f]{64})\.html"`)

// removeFiles removes the lists of files that a page of a version linked, and does not link any more: their packages are gone.
func (w *work) removeFiles(ctx context.Context, name string, page []byte, keep map[string]bool) error {
	for _, m := range filesLink.FindAllSubmatch(page, -1) {
		key := layout.FilesPageKey(w.repository, name, string(m[1]))
		if keep[key] {
			continue
		}
		if err := w.removeKey(ctx, key); err != nil {
			return err
		}
	}
	return nil
}

// leftovers returns the versions of a package of which the bucket has a page, as their URLs say them.
func (w *work) leftovers(ctx context.Context, name string) (versions []string, err error) {
	prefix := strings.TrimSuffix(layout.NamePageKey(w.repository, name), path.Base(layout.NamePageKey(w.repository, name)))
	err = w.Bucket.List(ctx, prefix, func(key string, _ layout.Meta) error {
		version, rest, ok := strings.Cut(strings.TrimPrefix(key, prefix), "/")
		if ok && rest == path.Base(layout.NamePageKey(w.repository, name)) && !strings.HasPrefix(version, "_") {
			versions = append(versions, version)
		}
		return nil
	})
	return versions, err
}
