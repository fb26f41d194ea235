// Package image_test makes the images of repomill and runs them.
package image_test

import (
	"bytes"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"io/fs"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"repomill/testdata/debtest"
	"repomill/testdata/deploytest"
	"repomill/testdata/proctest"
)

// The program that makes and pushes images has a module of its own, and its own tests: a registry on loopback takes what it pushes.
func TestOCI(t *testing.T) {
	deploytest.Record(t, deploytest.Row{Files: "image/oci", Check: "its own tests: same bytes from two folders, files and modes, bills of materials refer to images, push with a password to a registry, refusals",
		Tool: "go test, go-containerregistry 0.22.1", CannotShow: "how registries of clouds differ from that one"})
	if testing.Short() {
		t.Skip("compiles another module")
	}
	if said := run(t, "oci", "go", "test", "./..."); !strings.HasPrefix(said, "ok") {
		t.Error(said)
	}
}

func TestScripts(t *testing.T) {
	shellcheck := deploytest.Tool(t, "shellcheck")
	deploytest.Record(t, deploytest.Row{Files: "image/build, image/install-tools", Check: "shellcheck", Tool: "shellcheck", CannotShow: "behaviour"})
	run(t, ".", shellcheck, "build", "install-tools")
}

// The images of a commit are the same from every folder, and run as their user, read only, with no other file.
func TestImages(t *testing.T) {
	deploytest.Slow(t)
	deploytest.Record(t, deploytest.Row{Files: "image", Check: "built twice from two folders: same digests; unpacked; as its user, read only: up serves a push, an https server is verified by the certificates",
		Tool: "skopeo, umoci, unshare, chroot", CannotShow: "a container engine"})
	skopeo, umoci := deploytest.Tool(t, "skopeo"), deploytest.Tool(t, "umoci")
	proctest.Need(t, "git", "unshare")
	if os.Getuid() != 0 {
		t.Skip("only root can mount")
	}
	source := filepath.Join(t.TempDir(), "source")
	checkout(t, source)
	out := built(t, source)
	t.Run("the same commit gives the same images in another folder", func(t *testing.T) {
		clone := filepath.Join(t.TempDir(), "of another name")
		run(t, source, "git", "clone", "-q", source, clone)
		again := built(t, clone)
		for _, name := range []string{"repomill", "repomill-resolver"} {
			first, err := os.ReadFile(filepath.Join(out, name, "index.json"))
			second, err2 := os.ReadFile(filepath.Join(again, name, "index.json"))
			if err != nil || err2 != nil || !bytes.Equal(first, second) {
				t.Errorf("%s (%v, %v):\n%s\n%s", name, err, err2, first, second)
			}
		}
	})
	tag := tagOf(t, filepath.Join(out, "repomill"))
	if tag != "v0.1.0-rc.1" {
		t.Errorf("the tag is %q", tag)
	}
	main := unpacked(t, skopeo, umoci, filepath.Join(out, "repomill"), tag, runtime.GOARCH)
	resolver := unpacked(t, skopeo, umoci, filepath.Join(out, "repomill-resolver"), tag, runtime.GOARCH)
	for _, tt := range []struct {
		root     root
		programs []string
	}{
		{main, []string{"/usr/local/bin/repomill", "/usr/local/bin/repomill-client"}}, {resolver, []string{"/usr/local/bin/repomill-resolver"}},
	} {
		name := filepath.Base(tt.programs[0])
		t.Run(name+" has nothing else", func(t *testing.T) {
			if found, err := faults(tt.root.dir, tt.programs...); err != nil || len(found) > 0 {
				t.Errorf("%v, %q", err, found)
			}
			p := tt.root.process
			if p.User.UID != 65532 || p.User.GID != 65532 || len(p.Args) != 1 || p.Args[0] != tt.programs[0] {
				t.Errorf("it starts as %+v", p)
			}
		})
		t.Run(name+" starts", func(t *testing.T) {
			for _, program := range tt.programs {
				if a := tt.root.answer(t, nil, program, "version"); a.Code != 0 || !strings.HasPrefix(a.Stdout, filepath.Base(program)+" v0.1.0-rc.1 (") {
					t.Errorf("version: %v", a)
				}
				if a := tt.root.answer(t, nil, program, "--help"); a.Code != 0 || !strings.HasPrefix(a.Stdout, "Usage: "+filepath.Base(program)) {
					t.Errorf("--help: %v", a)
				}
			}
			if a := tt.root.answer(t, nil, "/bin/sh", "-c", "echo a shell"); a.Code != 127 {
				t.Errorf("a shell: %v", a)
			}
		})
	}
	t.Run("a bill of materials names what is linked", func(t *testing.T) {
		bill, err := os.ReadFile(filepath.Join(out, "linux-arm64", "repomill-resolver.cdx.json"))
		if err != nil || !bytes.Contains(bill, []byte(`"purl": "pkg:golang/std@`)) || !bytes.Contains(bill, []byte(`"purl": "pkg:golang/github.com/aws/aws-sdk-go-v2@`)) {
			t.Errorf("%v: %.500s", err, bill)
		}
	})
	t.Run("programs for arm64 start", func(t *testing.T) {
		deploytest.Record(t, deploytest.Row{Files: "image", Check: "programs of the images for arm64 say their version", Tool: "skopeo, umoci, qemu-user", CannotShow: "a machine for arm64"})
		if runtime.GOARCH != "amd64" {
			t.Skip("the emulator runs programs of other processors")
		}
		emulator := deploytest.Tool(t, "qemu-aarch64-static")
		for image, programs := range map[string][]string{"repomill": {"repomill", "repomill-client"}, "repomill-resolver": {"repomill-resolver"}} {
			r := unpacked(t, skopeo, umoci, filepath.Join(out, image), tag, "arm64")
			for _, program := range programs {
				if said := run(t, r.dir, emulator, filepath.Join(r.dir, "usr/local/bin", program), "version"); !strings.HasPrefix(said, program+" v0.1.0-rc.1 (") {
					t.Errorf("%s: %q", program, said)
				}
			}
		}
	})
	t.Run("up serves what is pushed", func(t *testing.T) { serves(t, main) })
	t.Run("servers are verified", func(t *testing.T) { verifies(t, main) })
}

// checkout makes a commit of the working copy in a folder.
func checkout(t *testing.T, dir string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sh", "-ec", `
		mkdir -p "$0"
		git ls-files -coz --exclude-standard | tar --null -T - --ignore-failed-read -cf - 2>/dev/null | tar -xf - -C "$0"
		cd "$0" && git init -q . && git add -A
		git -c user.name=tester -c user.email=tester@example.org -c commit.gpgsign=false commit -qm images
		git tag v0.1.0-rc.1`, dir)
	cmd.Dir = deploytest.Root(t)
	cmd.Env = append(os.Environ(), "GIT_AUTHOR_DATE=2026-11-29T01:02:03Z", "GIT_COMMITTER_DATE=2026-11-29T01:02:03Z")
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
}

// built makes the images of a checkout, and returns the folder of layouts.
func built(t *testing.T, checkout string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "out")
	t.Logf("%s", run(t, checkout, "deploy/image/build", out))
	return out
}

// tagOf returns the tag of the image of a layout.
func tagOf(t *testing.T, layout string) string {
	t.Helper()
	var index struct {
		Manifests []struct{ Annotations map[string]string }
	}
	body, err := os.ReadFile(filepath.Join(layout, "index.json"))
	if err == nil {
		err = json.Unmarshal(body, &index)
	}
	if err != nil || len(index.Manifests) == 0 {
		t.Fatalf("%v: %s", err, body)
	}
	return index.Manifests[0].Annotations["org.opencontainers.image.ref.name"]
}

func serves(t *testing.T, r root) {
	if err := os.WriteFile(filepath.Join(r.tmp, "hello.deb"), debtest.Build(t, debtest.Spec{Name: "hello", Version: "1.0", Arch: "amd64"}), 0o644); err != nil {
		t.Fatal(err)
	}
	p, url, err := proctest.Up(r.command(r.process.Args[0], proctest.UpArgs("/tmp/data")...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Kill() }) //nolint:errcheck // it may have ended
	a := r.answer(t, nil, r.process.Args[0], "push", "--wait", "--timeout", "3m", "--staging", "file:///tmp/data/staging", "acme/tools/ubuntu/jammy", "/tmp/hello.deb")
	if a.Code != 0 {
		t.Fatal(a)
	}
	resp, err := http.Get(url + "/acme/tools/ubuntu/dists/jammy/InRelease")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); err != nil || !bytes.HasPrefix(body, []byte("-----BEGIN PGP SIGNED MESSAGE-----")) {
		t.Errorf("%s, %v: %.200s", resp.Status, err, body)
	}
	err = filepath.WalkDir(filepath.Join(r.tmp, "data"), func(path string, d fs.DirEntry, err error) error {
		if info, err2 := os.Stat(path); err == nil && err2 == nil && info.Mode().Perm()&0o002 != 0 {
			return errors.New(path + " can be written by all")
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// verifies shows that programs in the image trust the authorities of its file of certificates, and no other.
func verifies(t *testing.T, r root) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusUnauthorized)
		w.Write([]byte(`{"error": "this token is not known here"}`)) //nolint:errcheck // the client sees it
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // a handshake fails
	server.StartTLS()
	t.Cleanup(server.Close)
	if err := os.WriteFile(filepath.Join(r.tmp, "tls.deb"), debtest.Build(t, debtest.Spec{Name: "tls", Version: "1.0", Arch: "amd64"}), 0o644); err != nil {
		t.Fatal(err)
	}
	push := func() proctest.Answer {
		return r.answer(t, []string{"REPOMILL_TOKEN=x"}, "/usr/local/bin/repomill-client", "push", "--retries", "0", "--server", server.URL, "acme/tools/ubuntu/jammy", "/tmp/tls.deb")
	}
	if a := push(); a.Code != 4 || !strings.Contains(a.Stderr, "certificate signed by unknown authority") {
		t.Errorf("an authority that is not in the file: %v", a)
	}
	path := filepath.Join(r.dir, "etc/ssl/certs/ca-certificates.crt")
	trusted, err := os.ReadFile(path)
	if err != nil || bytes.Count(trusted, []byte("-----BEGIN CERTIFICATE-----")) < 80 {
		t.Fatalf("%d bytes of certificates, %v", len(trusted), err)
	}
	added := append(trusted, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})...)
	if err := os.WriteFile(path, added, 0o644); err != nil {
		t.Fatal(err)
	}
	if a := push(); a.Code != 4 || !strings.Contains(a.Stderr, "this token is not known here") {
		t.Errorf("an authority that is in the file: %v", a)
	}
}
