package apt_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"repomill/publish/apt"
)

func stanzas(r io.Reader) (all []string, err error) {
	for s, err := range apt.Stanzas(r) {
		if err != nil {
			return all, err
		}
		all = append(all, string(s))
	}
	return all, nil
}

func TestStanzas(t *testing.T) {
	long := "Package: a\nProvides: " + strings.Repeat("x, ", 100_000) + "y\n"
	for name, want := range map[string][]string{
		"an empty index":                     nil,
		"one stanza":                         {"Package: a\n"},
		"folded fields":                      {"Package: a\nDescription: x\n .\n  y\n", "Package: b\n"},
		"a line that is longer than buffers": {long, "Package: b\n", long},
	} {
		index := strings.Join(append(want, ""), "\n")
		if len(want) == 0 {
			index = ""
		}
		for _, r := range []io.Reader{strings.NewReader(index), iotest.OneByteReader(strings.NewReader(index)), iotest.DataErrReader(strings.NewReader(index))} {
			got, err := stanzas(r)
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
		}
	}
}

func TestStanzasRefuses(t *testing.T) {
	broken := errors.New("broken")
	for name, r := range map[string]io.Reader{
		"no blank line at the end": strings.NewReader("Package: a\n"),
		"half a line":              strings.NewReader("Package: a\n\nPack"),
		"a doubled blank line":     strings.NewReader("Package: a\n\n\nPackage: b\n\n"),
		"a blank line first":       strings.NewReader("\nPackage: a\n\n"),
		"a stanza without end":     io.LimitReader(endless{}, 1<<30),
		"a fault below":            io.MultiReader(strings.NewReader("Package: a\n\n"), iotest.ErrReader(broken)),
	} {
		if got, err := stanzas(r); err == nil || errors.Is(err, io.EOF) || len(got) > 1 {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

// What is read is all there is, byte for byte.
func FuzzStanzas(f *testing.F) {
	f.Add([]byte("Package: a\n\nPackage: b\n x\n\n"))
	f.Add([]byte("a\n\nb"))
	f.Fuzz(func(t *testing.T, index []byte) {
		var b bytes.Buffer
		for s, err := range apt.Stanzas(bytes.NewReader(index)) {
			if err != nil {
				return
			}
			b.Write(s)
			b.WriteByte('\n')
		}
		if !bytes.Equal(b.Bytes(), index) {
			t.Errorf("read %q from %q", b.Bytes(), index)
		}
	})
}
