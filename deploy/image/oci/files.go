package main

import (
	"archive/tar"
	"bytes"
	"encoding/pem"
	"io"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// user is who runs the program: neither root nor a user of the host. Kubernetes checks runAsNonRoot by the number.
const user = "65532:65532"

// base returns the files of every image, besides its programs: certificates, names of users, and a folder to write to. There is
// no shell, and no time zones: programs use UTC.
func base() []file {
	return []file{
		{name: "etc/"},
		{name: "etc/group", body: []byte("root:x:0:\nnonroot:x:65532:\n")},
		{name: "etc/passwd", body: []byte("root:x:0:0:root:/:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/tmp:/sbin/nologin\n")},
		{name: "etc/ssl/"},
		{name: "etc/ssl/certs/"},
		{name: "etc/ssl/certs/ca-certificates.crt", body: certificates()},
		{name: "tmp/", mode: 0o1777},
	}
}

// certificates returns the authorities that Mozilla trusts for TLS, as Go's module of this program has them: those of the
// machine that builds would change the digest. A file of certificates cannot say until when one is trusted, or for which names:
// authorities that are not trusted without conditions are left out.
func certificates() []byte {
	var out bytes.Buffer
	for root := range bundle.Roots() {
		if root.Constraint == nil {
			_ = pem.Encode(&out, &pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate}) // a buffer takes all
		}
	}
	return out.Bytes()
}

// A file belongs to root. One whose name ends in / is a folder.
type file struct {
	name string
	mode int64 // 0: 0644, or 0755 for a folder
	body []byte
}

// layer packs files, all with the same time.
func layer(at time.Time, files ...file) (v1.Layer, error) {
	var packed bytes.Buffer
	w := tar.NewWriter(&packed)
	for _, f := range files {
		h := &tar.Header{Name: f.name, Mode: f.mode, Size: int64(len(f.body)), ModTime: at, Typeflag: tar.TypeReg, Format: tar.FormatUSTAR}
		if strings.HasSuffix(f.name, "/") {
			h.Typeflag = tar.TypeDir
		}
		if h.Mode == 0 {
			h.Mode = 0o644
			if h.Typeflag == tar.TypeDir {
				h.Mode = 0o755
			}
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
	open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(packed.Bytes())), nil }
	return tarball.LayerFromOpener(open, tarball.WithMediaType(types.OCILayer), tarball.WithCompressedCaching)
}
