package html

import (
	"net/url"
	"testing"
)

func TestRelativeLinks(t *testing.T) {
	for _, tt := range []struct{ from, to, want string }{
		{"index.html", "acme/tools/index.html", "acme/tools/"},
		{"acme/tools/index.html", "acme/tools/index.html", "./"},
		{"acme/tools/index.html", "index.html", "../../"},
		{"acme/tools/p/a/index.html", "acme/tools/p/a.json", "../a.json"},
		{"acme/tools/p/a/index.html", "acme/tools/p/a/1.0/index.html", "1.0/"},
		{"acme/tools/p/a/1.0/index.html", "acme/tools/p/a/index.html", "../"},
		{"acme/tools/names/0/x.html", "acme/tools/names/0/y.html", "y.html"},
		{"acme/tools/names/0.html", "acme/tools/names/0/y.html", "0/y.html"},
		{"a/b/index.html", "a/b/p/libx++1/1%2~rc^3/index.html", "p/libx%2B%2B1/1%252~rc%5E3/"},
		{"a/b/index.html", "a/b/c:d?e#f g", "c%3Ad%3Fe%23f%20g"},
		{"a/b/index.html", "a/b//evil.example/x", ".//evil.example/x"},
		{"a/b/index.html", "a/b/é", "%C3%A9"},
	} {
		got := relative(tt.from, tt.to)
		if got != tt.want {
			t.Errorf("from %s to %s: %q, want %q", tt.from, tt.to, got, tt.want)
		}
		base := &url.URL{Scheme: "https", Host: "h", Path: "/priv/T/" + tt.from}
		if u, err := base.Parse(got); err != nil || u.Path != "/priv/T/"+tt.to && u.Path+"index.html" != "/priv/T/"+tt.to {
			t.Errorf("from %s to %s: %q leads to %v, %v", tt.from, tt.to, got, u, err)
		}
	}
}

func TestSizesAndNumbersForPeople(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 999: "999 B", 1000: "1.0 kB", 9_949: "9.9 kB", 9_950: "10 kB", 999_499: "999 kB", 999_500: "1.0 MB", 1_843_200: "1.8 MB", 23_000_000_000: "23 GB", 5e15: "5000 TB"} {
		if got := size(n); got != want {
			t.Errorf("%d bytes are %q, want %q", n, got, want)
		}
	}
	for n, want := range map[int]string{0: "0", 1432: "1432", 14320: "14\u202f320", 1_000_000: "1\u202f000\u202f000"} {
		if got := count(n); got != want {
			t.Errorf("%d is %q, want %q", n, got, want)
		}
	}
	if got := sizeRange(43_000, 291_000); got != "43 – 291 kB" {
		t.Errorf("a range is %q", got)
	}
	if got := sizeRange(43_000, 2_910_000); got != "43 kB – 2.9 MB" {
		t.Errorf("a range is %q", got)
	}
}

func TestPackagesAreListedByDistribution(t *testing.T) {
	if got, want := listed([]string{"ubuntu/jammy amd64", "ubuntu/jammy arm64", "ubuntu/noble amd64"}), "ubuntu/jammy (amd64, arm64), ubuntu/noble (amd64)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := where([]string{"debian/bookworm", "debian/trixie", "el/9"}), "debian bookworm, trixie · el 9"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	many := []string{"el/7", "el/8", "el/9", "el/10", "fedora/40", "fedora/41", "fedora/42", "fedora/43", "ol/7", "ol/8", "ol/9"}
	if got, want := where(many), "el, fedora, ol (11 distributions)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := where(append(many, "a/1", "b/1", "c/1", "d/1", "e/1")), "16 distributions"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
