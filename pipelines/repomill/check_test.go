package main_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"repomill/testdata/debtest"
	"repomill/testdata/proctest"
	"repomill/testdata/rpmtest"
)

// lastLine returns the last line of what a command printed.
func lastLine(text string) string {
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	return lines[len(lines)-1]
}

// check ends in a verdict, and finds out by itself which releases there are at a place or below it.
func TestCheckFindsWhatToCheck(t *testing.T) {
	t.Parallel()
	s := shared(t)
	s.publish(t, "acme/where/ubuntu/noble", newDEB(t, debtest.Spec{}))
	s.publish(t, "acme/where/ubuntu/jammy", newDEB(t, debtest.Spec{}))
	s.publish(t, "acme/where/el/9", newRPM(t, rpmtest.Spec{}))
	ring := s.keyring(t, "acme/where")
	const (
		one = "sound: 1 package, 3 indexes"               // of RPM
		deb = "sound: 1 package, 8 indexes"               // all, amd64, arm64, source
		el9 = "sound: 3 releases, 1 package, 9 indexes"   // aarch64, SRPMS and x86_64
		all = "sound: 5 releases, 3 packages, 25 indexes" // of the repository
		two = "sound: 2 releases, 2 packages, 16 indexes" // of Ubuntu
	)
	web := httptest.NewServer(http.FileServer(http.Dir(s.data + "/bucket"))) // a mirror
	t.Cleanup(web.Close)
	folder := s.data + "/bucket"
	for place, want := range map[string]string{
		s.url + "/acme/where": all, s.url + "/acme/where/ubuntu/": two, s.url + "/acme/where/el/9": el9, s.url + "/acme/where/el": el9,
		s.url + "/acme/where/ubuntu/noble": deb, s.url + "/acme/where/ubuntu/noble.sources": deb, s.url + "/acme/where/el/9.repo": el9,
		s.url + "/acme/where/ubuntu/dists": two, s.url + "/acme/where/ubuntu/dists/noble": deb, s.url + "/acme/where/el/9/x86_64/repodata": one,
		s.url + "/acme/where/ubuntu/dists/noble/main/binary-amd64": deb,
		web.URL + "/acme/where/":                                   all, web.URL + "/acme/where/ubuntu/dists/noble/InRelease": deb,
		folder + "/acme/where": all, folder + "/acme/where/ubuntu/dists": two, folder + "/acme/where/ubuntu/dists/noble": deb,
		folder + "/acme/where/el/9/x86_64/repodata/": one, "file://" + folder + "/acme/where/el/9/x86_64": one,
	} {
		if a := repomill(t, "check", place, "--keyring", ring); a.Code != 0 || lastLine(a.Stdout) != want || a.Stderr != "" {
			t.Errorf("%s: got %v, want %q", place, a, want)
		}
	}
	copied := t.TempDir()
	if err := os.CopyFS(copied, os.DirFS(s.data+"/bucket/acme/where")); err != nil {
		t.Fatal(err)
	}
	flipByte(t, filepath.Join(copied, "ubuntu/pool/noble/main/h/hello/*.deb"))
	if a := repomill(t, "check", copied, "--keyring", ring); a.Code != 1 || lastLine(a.Stdout) != "1 fault in 5 releases, 3 packages, 25 indexes" || a.Stderr != "" {
		t.Errorf("one fault: %v", a)
	}
	if err := os.Remove(filepath.Join(copied, "el/9/x86_64/repodata/repomd.xml.asc")); err != nil {
		t.Fatal(err)
	}
	if a := repomill(t, "check", copied, "--keyring", ring); a.Code != 1 || !strings.HasPrefix(lastLine(a.Stdout), "2 faults in 5 releases, ") ||
		!strings.Contains(a.Stdout, "el/9/x86_64/repodata/repomd.xml.asc: is missing: repomd.xml is not signed\n") {
		t.Errorf("two faults: %v", a)
	}
}

// What cannot be checked is said truly, with what to check instead.
func TestCheckOfWhatIsNoRelease(t *testing.T) {
	t.Parallel()
	s := shared(t)
	s.publish(t, "acme/secret/ubuntu/noble", newDEB(t, debtest.Spec{}))
	ring := s.keyring(t, "acme/secret")
	if a := repomill(t, "repo", "set", "acme/secret", "--visibility", "private", "--data", s.data); a.Code != 0 {
		t.Fatal(a)
	}
	token := repomill(t, "token", "create", "acme/secret", "check", "--data", s.data)
	secret := strings.TrimSpace(token.Stdout)
	for _, url := range []string{"http://" + secret + "@" + strings.TrimPrefix(s.url, "http://") + "/acme/secret", s.url + "/priv/" + secret + "/acme/secret"} {
		a := repomill(t, "check", url, "--keyring", ring)
		if a.Code != 0 || lastLine(a.Stdout) != "sound: 1 package, 8 indexes" || strings.Contains(a.String(), secret) {
			t.Errorf("with a token: %v", a)
		}
	}
	store := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/unsigned/dists/noble/Release":
		case strings.HasPrefix(r.URL.Path, "/s3"):
			w.WriteHeader(http.StatusForbidden)
		case strings.HasPrefix(r.URL.Path, "/broken"):
			w.WriteHeader(http.StatusInternalServerError)
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(store.Close)
	dir := proctest.OpenDir(t)
	junk := newFile(t, "junk", []byte("junk")).path
	for _, tt := range []struct {
		fact, place string
		code        int
		says        string // all of it
	}{
		{"a private repository", s.url + "/acme/secret", 4, s.url + "/acme/secret: 401 Unauthorized: the repository is private or does not exist; put a token into the URL, as http://TOKEN@" + strings.TrimPrefix(s.url, "http://") + "/acme/secret"},
		{"a host", store.URL, 4, store.URL + " is not a repository (404 Not Found): name one, as in " + store.URL + "/owner/name"},
		{"an owner", store.URL + "/acme", 4, store.URL + "/acme is not a repository (404 Not Found): name one, as in " + store.URL + "/owner/name"},
		{"a URL without its scheme", "127.0.0.1:8080/acme/tools", 4, "folder 127.0.0.1:8080/acme/tools does not exist; a URL begins with http:// or https://"},
		{"a scheme in capitals", "HTTP://127.0.0.1:1/acme/tools", 4, "cannot reach http://127.0.0.1:1/acme/tools: dial tcp 127.0.0.1:1: connect: connection refused"},
		{"a repository that is not there", store.URL + "/acme/nothing", 4, "there is no release at or below " + store.URL + "/acme/nothing (404 Not Found): name a repository, .../owner/name[/os[/version]]; a release of apt, .../dists/CODENAME; or the baseurl of an RPM repository"},
		{"one in a store that lists nothing", store.URL + "/s3/tools/ubuntu", 4, "there is no release at or below " + store.URL + "/s3/tools/ubuntu (403 Forbidden): name a repository, .../owner/name[/os[/version]]; a release of apt, .../dists/CODENAME; or the baseurl of an RPM repository"},
		{"a server that is broken", store.URL + "/broken/tools", 4, store.URL + "/broken/tools: the server answers 500 Internal Server Error"},
		{"a release that is not signed", store.URL + "/unsigned/dists/noble", 1, store.URL + "/unsigned/dists/noble has a Release file and no InRelease: check needs InRelease, which apt prefers"},
		{"a server that is away", "http://127.0.0.1:1/acme/tools", 4, "cannot reach http://127.0.0.1:1/acme/tools: dial tcp 127.0.0.1:1: connect: connection refused"},
		{"https where http is spoken", "https" + strings.TrimPrefix(store.URL, "http") + "/acme/tools", 4, "https" + strings.TrimPrefix(store.URL, "http") + "/acme/tools: the server does not speak https: use http://"},
		{"a bucket", "s3://packages", 2, "s3:// cannot be checked: name a folder, or the http or https URL where clients read it"},
		{"a URL with a query", "http://127.0.0.1:1/x?y=z", 2, "use a URL such as https://HOST/owner/name"},
		{"nothing", "", 2, "name what to check: a folder such as ./data/bucket, or a URL"},
		{"a folder that is not there", dir + "/no", 4, "folder " + dir + "/no does not exist"},
		{"an empty folder", dir, 4, "there is no release at or below " + dir + ": neither dists/CODENAME/InRelease nor repodata/repomd.xml"},
		{"a file", junk, 4, junk + " is a file: name the folder of a release, or one above it"},
	} {
		if a := repomill(t, "check", tt.place, "--keyring", ring); a.Code != tt.code || a.Stderr != "repomill: "+tt.says+"\n" || a.Stdout != "" {
			t.Errorf("%s: got %v, want code %d and %q", tt.fact, a, tt.code, tt.says)
		}
	}
}

// A keyring that is none says how to get one.
func TestCheckKeyring(t *testing.T) {
	t.Parallel()
	for fact, tt := range map[string]struct{ text, says string }{
		"an empty file, as curl without -L writes": {"", "it is empty"},
		"a page":                       {"<html>\n", "it is not an OpenPGP key, armoured or binary"},
		"a signature in a key's place": {"-----BEGIN PGP SIGNATURE-----\n\nwsE=\n=aaaa\n-----END PGP SIGNATURE-----\n", `the block is a "PGP SIGNATURE", not a key`},
	} {
		file := newFile(t, "key", []byte(tt.text)).path
		want := "repomill: --keyring " + file + ": " + tt.says + ": fetch one with curl -fsSLo FILE https://HOST/owner/name/gpgkey\n"
		if a := repomill(t, "check", ".", "--keyring", file); a.Code != 2 || a.Stderr != want {
			t.Errorf("%s: got %v, want %q", fact, a, want)
		}
		if a := repomill(t, "repo", "create", "acme/tools", "--package-key", file); a.Code != 2 || a.Stderr != "repomill: --package-key "+file+": "+tt.says+"\n" {
			t.Errorf("%s, as a package key: got %v", fact, a)
		}
	}
}
