package doctor

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"repomill/schemas/layout"
)

// lines returns entries as they are shown, with place, state and keys.
func lines(all []source) (got []string) {
	for _, s := range all {
		text := s.place() + " " + s.String()
		for _, a := range s.architectures {
			text += " +" + a
		}
		for _, k := range s.signedBy {
			text += " key=" + k
		}
		if s.inline != "" {
			text += " inline"
		}
		if s.disabled {
			text += " off"
		}
		got = append(got, text)
	}
	return got
}

func TestReadList(t *testing.T) {
	const text = `# comment
deb http://h/acme/tools/ubuntu jammy main contrib # tail
deb-src [arch=amd64,i386 signed-by=/a.gpg,/b.asc] https://token:@h/x/y/debian/ sid main
  deb	[ arch+=arm64   trusted=yes ]	http://h/priv/secret/a/b/ubuntu ./
# deb http://h/acme/tools/ubuntu focal main # disabled on upgrade to jammy
#deb cdrom:[Ubuntu]/ jammy main
deb jammy main
debug http://h/x y
`
	want := []string{
		"f:2 deb http://h/acme/tools/ubuntu jammy main contrib",
		"f:3 deb-src https://***@h/x/y/debian/ sid main +amd64 +i386 key=/a.gpg key=/b.asc",
		"f:4 deb http://h/priv/***/a/b/ubuntu ./ +arm64",
		"f:5 deb http://h/acme/tools/ubuntu focal main off",
	}
	if diff := cmp.Diff(want, lines(readList("f", text))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestReadDeb822(t *testing.T) {
	const text = `# written by hand
Types: deb deb-src
URIs: http://h/acme/tools/ubuntu
 https://h2/acme/tools/ubuntu
Suites: jammy
Components: main
# within
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 mQ==
 -----END PGP PUBLIC KEY BLOCK-----

Enabled: no
types: deb
uris: http://h/acme/tools/ubuntu
suites: focal jammy
Architectures: amd64
signed-by: /a.gpg

X-Only: a comment
`
	want := []string{
		"f:2 deb http://h/acme/tools/ubuntu jammy main inline", "f:2 deb https://h2/acme/tools/ubuntu jammy main inline",
		"f:2 deb-src http://h/acme/tools/ubuntu jammy main inline", "f:2 deb-src https://h2/acme/tools/ubuntu jammy main inline",
		"f:14 deb http://h/acme/tools/ubuntu focal +amd64 key=/a.gpg off", "f:14 deb http://h/acme/tools/ubuntu jammy +amd64 key=/a.gpg off",
	}
	all := readDeb822("f", text)
	if diff := cmp.Diff(want, lines(all)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if want := "\n-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmQ==\n-----END PGP PUBLIC KEY BLOCK-----"; all[0].inline != want {
		t.Errorf("the key is %q, want %q", all[0].inline, want)
	}
}

func TestReadSections(t *testing.T) {
	const text = "ignored=1\n# c\n[main]\nproxy = http://p\n[a b]\nGpgKey=one\n  two\n\tthree\n; c\nbaseurl=http://h/?a=b\n"
	want := []section{
		{"main", 3, map[string]string{"proxy": "http://p"}},
		{"a b", 5, map[string]string{"gpgkey": "one\ntwo\nthree", "baseurl": "http://h/?a=b"}},
	}
	if diff := cmp.Diff(want, readSections(text), cmp.AllowUnexported(section{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestParseAptConfig(t *testing.T) {
	const text = `// comment
Acquire { http { Proxy "http://a:1"; /* not
this */ Proxy::h "DIRECT"; }; Retries "3" };
Acquire::https::Verify-Peer "false"; # tail
APT::Architectures { "amd64"; "i386"; };
#clear x;
Dir "/";
Broken "`
	got := parseAptConfig(text)
	want := aptConfig{"acquire::http::proxy": "http://a:1", "acquire::http::proxy::h": "DIRECT", "acquire::retries": "3", "acquire::https::verify-peer": "false", "dir": "/"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, tt := range []struct{ scheme, host, name, want string }{
		{"http", "h", "Proxy", "DIRECT"}, {"http", "other", "Proxy", "http://a:1"}, {"https", "other", "Proxy", "http://a:1"}, {"http", "", "CaInfo", ""},
	} {
		if v, _ := got.of(tt.scheme, tt.host, tt.name); v != tt.want {
			t.Errorf("%v: got %q", tt, v)
		}
	}
}

// What a URL says of a repository is the same in each layout.
func TestRepositoryOfAnEntry(t *testing.T) {
	for _, tt := range []struct {
		client, url, suite, base, name, distribution string
	}{
		{"apt", "https://h/acme/tools/ubuntu/", "jammy", "https://h/acme/tools", "acme/tools", "ubuntu/jammy"},
		{"apt", "https://h/acme/tools/ubuntu/jammy", "jammy", "https://h/acme/tools", "acme/tools", "ubuntu/jammy"},
		{"apt", "https://h/acme/tools/any/", "any", "https://h/acme/tools", "acme/tools", "any/any"},
		{"apt", "https://h/acme/tools/any/any/", "any", "https://h/acme/tools", "acme/tools", "any/any"},
		{"apt", "https://h/priv/secret/acme/tools/ubuntu", "jammy", "https://h/priv/secret/acme/tools", "acme/tools", "ubuntu/jammy"},
		{"apt", "https://h/acme/priv/ubuntu", "jammy", "https://h/acme/priv", "acme/priv", "ubuntu/jammy"},
		{"apt", "https://h/at/priv/rmt_0123456789abcdef/acme/priv/ubuntu", "jammy", "https://h/at/priv/rmt_0123456789abcdef/acme/priv", "acme/priv", "ubuntu/jammy"},
		{"apt", "https://h/below/acme/tools/ubuntu", "jammy", "https://h/below/acme/tools", "acme/tools", "ubuntu/jammy"},
		{"apt", "https://h/ubuntu", "jammy", "", "", "ubuntu/jammy"},
		{"apt", "https://h", "jammy", "", "", ""},
		{"dnf", "https://h/acme/tools/el/9/x86_64", "", "https://h/acme/tools", "acme/tools", "el/9"},
		{"zypper", "https://h/acme/tools/opensuse/15.6/x86_64/?credentials=c", "", "https://h/acme/tools", "acme/tools", "opensuse/15.6"},
		{"dnf", "https://h/x/y", "", "", "", ""},
	} {
		s := source{client: tt.client, url: tt.url, suite: tt.suite}
		base, name := s.repository()
		if base != tt.base || name != tt.name || s.distribution() != tt.distribution {
			t.Errorf("%s: got %q, %q, %q", tt.url, base, name, s.distribution())
		}
	}
}

func TestFindDistribution(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"ID=ubuntu\nVERSION_ID=\"24.04\"\nVERSION_CODENAME=noble\n", "ubuntu/noble"},
		{"ID=debian\nVERSION_ID=\"12\"\n", "debian/bookworm"},
		{"ID=linuxmint\nVERSION_ID=\"22.1\"\nVERSION_CODENAME=xia\nUBUNTU_CODENAME=noble\n", "ubuntu/noble"},
		{"ID=kali\nVERSION_CODENAME=kali-rolling\nID_LIKE=debian\n", "kali/kali-rolling"},
		{"ID=derived\nID_LIKE=debian\nDEBIAN_CODENAME=trixie\n", "debian/trixie"},
		{"ID=rocky\nVERSION_ID=9.4\nID_LIKE=\"rhel centos fedora\"\n", "el/9"},
		{"ID=ours\nVERSION_ID=8.10\nID_LIKE='rhel fedora'\n", "el/8"},
		{"ID=amzn\nVERSION_ID=2023\n", "amazon/2023"},
		{"ID=fedora\nVERSION_ID=43\n", "fedora/43"},
		{"ID=opensuse-leap\nVERSION_ID=15.6\nID_LIKE=\"suse opensuse\"\n", "opensuse/15.6"},
		{"ID=opensuse-tumbleweed\nVERSION_ID=20261101\nID_LIKE=\"opensuse suse\"\n", "opensuse/tumbleweed"},
		{"ID=sles\nVERSION_ID=15.6\n", "sles/15.6"},
		{"ID=alpine\nVERSION_ID=3.22\n", ""},
		{"", ""},
	} {
		d, ok := find(layout.DefaultTable(), assignments(tt.text))
		got := d.Distribution.String()
		if !ok {
			got = ""
		}
		if got != tt.want {
			t.Errorf("%q: got %q, want %q", tt.text, got, tt.want)
		}
	}
}

func TestShownHasNoSecret(t *testing.T) {
	for raw, want := range map[string]string{
		"https://token:@h/a/b":                             "https://***@h/a/b",
		"https://h:8443/priv/token/a/b":                    "https://h:8443/priv/***/a/b",
		"https://h/acme/priv/ubuntu":                       "https://h/acme/priv/ubuntu",
		"https://h/at/priv/rmt_0123456789abcdef/acme/priv": "https://h/at/priv/***/acme/priv",
		"https://cdn/a?Signature=x&Policy=y":               "https://cdn/a?...",
		"https://u:p/w@h/a%zz?x":                           "https://h/a%zz",
		"h/priv/token/a":                                   "h/priv/***/a",
	} {
		if got := shown(raw); got != want {
			t.Errorf("%s: got %s, want %s", raw, got, want)
		}
	}
}

func TestLoginOpens(t *testing.T) {
	const text = "machine h login a password x\n# machine h login no password x\nmachine http://h:8080/acme/ login b\npassword x\nmachine https://h/acme/tools/\n\tlogin c\n\tpassword x\n"
	logins := readNetrc("f", text)
	for raw, want := range map[string]string{
		"https://h/other": "a", "https://h:8443/other": "a", "http://h/acme/tools/": "", "http://h:8080/acme/tools/": "b", "http://h:8080/acmes/": "", "https://g/": "",
	} {
		e := &exam{logins: logins, root: root{t.TempDir()}}
		l, _ := e.loginFor(source{client: "apt", url: raw, suite: "jammy"})
		if got := l.name(); got != want {
			t.Errorf("%s: got %q, want %q", raw, got, want)
		}
	}
	if len(logins) != 3 || logins[2].user != "c" {
		t.Errorf("got %+v", logins)
	}
}

func (l *login) name() string {
	if l == nil {
		return ""
	}
	return l.user
}
