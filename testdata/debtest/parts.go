package debtest

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
)

// A Member is one member of an ar archive.
type Member struct {
	Name string
	Body []byte
}

// Ar returns an archive of these members, each padded to an even size, as deb(5) has it.
func Ar(members ...Member) []byte {
	var b bytes.Buffer
	b.WriteString("!<arch>\n")
	for _, m := range members {
		b.WriteString(arHeader(m.Name, int64(len(m.Body))))
		b.Write(m.Body)
		b.WriteString(strings.Repeat("\n", len(m.Body)&1))
	}
	return b.Bytes()
}

func arHeader(name string, size int64) string {
	return fmt.Sprintf("%-16s%-12d%-6d%-6d%-8s%-10d`\n", name, modified.Unix(), 0, 0, "100644", size)
}

func memberName(base, compression string) string {
	if compression == "" {
		return base
	}
	return base + "." + compression
}

// modified is the time that all files carry.
var modified = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// A TarFile is one regular file of a tar archive or, if its name ends in a slash, a folder.
type TarFile struct {
	Name string
	Body string
}

// Tar returns a ustar archive of these files, owned by root.
func Tar(files ...TarFile) []byte {
	return append(tarBytes(files, "", 0), make([]byte, 1024)...)
}

// tarBytes returns the files without the end of the archive and, if last is not empty, the header of one
// more file of that name and size.
func tarBytes(files []TarFile, last string, size int64) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range files {
		must(w.WriteHeader(tarHeader(f.Name, int64(len(f.Body)))))
		_, err := io.WriteString(w, f.Body)
		must(err)
	}
	must(w.Flush())
	if last != "" {
		must(w.WriteHeader(tarHeader(last, size)))
	}
	return b.Bytes()
}

func tarHeader(name string, size int64) *tar.Header {
	h := &tar.Header{Name: name, Size: size, Mode: 0o644, ModTime: modified, Uname: "root", Gname: "root", Typeflag: tar.TypeReg, Format: tar.FormatUSTAR}
	if strings.HasSuffix(name, "/") {
		h.Typeflag, h.Mode = tar.TypeDir, 0o755
	}
	if size > 8<<30-1 {
		h.Format = tar.FormatGNU // a size beyond 11 octal digits
	}
	return h
}

// Compress returns b compressed as an extension says: "" (not at all), "gz", "xz" or "zst".
func Compress(ext string, b []byte) []byte {
	var out bytes.Buffer
	var w io.WriteCloser
	var err error
	switch ext {
	case "":
		return b
	case "gz":
		w = gzip.NewWriter(&out)
	case "xz":
		w, err = xz.WriterConfig{DictCap: 1 << 20}.NewWriter(&out)
	case "zst":
		w, err = zstd.NewWriter(&out, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(1<<20))
	default:
		err = fmt.Errorf("unknown compression %q", ext)
	}
	must(err)
	_, err = w.Write(b)
	must(err)
	must(w.Close())
	return out.Bytes()
}

// must panics on an error that only a wrong Spec can cause.
func must(err error) {
	if err != nil {
		panic(err)
	}
}
