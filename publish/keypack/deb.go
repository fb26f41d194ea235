package keypack

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/md5" //nolint:gosec // dpkg's list of files has it
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// A tarFile is a file of a package, or a folder if its name ends in a slash.
type tarFile struct {
	name string // without a slash in front
	body []byte
}

// DEB builds the package for DEB. No file of it is a conffile: dpkg would stop at a file that was changed on the host, and
// not install the next key.
func DEB(s Spec) ([]byte, error) {
	changes, err := compress([]byte(s.changelog()))
	if err != nil {
		return nil, err
	}
	doc := "usr/share/doc/" + s.name(catalog.DEB) + "/"
	files := []tarFile{
		{doc + "changelog.gz", changes}, {doc + "copyright", []byte(copyright)},
		{strings.TrimPrefix(layout.KeyringPath(s.Repository, catalog.DEB), "/"), s.Keys},
	}
	sums, size := "", 0
	for _, f := range files {
		sums += fmt.Sprintf("%x  %s\n", md5.Sum(f.body), f.name) //nolint:gosec // see above
		size += len(f.body)
	}
	control := []tarFile{{"control", []byte(s.control(size))}, {"md5sums", []byte(sums)}}
	var b bytes.Buffer
	b.WriteString("!<arch>\n")
	s.member(&b, "debian-binary", []byte("2.0\n"))
	for _, m := range []struct {
		name  string
		files []tarFile
	}{{"control.tar.gz", control}, {"data.tar.gz", files}} {
		packed, err := s.tar(m.files)
		if err != nil {
			return nil, fmt.Errorf("make %s: %w", m.name, err)
		}
		s.member(&b, m.name, packed)
	}
	return b.Bytes(), nil
}

// control returns the control file of a package whose files have size bytes.
func (s Spec) control(size int) string {
	return fmt.Sprintf(`Package: %s
Version: %s
Architecture: all
Maintainer: %s
Installed-Size: %d
Section: misc
Priority: optional
Multi-Arch: foreign
Homepage: %s
Description: %s
 %s
`, s.name(catalog.DEB), s.Version, s.author(), 1+size/1024, s.URL, s.summary(), strings.Join(s.description(), "\n "))
}

func (s Spec) changelog() string {
	return fmt.Sprintf("%s (%s) stable; urgency=medium\n\n  * Keys that are given out from now on:\n    - %s\n\n -- %s  %s\n",
		s.name(catalog.DEB), s.Version, strings.Join(s.Fingerprints, "\n    - "), s.author(), s.Made.UTC().Format(time.RFC1123Z))
}

// tar returns an archive of files and of their folders.
func (s Spec) tar(files []tarFile) ([]byte, error) {
	folders := map[string]bool{"": true}
	var all []tarFile
	for _, f := range files {
		for dir := path.Dir(f.name); dir != "."; dir = path.Dir(dir) {
			folders[dir+"/"] = true
		}
	}
	for dir := range folders {
		all = append(all, tarFile{name: dir})
	}
	all = append(all, files...)
	slices.SortFunc(all, func(a, b tarFile) int { return strings.Compare(a.name, b.name) })
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range all {
		h := &tar.Header{Name: "./" + f.name, Size: int64(len(f.body)), Mode: 0o644, ModTime: s.Made.UTC(), Uname: "root", Gname: "root", Typeflag: tar.TypeReg, Format: tar.FormatUSTAR}
		if folders[f.name] {
			h.Typeflag, h.Mode = tar.TypeDir, 0o755
		}
		if err := w.WriteHeader(h); err != nil {
			return nil, err
		}
		if _, err := w.Write(f.body); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return compress(b.Bytes())
}

// compress returns b as a gzip file, which every dpkg reads, without compression: keys hardly shrink, and the bytes do not
// depend on the version of Go.
func compress(b []byte) ([]byte, error) {
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.NoCompression)
	if err == nil {
		_, err = w.Write(b)
	}
	if err == nil {
		err = w.Close()
	}
	return out.Bytes(), err
}

// member appends a member to an ar archive in the form of deb(5).
func (s Spec) member(b *bytes.Buffer, name string, body []byte) {
	fmt.Fprintf(b, "%-16s%-12d%-6d%-6d%-8s%-10d`\n", name, s.Made.Unix(), 0, 0, "100644", len(body))
	b.Write(body)
	b.WriteString(strings.Repeat("\n", len(body)&1))
}
