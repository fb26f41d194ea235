package rpm_test

import (
	"bytes"
	"crypto/md5"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"testing"
	"testing/iotest"

	"repomill/ingest/rpm"
	"repomill/schemas/catalog"
	"repomill/testdata/intaketest"
	"repomill/testdata/rpmtest"
)

func TestBodyIsTheWholeFile(t *testing.T) {
	b := rpmtest.Build(t, rpmtest.Spec{PayloadSize: 300_000})
	for name, r := range map[string]io.Reader{
		"read at once":            bytes.NewReader(b),
		"read byte by byte":       iotest.OneByteReader(bytes.NewReader(b)),
		"with data beside an EOF": iotest.DataErrReader(bytes.NewReader(b)),
	} {
		p, err := rpm.Peek(r)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := iotest.TestReader(p.Body(), b); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := p.Body().Read(make([]byte, 1)); err == nil || err == io.EOF {
			t.Errorf("%s: a second body gave %v, want an error", name, err)
		}
	}
}

func TestOldPackageHasMD5OfAll(t *testing.T) {
	f := forge()
	f.noDigests = true
	whole := append(layOut(63, f.main...).bytes(), f.payload...)
	sum := md5.Sum(whole)
	f.signature = []value{bin(1004, sum[:])}
	mustRead(t, f.bytes())
}

// What is wrong with the connection is not wrong with the package.
func TestFaultOfTheReaderIsNoRejection(t *testing.T) {
	b := forge().bytes()
	for _, cause := range []error{errors.New("connection reset"), io.ErrUnexpectedEOF} {
		for _, n := range []int{0, 50, 96, 150, 400, len(b) - 10, len(b)} {
			_, err := read(io.MultiReader(bytes.NewReader(b[:n]), iotest.ErrReader(cause)))
			var rej *catalog.Rejection
			if !errors.Is(err, cause) || errors.As(err, &rej) {
				t.Errorf("after %d bytes: got %v, want %v", n, err, cause)
			}
		}
	}
}

func TestMemoryDoesNotGrowWithThePayload(t *testing.T) {
	const size, most = 200 << 20, 1 << 20
	h := sha256.New()
	if _, err := io.Copy(h, zeros(size)); err != nil {
		t.Fatal(err)
	}
	f := forge().set(strs(5092, fmt.Sprintf("%x", h.Sum(nil))), int32s(5093, 8), int64s(5112, size))
	f.signature = []value{str(279, "a SHA-3")}
	f.payload, f.noDigests = nil, true
	r := io.MultiReader(bytes.NewReader(f.bytes()), zeros(size))
	var n int64
	var err error
	got := intaketest.Allocated(func() {
		var p *rpm.Package
		if p, err = rpm.Peek(r); err == nil {
			n, err = io.Copy(io.Discard, p.Body())
		}
	})
	if err != nil || n < size || got > most {
		t.Errorf("got %d bytes, %d bytes allocated, error %v; want at least %d, at most %d, none", n, got, err, size, most)
	}
}

// zeros returns n zero bytes.
func zeros(n int64) io.Reader { return io.LimitReader(zero{}, n) }

type zero struct{}

func (zero) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
