package clients_test

import (
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"repomill/testdata/debtest"
	"repomill/testdata/pgptest"
	"repomill/testdata/proctest"
	"repomill/testdata/rpmtest"
)

// A shape of URL that clients of packagecloud and packages.gitlab.com ask for, and its answer.
type urlShape struct {
	path  string // KEYID stands for a package key of acme/tools
	first int    // status of the resolver
	last  int    // status where its redirect leads
	body  string // that the last one has
}

// urlShapes are those of serve/CONTRACT.md, "Paths" and "Install scripts".
var urlShapes = []urlShape{
	{"acme/tools/ubuntu/dists/jammy/InRelease", 302, 200, "Codename: jammy"},
	{"acme/tools/ubuntu/dists/jammy/Release", 302, 200, "Codename: jammy"},
	{"acme/tools/ubuntu/dists/jammy/Release.gpg", 302, 200, "BEGIN PGP SIGNATURE"},
	{"acme/tools/ubuntu/jammy/dists/jammy/InRelease", 302, 200, "Codename: jammy"},
	{"acme/tools/ubuntu/dists/jammy/main/binary-amd64/Packages.gz", 302, 200, "\x1f\x8b"},
	{"acme/tools/ubuntu/jammy/dists/jammy/main/binary-amd64/Packages.gz", 302, 200, "\x1f\x8b"},
	{"acme/tools/ubuntu/dists/jammy/main/source/Sources.gz", 302, 200, "\x1f\x8b"},
	{"acme/tools/ubuntu/dists/jammy/main/binary-amd64/Packages", 302, 404, ""},
	{"acme/tools/ubuntu/dists/jammy/main/binary-amd64/Packages.bz2", 302, 404, ""},
	{"acme/tools/ubuntu/dists/jammy/main/i18n/Translation-en", 302, 404, ""},
	{"acme/tools/ubuntu/dists/jammy/main/Contents-amd64.gz", 302, 404, ""},
	{"acme/tools/ubuntu/pool/jammy/main/h/hello-mill/hello-mill_1.0_all.deb", 302, 200, "!<arch>"},
	{"acme/tools/ubuntu/jammy/pool/main/h/hello-mill/hello-mill_1.0_all.deb", 302, 200, "!<arch>"},
	{"acme/tools/ubuntu/jammy/pool/jammy/main/h/hello-mill/hello-mill_1.0_all.deb", 302, 200, "!<arch>"},
	{"acme/tools/ubuntu/pool/main/h/hello-mill/hello-mill_1.0_all.deb", 404, 404, "/acme/tools/ubuntu/pool/CODENAME/main/h/hello-mill/hello-mill_1.0_all.deb"},
	{"acme/tools/any/dists/any/InRelease", 302, 200, "Codename: any"},
	{"acme/tools/el/9/x86_64/repodata/repomd.xml", 302, 200, "<repomd"},
	{"acme/tools/el/9/x86_64/repodata/repomd.xml.asc", 302, 200, "BEGIN PGP SIGNATURE"},
	{"acme/tools/el/9/x86_64/repodata/repomd.xml.key", 302, 200, "BEGIN PGP PUBLIC KEY BLOCK"},
	{"acme/tools/el/9/aarch64/hello-mill-1.0-1.noarch.rpm", 302, 200, "\xed\xab\xee\xdb"},
	{"acme/tools/el/9/SRPMS/repodata/repomd.xml", 302, 200, "<repomd"},
	{"acme/tools/rpm_any/rpm_any/x86_64/repodata/repomd.xml", 302, 200, "<repomd"},
	{"acme/tools/packages/ubuntu/jammy/hello-mill_1.0_all.deb/download", 302, 200, "!<arch>"},
	{"acme/tools/packages/ubuntu/jammy/hello-mill_1.0_all.deb/download.deb", 302, 200, "!<arch>"},
	{"acme/tools/packages/el/9/hello-mill-1.0-1.noarch.rpm/download.rpm", 302, 200, "\xed\xab\xee\xdb"},
	{"acme/tools/packages/ubuntu/jammy/hello-mill_9_all.deb/download", 302, 404, ""},
	{"acme/tools/packages/ubuntu/jammy/hello-mill_1.0_all.deb", 301, 200, "<!DOCTYPE html>"},
	{"acme/tools", 301, 200, "<!DOCTYPE html>"},
	{"app/acme/tools/search?q=hello", 302, 200, "<!DOCTYPE html>"},

	{"install/repositories/acme/tools/script.deb.sh", 200, 200, "install_repository"},
	{"install/repositories/acme/tools/script.rpm.sh", 200, 200, "install_repository"},
	{"install/repositories/acme/tools/config_file.list?os=ubuntu&dist=jammy&source=script", 200, 200, "/acme/tools/ubuntu/ jammy main\n"},
	{"install/repositories/acme/tools/config_file.list?os=LinuxMint&dist=vera&name=host", 200, 200, "/acme/tools/ubuntu/ jammy main\n"},
	{"install/repositories/acme/tools/ubuntu/jammy/config_file.list", 200, 200, "/acme/tools/ubuntu/ jammy main\n"},
	{"install/repositories/acme/tools/config_file.repo?os=centos&dist=9&source=script", 200, 200, "/acme/tools/el/9/$basearch\n"},
	{"install/repositories/acme/tools/config_file.repo?os=rocky&dist=9.4&source=script", 200, 200, "/acme/tools/el/9/$basearch\n"},
	{"install/repositories/acme/tools/config_file.repo?os=amzn&dist=2023", 200, 200, "/acme/tools/amazon/2023/$basearch\n"},
	{"install/repositories/acme/tools/config_file.repo?os=opensuse-leap&dist=15.6", 200, 200, "/acme/tools/opensuse/15.6/$basearch\n"},
	{"install/repositories/acme/tools/sles/15-sp5/config_file.repo", 200, 200, "/acme/tools/sles/15.5/$basearch\n"},
	{"install/repositories/acme/tools/config_file.repo?os=ol&dist=9.5", 404, 404, "not found"}, // it has no ol/9
	{"install/repositories/acme/tools/gpg_key_url.list?os=ubuntu&dist=jammy&name=host", 200, 200, "/acme/tools/gpgkey\n"},
	{"install/repositories/acme/tools/gpg_key_url.repo?os=el&dist=9", 200, 200, "/acme/tools/gpgkey\n"},
	{"install/repositories/acme/tools/rpm_base_url?os=redhat&dist=9.4&name=host", 200, 200, "/acme/tools/el/9/$basearch\n"},
	{"install/repositories/acme/nothing/script.deb.sh", 401, 401, "Unauthenticated"},
	{"acme/tools/gpgkey", 302, 200, "BEGIN PGP PUBLIC KEY BLOCK"},
	{"acme/tools/gpgkey/acme-tools-KEYID.pub.gpg", 302, 200, "BEGIN PGP PUBLIC KEY BLOCK"},
	{"gpg.key", 302, 200, "BEGIN PGP PUBLIC KEY BLOCK"},
	{"gpgkey/gpg.key", 302, 200, "BEGIN PGP PUBLIC KEY BLOCK"},
	{"gpgkey/acme/KEYID.pub.gpg", 302, 200, "BEGIN PGP PUBLIC KEY BLOCK"},
}

// Every shape of URL of the contract has its answer. With -v the answers are printed as a table:
//
//	go test -v -run TestContractURLs ./testdata/clients
func TestContractURLs(t *testing.T) {
	s, keyID := newContractSite(t)
	once := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	var table strings.Builder
	for _, u := range urlShapes {
		url := s.url + "/" + strings.ReplaceAll(u.path, "KEYID", keyID)
		first, _ := get(t, once, url)
		last, body := get(t, http.DefaultClient, url)
		fmt.Fprintf(&table, "| `/%s` | %d | %d | %s | %s |\n", u.path, first.StatusCode, last.StatusCode, last.Header.Get("Content-Type"), last.Header.Get("Content-Disposition"))
		if first.StatusCode != u.first || last.StatusCode != u.last || !strings.Contains(body, u.body) {
			t.Errorf("%s: got %d, then %d with %.200q; want %d, %d, %q", u.path, first.StatusCode, last.StatusCode, body, u.first, u.last, u.body)
		}
	}
	t.Logf("\n| path | answer | at the end | type | file |\n|---|---|---|---|---|\n%s", table.String())
}

// wget and curl keep a direct download under the name of the package.
func TestDownloadsAreNamed(t *testing.T) {
	s, _ := newContractSite(t)
	for path, want := range map[string]string{
		"ubuntu/jammy/hello-mill_1.0_all.deb/download.deb": "hello-mill_1.0_all.deb",
		"el/9/hello-mill-1.0-1.noarch.rpm/download.rpm":    "hello-mill-1.0-1.noarch.rpm",
	} {
		for _, line := range [][]string{{"wget", "-q", "--content-disposition"}, {"curl", "-fsSLOJ"}} {
			t.Run(line[0]+" "+want, func(t *testing.T) {
				proctest.Need(t, line[0])
				dir := t.TempDir()
				a := proctest.Run(t, nil, "env", append([]string{"-C", dir}, append(line, s.url+"/acme/tools/packages/"+path)...)...)
				if got := glob(t, dir+"/*"); a.Code != 0 || len(got) != 1 || filepath.Base(got[0]) != want {
					t.Errorf("got %q, want %s: %v", got, want, a)
				}
			})
		}
	}
}

var keyIDs = regexp.MustCompile(`gpgkeys/acme-tools-([0-9A-F]{16})\.pub\.gpg`)

// newContractSite serves a repository with packages and a package key.
func newContractSite(t *testing.T) (s *site, keyID string) {
	t.Helper()
	s = &site{data: proctest.OpenDir(t)}
	var err error
	if s.program, err = program(); err != nil {
		t.Fatal(err)
	}
	s.start(t)
	dir := t.TempDir()
	key := write(t, dir, "key.asc", pgptest.New(t, pgptest.Options{Kind: pgptest.RSA, Made: time.Now().Add(-time.Hour)}).Package(t).Armor)
	create := []string{"repo", "create", "--data", s.data, "acme/tools", "--package-key", key, "--require-signed", "none"}
	for _, d := range []string{"ubuntu/jammy", "any/any", "el/9", "rpm_any/rpm_any", "amazon/2023", "opensuse/15.6", "sles/15.5"} {
		create = append(create, "--distribution", d)
	}
	proctest.Must(t, nil, s.program, create...)
	deb := write(t, dir, "hello-mill.deb", string(debtest.Build(t, debtest.Spec{Name: "hello-mill", Control: "gz", Data: "gz"})))
	rpm := write(t, dir, "hello-mill.rpm", string(rpmtest.Build(t, rpmtest.Spec{Name: "hello-mill", Arch: "noarch"})))
	for target, file := range map[string]string{"ubuntu/jammy": deb, "any/any": deb, "el/9": rpm, "rpm_any/rpm_any": rpm} {
		proctest.Must(t, nil, s.program, "push", "--wait", "--timeout", "5m", "--staging", "file://"+s.data+"/staging", "acme/tools/"+target, file)
	}
	page := s.url + "/acme/tools/p/hello-mill/1.0/"
	proctest.Eventually(t, "the page of the package is there", func() bool { answer, _ := get(t, http.DefaultClient, page); return answer.StatusCode == http.StatusOK })
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if _, repo := get(t, http.DefaultClient, s.url+"/acme/tools/sles/15.5.repo"); keyIDs.MatchString(repo) {
			return s, keyIDs.FindStringSubmatch(repo)[1]
		}
	}
	t.Fatal("the settings are not published")
	return nil, ""
}

// get returns an answer and the beginning of its body.
func get(t *testing.T, client *http.Client, url string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		t.Fatalf("GET %s: %v", url, err)
	}
	return resp, string(body)
}
