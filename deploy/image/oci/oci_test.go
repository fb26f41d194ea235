package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// built is the folder of programs.
var built struct{ folder string }

// The tests make images of a program that does nothing, built for both architectures from a commit.
func TestMain(m *testing.M) {
	code := 1
	if dir, err := os.MkdirTemp("", "oci-test-"); err == nil {
		built.folder = filepath.Join(dir, "programs")
		if err = buildHello(dir); err == nil {
			code = m.Run()
		} else {
			os.Stderr.WriteString(err.Error())
		}
		os.RemoveAll(dir)
	}
	os.Exit(code)
}

func buildHello(dir string) error {
	source := filepath.Join(dir, "source")
	err := errors.Join(os.MkdirAll(source, 0o755), os.MkdirAll(built.folder, 0o755),
		os.WriteFile(filepath.Join(source, "go.mod"), []byte("module example.org/hello\n\ngo 1.26.0\n"), 0o644),
		os.WriteFile(filepath.Join(source, "main.go"), []byte("package main\n\nfunc main() { println(\"hello\") }\n"), 0o644))
	if err != nil {
		return err
	}
	cmd := exec.Command("sh", "-ec", `
		git init -q . && git add -A
		git -c user.name=tester -c user.email=tester@example.org -c commit.gpgsign=false commit -qm hello
		git tag v1.2.3
		for arch in amd64 arm64; do
			mkdir "$0/linux-$arch"
			GOARCH=$arch go build -trimpath -buildvcs=true -ldflags '-s -w' -o "$0/linux-$arch/hello" .
			cp "$0/linux-$arch/hello" "$0/linux-$arch/second"
			echo "{\"bomFormat\": \"CycloneDX\", \"of\": \"hello for $arch\"}" >"$0/linux-$arch/hello.cdx.json"
			echo "{\"bomFormat\": \"CycloneDX\", \"of\": \"second for $arch\"}" >"$0/linux-$arch/second.cdx.json"
		done`, built.folder)
	cmd.Dir = source
	cmd.Env = append(os.Environ(), "GOOS=linux", "CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off", "GIT_AUTHOR_DATE=2026-11-29T01:02:03Z", "GIT_COMMITTER_DATE=2026-11-29T01:02:03Z")
	if out, err := cmd.CombinedOutput(); err != nil {
		return errors.New(string(out) + err.Error())
	}
	return nil
}

// runOCI executes a command line that succeeds, and returns what it printed.
func runOCI(t *testing.T, args ...string) string {
	t.Helper()
	var out bytes.Buffer
	if err := run(t.Context(), args, &out); err != nil {
		t.Fatalf("oci %q: %v", args, err)
	}
	return out.String()
}

// made makes an image of both programs, and returns its layout.
func made(t *testing.T) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "layout")
	runOCI(t, "build", to, built.folder, "hello", "second")
	return to
}

func TestAWrongCommandLineIsUsage(t *testing.T) {
	for _, args := range [][]string{nil, {"build"}, {"build", "to", "from"}, {"push", "from"}, {"push", "from", "to", "more"}, {"pull", "a", "b"}} {
		if err := run(t.Context(), args, &bytes.Buffer{}); !errors.Is(err, errUsage) {
			t.Errorf("%q: %v", args, err)
		}
	}
}

// What an image could not run is refused before there is one.
func TestBuildRefuses(t *testing.T) {
	for _, tt := range []struct{ fact, script, says string }{
		{"a program for another architecture", `cp linux-arm64/hello linux-amd64/hello`, "linux-amd64/hello: it is for EM_AARCH64, not for amd64: set GOARCH=amd64"},
		{"a program that needs libraries", `cp "$(command -v sh)" linux-$(go env GOHOSTARCH)/hello`, "it needs libraries, and the image has none: set CGO_ENABLED=0"},
		{"a script", `printf '#!/bin/sh\n# a script that is longer than the head of a program\necho hello from the script\n' >linux-arm64/hello`, "linux-arm64/hello: bad magic number"},
		{"a program that is not there", `rm linux-arm64/second`, "linux-arm64/second: no such file"},
		{"a program without a bill of materials", `rm linux-arm64/second.cdx.json`, "linux-arm64/second.cdx.json: no such file"},
		{"an architecture that has no images", `mv linux-arm64 linux-riscv64`, "no images are made for riscv64"},
		{"a folder without programs", `rm -r linux-*`, "has no folder linux-ARCHITECTURE"},
		{"programs of two versions", `cd "$(mktemp -d)" && trap 'rm -rf "$PWD"' EXIT && echo 'module x' >go.mod && echo 'package main; func main() {}' >x.go &&
			CGO_ENABLED=0 GOOS=linux GOARCH=amd64 go build -trimpath -buildvcs=false -o "$OLDPWD/linux-amd64/second"`, "build them from one commit"},
	} {
		t.Run(tt.fact, func(t *testing.T) {
			folder := filepath.Join(t.TempDir(), "programs")
			if err := os.CopyFS(folder, os.DirFS(built.folder)); err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command("sh", "-ec", tt.script)
			cmd.Dir = folder
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			to := filepath.Join(t.TempDir(), "layout")
			err := run(t.Context(), []string{"build", to, folder, "hello", "second"}, &bytes.Buffer{})
			if err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %v, want %q", err, tt.says)
			}
			if _, err := os.Stat(to); err == nil {
				t.Error("there is a layout")
			}
		})
	}
	t.Run("a layout that is there", func(t *testing.T) {
		to := made(t)
		if err := run(t.Context(), []string{"build", to, built.folder, "hello"}, &bytes.Buffer{}); !errors.Is(err, os.ErrExist) {
			t.Error(err)
		}
	})
}
