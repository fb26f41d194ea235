package clients_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"repomill/publish/sign"
	"repomill/testdata/corpus"
	"repomill/testdata/proctest"
)

var binary = flag.String("clients.binary", "", "the repomill that publishes; built if empty")

// packages is what the releases are made of.
var packages = corpus.Corpus{Seed: 5}

// size returns how many rows a release begins with.
func size() int {
	if testing.Short() {
		return 2000
	}
	return 20_000
}

// work is the folder of what all tests share.
var work string

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "clients:", err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	if work, err = os.MkdirTemp("", "repomill-clients-"); err != nil {
		return 0, err
	}
	defer os.RemoveAll(work)
	return m.Run(), nil
}

// program returns the path of the binary.
var program = sync.OnceValues(func() (string, error) {
	if *binary != "" {
		return *binary, nil
	}
	path := filepath.Join(work, "repomill")
	return path, proctest.Build(path, "repomill/pipelines/repomill")
})

// signingKey makes the key that all sites sign with.
var signingKey = sync.OnceValues(func() (*sign.Signer, error) {
	return sign.Generate("test signing key", sign.MinRSABits, time.Now())
})

// write writes a file below a folder and returns its path.
func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	err := os.MkdirAll(filepath.Dir(path), 0o755)
	if err = errors.Join(err, os.WriteFile(path, []byte(text), 0o644)); err != nil {
		t.Fatal(err)
	}
	return path
}
