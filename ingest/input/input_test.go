package input_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"repomill/ingest/input"
	"repomill/schemas/catalog"
)

func TestQuotedTextIsShortAndPrintable(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"plain", "hello", `"hello"`},
		{"control characters", "a\n\x1b[2J", `"a\n\x1b[2J"`},
		{"not ASCII", "häm", `"h\u00e4m"`},
		{"not UTF-8", "\xff", `"\xff"`},
		{"long", strings.Repeat("x", 81), `"` + strings.Repeat("x", 80) + `"...`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := input.Quote(tt.text); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			if got := input.Quote([]byte(tt.text)); got != tt.want {
				t.Errorf("of bytes: got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestPanicIsARejection(t *testing.T) {
	fail := func() error { panic("index out of range\n") }
	for name, err := range map[string]error{
		"of a parser":       input.Guard("the reader of headers", fail),
		"of a verification": input.Verify(func(io.Reader) error { return fail() }).Result(),
	} {
		rej, ok := errors.AsType[*catalog.Rejection](err)
		if !ok || rej.Reason != catalog.ParserPanic || !strings.Contains(rej.Detail, `"index out of range\n"`) {
			t.Errorf("%s: got %v, want a rejection %s with the text, quoted", name, err, catalog.ParserPanic)
		}
	}
	if err := input.Guard("the reader of headers", func() error { return io.ErrShortWrite }); err != io.ErrShortWrite {
		t.Errorf("an error that is returned: got %v", err)
	}
}

func TestPrefixKeepsWhatItRead(t *testing.T) {
	file := bytes.Repeat([]byte("0123456789abcdef"), 4<<10) // longer than the first step of memory
	p := &input.Prefix{R: iotest.HalfReader(bytes.NewReader(file))}
	if err := p.More(10); err != nil || p.Len() != 10 {
		t.Fatalf("10 bytes: %d, %v", p.Len(), err)
	}
	if err := p.More(int64(len(file)) - 10); err != nil || !bytes.Equal(p.Bytes(), file) {
		t.Errorf("the rest: %d of %d bytes, %v", p.Len(), len(file), err)
	}
	if got := p.From(len(file) - 3); string(got) != "def" {
		t.Errorf("the last bytes are %q", got)
	}
	if err := p.More(1); err != io.EOF || p.Len() != len(file) {
		t.Errorf("behind the end: %d bytes, %v; want io.EOF", p.Len(), err)
	}
}

func TestFaultIsNotTheEndOfAFile(t *testing.T) {
	for _, tt := range []struct {
		name string
		r    io.Reader
		want error
	}{
		{"a file that ends", strings.NewReader("abc"), io.EOF},
		{"a connection that breaks", io.MultiReader(strings.NewReader("abc"), iotest.ErrReader(io.ErrUnexpectedEOF)), io.ErrUnexpectedEOF},
		{"a reader that returns nothing", io.MultiReader(strings.NewReader("abc"), idle{}), io.ErrNoProgress},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n, err := input.ReadFull(tt.r, make([]byte, 4))
			if n != 3 || !errors.Is(err, tt.want) {
				t.Errorf("%d bytes, %v; want 3, %v", n, err, tt.want)
			}
		})
	}
}

type idle struct{}

func (idle) Read([]byte) (int, error) { return 0, nil }

func TestLimitIsNotTheEndOfAFile(t *testing.T) {
	if b, err := io.ReadAll(input.LimitReader(strings.NewReader("abc"), 4)); err != nil || string(b) != "abc" {
		t.Errorf("below the limit: %q, %v", b, err)
	}
	if b, err := io.ReadAll(input.LimitReader(strings.NewReader("abcd"), 3)); err != input.ErrLimit || string(b) != "abc" {
		t.Errorf("above the limit: %q, %v; want %v", b, err, input.ErrLimit)
	}
}

func TestVerificationReadsWhatIsWritten(t *testing.T) {
	bad := errors.New("it is bad")
	for _, tt := range []struct {
		name   string
		unpack func(io.Reader) error
		want   error
	}{
		{"a good payload", func(r io.Reader) error {
			b, err := io.ReadAll(r)
			if err == nil && string(b) != "abcdef" {
				err = errors.New("read " + string(b))
			}
			return err
		}, nil},
		{"a bad payload", func(r io.Reader) error { _, _ = io.ReadAll(r); return bad }, bad},
		{"a payload that is read in part", func(r io.Reader) error { _, _ = r.Read(make([]byte, 1)); return bad }, bad},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := input.Verify(tt.unpack)
			for _, part := range []string{"abc", "def"} {
				if n, err := v.Write([]byte(part)); n != 3 || err != nil {
					t.Errorf("write: %d, %v", n, err)
				}
			}
			if err := v.Result(); err != tt.want {
				t.Errorf("got %v, want %v", err, tt.want)
			}
			v.Close()
		})
	}
}

// Close ends the goroutine of a payload that is not read to its end.
func TestClosedVerificationEnds(t *testing.T) {
	ended := make(chan error, 1)
	v := input.Verify(func(r io.Reader) error {
		_, err := io.ReadAll(r)
		ended <- err
		return err
	})
	v.Write([]byte("abc")) //nolint:errcheck // never fails
	v.Close()
	v.Close()
	if err := <-ended; err == nil {
		t.Error("it read to an end that was not written")
	}
}
