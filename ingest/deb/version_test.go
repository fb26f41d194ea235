package deb_test

import (
	"bytes"
	"cmp"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"repomill/ingest/deb"
	"repomill/testdata/proctest"
)

// order, verrevcmp and compare are transcribed from dpkg, lib/dpkg/version.c. They share nothing with the package.
func order(c byte) int {
	switch {
	case c >= '0' && c <= '9', c == 0:
		return 0
	case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z':
		return int(c)
	case c == '~':
		return -1
	}
	return int(c) + 256
}

func verrevcmp(a, b string) int {
	isdigit := func(s string, i int) bool { return i < len(s) && s[i] >= '0' && s[i] <= '9' }
	at := func(s string, i int) byte {
		if i < len(s) {
			return s[i]
		}
		return 0
	}
	i, j := 0, 0
	for i < len(a) || j < len(b) {
		first := 0
		for i < len(a) && !isdigit(a, i) || j < len(b) && !isdigit(b, j) {
			ac, bc := order(at(a, i)), order(at(b, j))
			if ac != bc {
				return cmp.Compare(ac, bc)
			}
			i++
			j++
		}
		for at(a, i) == '0' {
			i++
		}
		for at(b, j) == '0' {
			j++
		}
		for isdigit(a, i) && isdigit(b, j) {
			if first == 0 {
				first = int(a[i]) - int(b[j])
			}
			i++
			j++
		}
		if isdigit(a, i) {
			return 1
		}
		if isdigit(b, j) {
			return -1
		}
		if first != 0 {
			return cmp.Compare(first, 0)
		}
	}
	return 0
}

func compare(a, b deb.Version) int {
	return cmp.Or(cmp.Compare(a.Epoch, b.Epoch), verrevcmp(a.Upstream, b.Upstream), verrevcmp(a.Revision, b.Revision))
}

// checkOrder holds canonical versions and sort keys of a pair against what dpkg says of it.
func checkOrder(t *testing.T, a, b string, want int) {
	t.Helper()
	va, err := deb.ParseVersion(a)
	if err != nil {
		t.Fatalf("%q: %v", a, err)
	}
	vb, err := deb.ParseVersion(b)
	if err != nil {
		t.Fatalf("%q: %v", b, err)
	}
	ca, cb := va.Canonical(), vb.Canonical()
	if (ca == cb) != (want == 0) {
		t.Errorf("canonical versions of %q and %q are %q and %q; dpkg compares them %d", a, b, ca, cb, want)
	}
	again, err := deb.ParseVersion(ca)
	if err != nil || compare(va, again) != 0 || again.Canonical() != ca {
		t.Errorf("canonical version of %q is %q, which is not it: %v", a, ca, err)
	}
	if want == 0 {
		want = strings.Compare(a, b)
	}
	if got := bytes.Compare(deb.SortKey("p", va, a, "all"), deb.SortKey("p", vb, b, "all")); got != want {
		t.Errorf("sort keys of %q and %q compare %d, want %d", a, b, got, want)
	}
}

// pairs are versions around every rule of the encoding.
var pairs = [][2]string{
	{"1", "1.0"}, {"1~", "1"}, {"1.0a", "1.0a0"}, {"1.0-0", "1.0"}, {"0", "1"}, {"0-a", "1"}, {"0-a", "0-1"},
	{"0:1.0", "1.0"}, {"1:0", "2"}, {"1.00", "1.0"}, {"1.0", "1.0-0~"}, {"1.0", "1.0-~"}, {"1.0-1", "1.0.1"},
	{"1.0+b", "1.0"}, {"1.0+b", "1.0a"}, {"1.0a", "1.0Z"}, {"1.0~~", "1.0~"}, {"1.0~~a", "1.0~"}, {"1-2-0", "1-2"},
	{"0:2:3", "2:3"}, {"1:2:3", "1:2"}, {"9", "10"}, {"1.9", "1.10"}, {"1a", "1a~"}, {"1a", "1a-1"}, {"0a", "0"},
	{"0a", "0a0-0"}, {"1.0.", "1.0.0"}, {"1..2", "1.2"}, {"2147483647:1", "2:1"}, {"1.0-1", "1.0-1+b1"}, {"1.0-1~bpo", "1.0-1"},
	{"99999999999999999999999999", "100000000000000000000000000"}, {"1a1", "1a-1"}, {"1.2a", "1.2.a"}, {"0~", "0"},
}

func TestVersionsOrderAsDpkgOrdersThem(t *testing.T) {
	proctest.Need(t, "dpkg")
	for _, p := range pairs {
		want := 0
		switch {
		case dpkgSays(t, p[0], "lt", p[1]):
			want = -1
		case dpkgSays(t, p[0], "gt", p[1]):
			want = 1
		}
		checkOrder(t, p[0], p[1], want)
		checkOrder(t, p[1], p[0], -want)
	}
}

func dpkgSays(t *testing.T, a, op, b string) bool {
	t.Helper()
	err := exec.Command("dpkg", "--compare-versions", a, op, b).Run()
	if exit, ok := err.(*exec.ExitError); ok && exit.ExitCode() == 1 {
		return false
	}
	if err != nil {
		t.Fatal(err)
	}
	return true
}

// TestVersionsOrderAsVerrevcmpOrdersThem tries random versions of few characters, so that many pairs are near each other.
func TestVersionsOrderAsVerrevcmpOrdersThem(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var versions []string
	for len(versions) < 1200 {
		s := "0123456789"[r.IntN(3):][:1]
		for range r.IntN(6) {
			s += string("0011aZ~+.-:"[r.IntN(11)])
		}
		if r.IntN(4) == 0 {
			s = fmt.Sprint(r.IntN(3)) + ":" + s
		}
		if _, err := deb.ParseVersion(s); err == nil {
			versions = append(versions, s)
		}
	}
	for i, a := range versions {
		va, _ := deb.ParseVersion(a)
		for _, b := range versions[:i] {
			vb, _ := deb.ParseVersion(b)
			checkOrder(t, a, b, compare(va, vb))
		}
		if t.Failed() {
			return
		}
	}
}

func TestSortKeyOrdersByNameVersionExactVersionArch(t *testing.T) {
	want := [][3]string{
		{"a", "1", "all"}, {"a", "1", "amd64"}, {"a", "1-0", "all"}, {"a", "1.0", "all"}, {"a", "1.00", "all"}, {"a", "1:0", "all"},
		{"a+", "0", "all"}, {"a-b", "0", "all"}, {"ab", "0", "all"},
	}
	key := func(p [3]string) []byte {
		v, err := deb.ParseVersion(p[1])
		if err != nil {
			t.Fatal(err)
		}
		return deb.SortKey(p[0], v, p[1], p[2])
	}
	if !slices.IsSortedFunc(want, func(a, b [3]string) int { return bytes.Compare(key(a), key(b)) }) {
		t.Error("keys are not in order")
	}
}

func TestVersionsThatDpkgRefusesAreRefused(t *testing.T) {
	for _, s := range []string{
		"", "a1", "~1", "-1", "1-", ":1", "1:", "1:-1", "-1:1", "+1:1", "a:1", "2147483648:1", "99999999999999999999:1", "1_0", "1.0-1_2",
		"1/2", "1 2", "1\n2", "1.0-1-", "1é", "1\x00", strings.Repeat("1", 256), "1:a", "${version}",
	} {
		if v, err := deb.ParseVersion(s); err == nil {
			t.Errorf("%q is accepted as %+v", s, v)
		}
	}
	if _, err := deb.ParseVersion(strings.Repeat("1", 128)); err != nil {
		t.Errorf("128 digits: %v", err)
	}
}

func FuzzVersion(f *testing.F) {
	for _, p := range pairs {
		f.Add(p[0], p[1])
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		va, err := deb.ParseVersion(a)
		if err != nil {
			return
		}
		vb, err := deb.ParseVersion(b)
		if err != nil {
			return
		}
		checkOrder(t, a, b, compare(va, vb))
	})
}
