package deb_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"repomill/testdata/debtest"
)

// mutateText changes a control file in one to three places.
func mutateText(r *rand.Rand, s string) string {
	bits := []string{"", " ", "\t", "\n", "\n ", "\n\n", ":", ": ", "\r\n", "-", "#", "(", ")", "|", ",", "~", "1", "x", "é", "\xe9", "\x00", "\u2028",
		"\nVersion: 2\n", "\nX-A: b\n", "\n .\n", "\nProvides: y (= 1)\n", "Multi-Arch: foreign\n", "\nEssential: no\n", "\nConffiles:\n /x 0\n"}
	for range 1 + r.IntN(3) {
		lines := strings.SplitAfter(s, "\n")
		i, j := r.IntN(len(lines)), r.IntN(len(lines))
		switch at := r.IntN(len(s) + 1); r.IntN(6) {
		case 0:
			s = s[:at] + bits[r.IntN(len(bits))] + s[at:]
		case 1: // a bit at the end of a line
			lines[i] = strings.TrimSuffix(lines[i], "\n") + bits[r.IntN(len(bits))] + "\n"
			s = strings.Join(lines, "")
		case 2:
			s = strings.Join(slices.Insert(lines, i, lines[j]), "")
		case 3:
			s = strings.Join(slices.Delete(lines, i, i+1), "")
		case 4:
			lines[i], lines[j] = lines[j], lines[i]
			s = strings.Join(lines, "")
		case 5:
			lines[i] = strings.ToUpper(lines[i])
			s = strings.Join(lines, "")
		}
		if s == "" {
			s = "\n"
		}
	}
	return s
}

// mutateTar returns a tar archive with a control file and another one, in which a field of a header is odd.
func mutateTar(r *rand.Rand, control string) []byte {
	b := debtest.Tar(debtest.TarFile{Name: "./"}, debtest.TarFile{Name: "./postinst", Body: "#!/bin/sh\n"}, debtest.TarFile{Name: "./control", Body: control})
	at := []int{0, 512, 1536}[r.IntN(3)]
	h := b[at : at+512]
	switch r.IntN(5) {
	case 0:
		h[156] = "01234567LKSVxgDMN\x00"[r.IntN(18)]
	case 1:
		copy(h[124:136], fmt.Sprintf("%011o\x00", []int{0, 1, 10, 511, 512, 513, 1024, 4096}[r.IntN(8)]))
	case 2:
		copy(h[257:265], []string{"ustar\x0000", "ustar  \x00", "\x00\x00\x00\x00\x00\x00\x00\x00", "ustar\x00xx"}[r.IntN(4)])
	case 3:
		copy(h, []string{"control\x00", "./x\x00", "./control/\x00", "../x\x00", "/control\x00", ".//control\x00", "./\x00", "././control\x00"}[r.IntN(8)])
	case 4:
		copy(h[345:], []string{".", "x", "./."}[r.IntN(3)])
	}
	copy(h[148:], "        ")
	sum := 0
	for _, c := range h {
		sum += int(c)
	}
	copy(h[148:], fmt.Sprintf("%06o\x00 ", sum))
	return b
}
