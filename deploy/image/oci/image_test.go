package main

import (
	"archive/tar"
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

// indexIn returns the image of a layout for all architectures, and the descriptors of its bills of materials.
func indexIn(t *testing.T, path string) (index v1.ImageIndex, root v1.ImageIndex, referrers []v1.Descriptor) {
	t.Helper()
	root, err := layout.ImageIndexFromPath(path)
	if err != nil {
		t.Fatal(err)
	}
	list, err := root.IndexManifest()
	if err != nil || len(list.Manifests) != 3 {
		t.Fatalf("%v, %v, want an index and two bills", list, err)
	}
	if index, err = root.ImageIndex(list.Manifests[0].Digest); err != nil {
		t.Fatal(err)
	}
	return index, root, list.Manifests[1:]
}

// images returns the images by their architecture.
func images(t *testing.T, index v1.ImageIndex) map[string]v1.Image {
	t.Helper()
	list, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]v1.Image{}
	for _, d := range list.Manifests {
		if d.Platform == nil || d.Platform.OS != "linux" || d.MediaType != "application/vnd.oci.image.manifest.v1+json" {
			t.Fatalf("%+v", d)
		}
		if all[d.Platform.Architecture], err = index.Image(d.Digest); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

func TestTheSameProgramsGiveTheSameBytes(t *testing.T) {
	first := made(t)
	copied := filepath.Join(t.TempDir(), "of another name")
	if err := os.CopyFS(copied, os.DirFS(built.folder)); err != nil {
		t.Fatal(err)
	}
	second := filepath.Join(t.TempDir(), "layout")
	runOCI(t, "build", second, copied, "hello", "second")
	if diff := cmp.Diff(contents(t, first), contents(t, second)); diff != "" {
		t.Errorf("layouts (-first +second):\n%s", diff)
	}
}

// contents returns the files below a folder: blobs have their digests for names.
func contents(t *testing.T, dir string) (files []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			name, _ := filepath.Rel(dir, path)
			body := []byte(nil)
			if filepath.Dir(name) == "." {
				body, err = os.ReadFile(path)
			}
			files = append(files, name+": "+string(body))
		}
		return err
	})
	if err != nil || len(files) < 10 {
		t.Fatalf("%q, %v", files, err)
	}
	return files
}

func TestAnImageSaysWhatItIs(t *testing.T) {
	index, _, _ := indexIn(t, made(t))
	if err := validate.Index(index); err != nil {
		t.Error(err)
	}
	all := images(t, index)
	if len(all) != 2 {
		t.Fatalf("images for %v", all)
	}
	for architecture, image := range all {
		config, err := image.ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		revision := config.Config.Labels["org.opencontainers.image.revision"]
		want := v1.Config{Entrypoint: []string{"/usr/local/bin/hello"}, User: "65532:65532", WorkingDir: "/tmp",
			Env: []string{"PATH=/usr/local/bin", "HOME=/tmp", "SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt"},
			Labels: map[string]string{"org.opencontainers.image.title": "hello", "org.opencontainers.image.version": "v1.2.3",
				"org.opencontainers.image.created": "2026-11-29T01:02:03Z", "org.opencontainers.image.revision": revision}}
		if diff := cmp.Diff(want, config.Config); diff != "" || len(revision) != 40 {
			t.Errorf("config of %s, revision %q (-want +got):\n%s", architecture, revision, diff)
		}
		if config.OS != "linux" || config.Architecture != architecture {
			t.Errorf("%s: the config is of %s/%s", architecture, config.OS, config.Architecture)
		}
		m, err := image.Manifest()
		if err != nil || m.Config.MediaType != "application/vnd.oci.image.config.v1+json" || len(m.Layers) != 3 || m.Annotations["org.opencontainers.image.version"] != "v1.2.3" {
			t.Errorf("manifest %+v, %v", m, err)
		}
		for _, l := range m.Layers {
			if l.MediaType != "application/vnd.oci.image.layer.v1.tar+gzip" {
				t.Errorf("a layer is %s", l.MediaType)
			}
		}
	}
}

func TestAnImageHasItsFilesAndNoMore(t *testing.T) {
	index, _, _ := indexIn(t, made(t))
	image := images(t, index)["arm64"]
	packed := mutate.Extract(image)
	defer packed.Close()
	found := map[string]string{}
	for r := tar.NewReader(packed); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		found[h.Name] = fmt.Sprintf("%c %o %d:%d %s", h.Typeflag, h.Mode, h.Uid, h.Gid, h.ModTime.UTC().Format("2006-01-02T15:04:05"))
		if h.Name == "usr/local/bin/hello" {
			body, _ := io.ReadAll(r)
			want, err := os.ReadFile(filepath.Join(built.folder, "linux-arm64", "hello"))
			if err != nil || !bytes.Equal(body, want) {
				t.Errorf("the program for arm64 differs, %v", err)
			}
		}
	}
	const at = " 0:0 2026-11-29T01:02:03"
	want := map[string]string{"etc": "5 755" + at, "etc/group": "0 644" + at, "etc/passwd": "0 644" + at, "etc/ssl": "5 755" + at, "etc/ssl/certs": "5 755" + at,
		"etc/ssl/certs/ca-certificates.crt": "0 644" + at, "tmp": "5 1777" + at, "usr": "5 755" + at, "usr/local": "5 755" + at, "usr/local/bin": "5 755" + at,
		"usr/local/bin/hello": "0 755" + at, "usr/local/bin/second": "0 755" + at}
	if diff := cmp.Diff(want, found); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

// The authorities of the clouds that repomill talks to are among those that it trusts.
func TestCertificatesAreThoseOfAuthorities(t *testing.T) {
	named := map[string]bool{}
	for rest := certificates(); ; {
		block, more := pem.Decode(rest)
		if block == nil {
			break
		}
		rest = more
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil || !c.IsCA {
			t.Fatalf("%v, %v", c, err)
		}
		named[c.Subject.CommonName] = true
	}
	for _, name := range []string{"Amazon Root CA 1", "GTS Root R1", "ISRG Root X1", "DigiCert Global Root G2"} {
		if !named[name] {
			t.Errorf("%s is missing", name)
		}
	}
	if len(named) < 80 {
		t.Errorf("%d authorities", len(named))
	}
}

func TestBillsReferToTheirImages(t *testing.T) {
	index, root, referrers := indexIn(t, made(t))
	subjects := map[string]string{}
	for _, d := range referrers {
		bill, err := root.Image(d.Digest)
		if err != nil {
			t.Fatal(err)
		}
		m, err := bill.Manifest()
		if err != nil || m.Subject == nil || m.ArtifactType != "application/vnd.cyclonedx+json" || d.ArtifactType != m.ArtifactType || len(m.Layers) != 2 {
			t.Fatalf("%+v, %v", m, err)
		}
		layers, err := bill.Layers()
		if err != nil {
			t.Fatal(err)
		}
		body, err := layers[1].Uncompressed()
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(body)
		body.Close()
		subjects[m.Subject.Digest.String()] = m.Layers[1].Annotations["org.opencontainers.image.title"] + " " + strings.TrimSpace(string(text))
	}
	for architecture, image := range images(t, index) {
		digest, err := image.Digest()
		want := fmt.Sprintf(`second.cdx.json {"bomFormat": "CycloneDX", "of": "second for %s"}`, architecture)
		if got := subjects[digest.String()]; err != nil || got != want {
			t.Errorf("%s: got %q, %v, want %q", architecture, got, err, want)
		}
	}
}
