package repomd_test

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"repomill/publish/repomd"
)

func packages(r io.Reader, index string) (all []string, err error) {
	for e, err := range repomd.Packages(r, index) {
		if err != nil {
			return all, err
		}
		all = append(all, string(e))
	}
	return all, nil
}

// frame returns an index of elements that says to have count of them.
func frame(index string, count int, elements ...string) string {
	return string(repomd.Header(index, count)) + strings.Join(elements, "") + string(repomd.Footer(index))
}

const (
	small = "<package type=\"rpm\">\n  <description>&lt;/package>\n  &lt;package x\n\n</description>\n</package>\n"
	bare  = "<package pkgid=\"0\">\n</package>\n"
)

func TestPackages(t *testing.T) {
	long := "<package type=\"rpm\">\n  <summary>" + strings.Repeat("x", 200_000) + "</summary>\n</package>\n"
	for _, index := range []string{"primary", "filelists", "other"} {
		for name, want := range map[string][]string{
			"an empty index":     nil,
			"one package":        {small},
			"several":            {small, bare, small, bare},
			"a line of any size": {long, bare, long},
		} {
			text := frame(index, len(want), want...)
			for _, r := range []io.Reader{strings.NewReader(text), iotest.OneByteReader(strings.NewReader(text))} {
				got, err := packages(r, index)
				if err != nil {
					t.Errorf("%s of %s: %v", name, index, err)
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%s of %s (-want +got):\n%s", name, index, diff)
				}
			}
		}
	}
}

func TestPackagesRefuses(t *testing.T) {
	good := frame("primary", 1, bare)
	for name, r := range map[string]io.Reader{
		"nothing":               strings.NewReader(""),
		"another index":         strings.NewReader(frame("other", 1, bare)),
		"a package too few":     strings.NewReader(frame("primary", 2, bare)),
		"a package too many":    strings.NewReader(frame("primary", 0, bare)),
		"no footer":             strings.NewReader(good[:strings.LastIndex(good, "</metadata>")]),
		"half a package":        strings.NewReader(good[:strings.Index(good, "</package>")]),
		"more after the footer": strings.NewReader(good + "x"),
		"other elements":        strings.NewReader(frame("primary", 1, "<p>\n</p>\n")),
		"a line without end":    io.MultiReader(bytes.NewReader(repomd.Header("primary", 1)), strings.NewReader("<package "), endless{}),
		"a fault at the end":    io.MultiReader(strings.NewReader(good), iotest.ErrReader(errors.New("digest"))),
	} {
		if got, err := packages(r, "primary"); err == nil || errors.Is(err, io.EOF) || len(got) > 1 {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return copy(p, slices.Repeat([]byte("x"), len(p))), nil }

// What is read is all there is, byte for byte.
func FuzzPackages(f *testing.F) {
	f.Add([]byte(frame("primary", 2, small, bare)))
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := packages(bytes.NewReader(text), "primary")
		if err == nil && frame("primary", len(got), got...) != string(text) {
			t.Errorf("read %q from %q", got, text)
		}
	})
}
