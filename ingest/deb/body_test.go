package deb_test

import (
	"bytes"
	"errors"
	"io"
	"runtime"
	"testing"
	"testing/iotest"

	"repomill/ingest/deb"
	"repomill/schemas/catalog"
	"repomill/testdata/debtest"
)

// small is a package whose data member has an odd size, so that it ends in padding.
func small() []byte {
	return debtest.Ar(debianBinary, controlTar, debtest.Member{Name: "data.tar", Body: []byte("odd")})
}

func TestAPackageCutAnywhereIsTruncated(t *testing.T) {
	file := small()
	for n := 1; n < len(file)-1; n++ { // the last byte is padding, which dpkg does not miss
		err := verdict(bytes.NewReader(file[:n]))
		var rej *catalog.Rejection
		if !errors.As(err, &rej) || rej.Reason != catalog.Truncated {
			t.Errorf("%d bytes of %d: got %v, want %s", n, len(file), err, catalog.Truncated)
		}
	}
}

// TestAFaultIsNotAVerdict breaks the connection at every byte: the package must be tried again, not rejected.
func TestAFaultIsNotAVerdict(t *testing.T) {
	file := small()
	for _, fault := range []error{io.ErrUnexpectedEOF, io.ErrClosedPipe} {
		for n := range len(file) {
			err := verdict(io.MultiReader(bytes.NewReader(file[:n]), iotest.ErrReader(fault)))
			var rej *catalog.Rejection
			if !errors.Is(err, fault) || errors.As(err, &rej) {
				t.Errorf("%v after %d bytes: got %v", fault, n, err)
			}
		}
	}
}

func TestReadersOfAnyKindGiveTheSamePackage(t *testing.T) {
	file := debtest.Build(t, debtest.Spec{Control: "xz", Data: "gz", Size: 100001})
	for name, wrap := range map[string]func(io.Reader) io.Reader{
		"one byte at a time":    iotest.OneByteReader,
		"half of what is asked": iotest.HalfReader,
		"end with the last":     iotest.DataErrReader,
	} {
		t.Run(name, func(t *testing.T) {
			p, err := deb.Peek(wrap(bytes.NewReader(file)))
			if err != nil {
				t.Fatal(err)
			}
			if err := iotest.TestReader(p.Body(), file); err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("nothing, without an end", func(t *testing.T) {
		if err := verdict(idle{}); !errors.Is(err, io.ErrNoProgress) {
			t.Errorf("got %v", err)
		}
	})
}

// idle is a broken reader.
type idle struct{}

func (idle) Read([]byte) (int, error) { return 0, nil }

func TestPeekReadsNothingAfterTheControlMember(t *testing.T) {
	in := bytes.NewReader(small())
	if _, err := deb.Peek(in); err != nil {
		t.Fatal(err)
	}
	if want := 60 + 4; in.Len() != want {
		t.Errorf("%d bytes are left, want %d", in.Len(), want)
	}
}

func TestMemoryDoesNotGrowWithThePackage(t *testing.T) {
	r, size := debtest.Stream(debtest.Spec{Size: 200 << 20})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	p, err := deb.Peek(r)
	if err != nil {
		t.Fatal(err)
	}
	n, err := io.Copy(io.Discard, p.Body())
	if err != nil || n != size {
		t.Fatalf("%d bytes of %d: %v", n, size, err)
	}
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > 1<<20 {
		t.Errorf("%d bytes were allocated for a package of %d", used, size)
	}
}
