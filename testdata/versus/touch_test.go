package versus_test

import (
	"compress/gzip"
	"crypto/sha256"
	"hash"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// touch reads files once, hashes them and writes them again, one after the other: what a publish cannot do
// without. unpacked is what it takes to hash the bytes that are compressed in them, besides.
func touch(b *testing.B, files []string) (once, unpacked expense) {
	b.Helper()
	scratch := filepath.Join(work, "touched")
	defer os.Remove(scratch)
	for _, file := range files {
		once = once.plus(ownExpense(func() { pass(b, file, scratch, sha256.New()) }))
		if !strings.HasSuffix(file, ".gz") && !strings.Contains(file, "/by-hash/") {
			continue
		}
		unpack(b, file, scratch)
		unpacked = unpacked.plus(ownExpense(func() { pass(b, scratch, "", sha256.New()) }))
	}
	return once, unpacked
}

// pass reads a file through a hash, and writes it to another one if that has a name.
func pass(b *testing.B, from, to string, h hash.Hash) {
	b.Helper()
	in, err := os.Open(from)
	if err != nil {
		b.Fatal(err)
	}
	defer in.Close()
	var w io.Writer = h
	if to != "" {
		out, err := os.Create(to)
		if err != nil {
			b.Fatal(err)
		}
		defer out.Close()
		w = io.MultiWriter(h, out)
	}
	if _, err := io.CopyBuffer(struct{ io.Writer }{w}, struct{ io.Reader }{in}, make([]byte, 256<<10)); err != nil {
		b.Fatal(err)
	}
}

func unpack(b *testing.B, from, to string) {
	b.Helper()
	in, err := os.Open(from)
	if err != nil {
		b.Fatal(err)
	}
	defer in.Close()
	r, err := gzip.NewReader(in)
	if err != nil {
		b.Fatalf("%s: %v", from, err)
	}
	out, err := os.Create(to)
	if err != nil {
		b.Fatal(err)
	}
	defer out.Close()
	if _, err := io.Copy(out, r); err != nil {
		b.Fatal(err)
	}
}

// ownExpense returns what this process takes for f.
func ownExpense(f func()) expense {
	before, start := ownCPU(), time.Now()
	f()
	return expense{cpu: ownCPU() - before, wall: time.Since(start)}
}

func ownCPU() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err) // there is no other way to call it
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
