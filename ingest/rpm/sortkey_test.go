package rpm_test

import (
	"bytes"
	"cmp"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// A nevra is what a sort key is made of.
type nevra struct {
	name             string
	epoch            uint32
	version, release string
	arch             string
}

func (n nevra) key(t *testing.T) []byte {
	t.Helper()
	f := forge().set(str(1000, n.name), int32s(1003, n.epoch), str(1001, n.version), str(1002, n.release), str(1022, n.arch))
	return identity(t, f.bytes()).SortKey
}

func TestSortKeyOrders(t *testing.T) {
	ascending := []nevra{
		{"a", 0, "1.0~~", "1", "x86_64"},
		{"a", 0, "1.0~rc1", "1", "x86_64"},
		{"a", 0, "1.0~rc1^git", "1", "x86_64"},
		{"a", 0, "1.0~rc2", "1", "x86_64"},
		{"a", 0, "1.0", "1~a", "x86_64"},
		{"a", 0, "1.0", "1", "noarch"},
		{"a", 0, "1.0", "1", "x86_64"},
		{"a", 0, "1.00", "1", "noarch"},
		{"a", 0, "1.0", "1^a", "x86_64"},
		{"a", 0, "1.0", "1a", "x86_64"},
		{"a", 0, "1.0", "1ab", "x86_64"},
		{"a", 0, "1.0", "1b", "x86_64"},
		{"a", 0, "1.0", "1.1", "x86_64"},
		{"a", 0, "1.0", "2", "x86_64"},
		{"a", 0, "1.0", "10", "x86_64"},
		{"a", 0, "1.0^git", "0", "x86_64"},
		{"a", 0, "1.0^git.1", "0", "x86_64"},
		{"a", 0, "1.0A", "0", "x86_64"},
		{"a", 0, "1.0a", "0", "x86_64"},
		{"a", 0, "1.0.0", "0", "x86_64"},
		{"a", 0, "1.1", "0", "x86_64"},
		{"a", 0, "1.99999999999999999999", "0", "x86_64"},
		{"a", 0, "1.100000000000000000000", "0", "x86_64"},
		{"a", 1, "0", "0", "x86_64"},
		{"a", 256, "0", "0", "x86_64"},
		{"a-b", 0, "0", "0", "x86_64"},
		{"a0", 0, "0", "0", "x86_64"},
		{"ab", 0, "0", "0", "x86_64"},
	}
	for i, a := range ascending {
		for j, b := range ascending {
			if got, want := bytes.Compare(a.key(t), b.key(t)), cmp.Compare(i, j); got != want {
				t.Errorf("%v and %v: got %d, want %d", a, b, got, want)
			}
		}
	}
}

// pairs returns generated versions, many of which are almost equal, two by two.
func pairs(n int) [][2]string {
	r := rand.New(rand.NewPCG(1, 2))
	parts := strings.Split("0 1 00 01 10 9 a A b ab z . _ + ~ ^ .. ~~", " ")
	version := func() string {
		var b strings.Builder
		for range 1 + r.IntN(5) {
			b.WriteString(parts[r.IntN(len(parts))])
		}
		return b.String()
	}
	list := make([][2]string, n)
	for i := range list {
		a := version()
		b := version()
		if r.IntN(2) == 0 { // differ in one place
			at := r.IntN(len(a) + 1)
			b = a[:at] + parts[r.IntN(len(parts))] + a[at:]
		}
		list[i] = [2]string{a, b}
	}
	return list
}

// keyed compares two versions by their sort keys, and those that rpm holds equal as text.
func keyed(t *testing.T, a, b string) int {
	t.Helper()
	return bytes.Compare(nevra{"n", 0, a, "1", "x"}.key(t), nevra{"n", 0, b, "1", "x"}.key(t))
}

func TestSortKeyOrdersAsRPMVerCmp(t *testing.T) {
	for _, p := range pairs(5000) {
		want := cmp.Or(rpmvercmp(p[0], p[1]), strings.Compare(p[0]+"-1", p[1]+"-1"))
		if got := keyed(t, p[0], p[1]); got != want {
			t.Errorf("%q and %q: got %d, want %d", p[0], p[1], got, want)
		}
	}
}

func TestSortKeyOrdersAsRealRPM(t *testing.T) {
	if _, err := exec.LookPath("rpm"); err != nil {
		t.Skip("no rpm to compare with")
	}
	list := pairs(2000)
	var script strings.Builder
	for _, p := range list {
		fmt.Fprintf(&script, "io.write(rpm.vercmp(%q, %q), '\\n')\n", p[0], p[1])
	}
	cmd := exec.Command("rpm", "--eval", "%{lua:"+script.String()+"}")
	out, err := cmd.Output()
	if err != nil {
		t.Skipf("this rpm has no Lua to compare versions with: %v", err)
	}
	lines := strings.Fields(string(out))
	if len(lines) != len(list) {
		t.Fatalf("rpm compared %d of %d pairs", len(lines), len(list))
	}
	for i, p := range list {
		real := slices.Index([]string{"-1", "0", "1"}, lines[i]) - 1
		if got, want := keyed(t, p[0], p[1]), cmp.Or(real, strings.Compare(p[0]+"-1", p[1]+"-1")); got != want {
			t.Errorf("%q and %q: got %d, want %d", p[0], p[1], got, want)
		}
	}
}

// rpmvercmp is a second form of rpm's comparison (rpmio/rpmvercmp.c), without any encoding.
func rpmvercmp(a, b string) int {
	alnum := func(c byte) bool { return digit(c) || letter(c) }
	skip := func(s string) string {
		for s != "" && !alnum(s[0]) && s[0] != '~' && s[0] != '^' {
			s = s[1:]
		}
		return s
	}
	for a != "" || b != "" {
		a, b = skip(a), skip(b)
		tildeA, tildeB := strings.HasPrefix(a, "~"), strings.HasPrefix(b, "~")
		caretA, caretB := strings.HasPrefix(a, "^"), strings.HasPrefix(b, "^")
		switch {
		case tildeA && tildeB:
			a, b = a[1:], b[1:]
			continue
		case tildeA:
			return -1
		case tildeB:
			return 1
		case caretA && caretB:
			a, b = a[1:], b[1:]
			continue
		case caretA && b == "" || caretB && a != "":
			return 1
		case caretB && a == "" || caretA:
			return -1
		}
		if a == "" || b == "" {
			break
		}
		class := letter
		if digit(a[0]) {
			class = digit
		}
		var x, y string
		x, a = take(a, class)
		y, b = take(b, class)
		if y == "" {
			if digit(x[0]) {
				return 1
			}
			return -1
		}
		if digit(x[0]) {
			x, y = strings.TrimLeft(x, "0"), strings.TrimLeft(y, "0")
			if c := cmp.Compare(len(x), len(y)); c != 0 {
				return c
			}
		}
		if c := strings.Compare(x, y); c != 0 {
			return c
		}
	}
	return cmp.Compare(min(len(a), 1), min(len(b), 1))
}

func digit(c byte) bool  { return c >= '0' && c <= '9' }
func letter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

func take(s string, class func(byte) bool) (string, string) {
	for i := range len(s) {
		if !class(s[i]) {
			return s[:i], s[i:]
		}
	}
	return s, ""
}
