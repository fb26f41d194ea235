package deb

import (
	"archive/tar"
	"io"
	"path"
	"strings"

	"repomill/ingest/input"
	"repomill/schemas/catalog"
)

// checkRest reads what follows the end of the archive: zeros only.
func checkRest(r io.Reader) error {
	for b := make([]byte, 4096); ; {
		n, err := r.Read(b)
		if !zero(b[:n]) {
			return input.Reject(catalog.Malformed, "control.tar goes on after its end; rebuild the package with dpkg-deb")
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return tarFault(err, "control.tar is damaged (%s); rebuild the package with dpkg-deb", input.Quote(err.Error()))
		}
	}
}

// checkTarMember returns the name of a member of control.tar without "./", or "" for the outermost folder and for a global
// PAX header, such as git archive begins with.
// dpkg unpacks control.tar into an empty folder and refuses any folder in it. Links that a later member
// could be written through, and extensions that tools read differently, are refused here.
func checkTarMember(h *tar.Header) (string, error) {
	if record := oddPAX(h); record != "" {
		return "", input.Reject(catalog.Unsupported, "control.tar has the PAX header %s, which programs read differently; write it in the ustar or GNU format", input.Quote(record))
	}
	if h.Typeflag == tar.TypeXGlobalHeader {
		return "", nil
	}
	if h.Typeflag == tar.TypeGNUSparse {
		return "", input.Reject(catalog.Unsupported, "control.tar has a sparse file; write it without --sparse")
	}
	if h.Size != 0 && h.Typeflag != tar.TypeReg {
		// GNU tar skips the content that such a member claims, and others read it as the next member.
		return "", input.Reject(catalog.Malformed, "control.tar member %s has no content, but a size of %d; rebuild the package with dpkg-deb", input.Quote(h.Name), h.Size)
	}
	name := strings.TrimPrefix(h.Name, "./")
	switch h.Typeflag {
	case tar.TypeDir:
		if path.Clean(h.Name) == "." {
			return "", nil
		}
		return "", input.Reject(catalog.Malformed, "control.tar has a folder %s, and dpkg refuses folders there; remove it", input.Quote(h.Name))
	case tar.TypeReg, tar.TypeLink:
		if name == "" || name == "." || name == ".." || strings.Contains(name, "/") {
			return "", input.Reject(catalog.Malformed, "control.tar has a file %s outside its outermost folder; remove it", input.Quote(h.Name))
		}
		return name, nil
	}
	return "", input.Reject(catalog.Malformed, "control.tar member %s is not a regular file; replace it by its content", input.Quote(h.Name))
}

// oddPAX names a PAX record of a member that GNU tar, with which dpkg unpacks, and others may read differently: sizes,
// names and sparse files in global headers, which hold for all members behind. Times, owners and the path of the
// member itself are read alike, and records that a program does not know are ignored.
func oddPAX(h *tar.Header) string {
	for key := range h.PAXRecords {
		odd := key == "size" || key == "hdrcharset" || strings.HasPrefix(key, "GNU.sparse.")
		if odd || h.Typeflag == tar.TypeXGlobalHeader && key != "comment" {
			return key
		}
	}
	return ""
}
