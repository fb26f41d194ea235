package serve_test

import (
	"net/http"
	"strings"
	"testing"

	"repomill/serve"
)

// installBucket has what sets clients of a public and of a private repository up.
func installBucket() bucket {
	b := newBucket()
	for _, r := range []string{"acme/tools", "acme/secret"} {
		dir := "install/repositories/" + r + "/"
		b[dir+"script.deb.sh"], b[dir+"gpg_key_url.list"] = "script of "+r, "key URL of "+r
		b[dir+"el/9/config_file.repo"], b[dir+"el/9/rpm_base_url"] = "repo of "+r, "base URL of "+r
		b[dir+"ubuntu/jammy/config_file.list"] = "list of " + r
	}
	return b
}

// Old scripts follow no redirect for their configuration: what sets clients up is answered with its bytes.
func TestInstallFilesAreAnsweredWithBytes(t *testing.T) {
	const dir = "/install/repositories/acme/tools/"
	s := newSite(t, installBucket())
	for _, tt := range []struct {
		name, target string
		status       int
		body         string
	}{
		{"the script", dir + "script.deb.sh", 200, "script of acme/tools"},
		{"the script, and a query", dir + "script.deb.sh?os=%24%28id%29&name=x", 200, "script of acme/tools"},
		{"a URL of keys, for a system", dir + "gpg_key_url.list?os=ubuntu&dist=jammy&name=host", 200, "key URL of acme/tools"},
		{"sources by query", dir + "config_file.list?os=Ubuntu&dist=22.04&source=script", 200, "list of acme/tools"},
		{"a .repo by query", dir + "config_file.repo?os=centos&dist=9&source=script", 200, "repo of acme/tools"},
		{"a .repo by path", dir + "rocky/9.4/config_file.repo", 200, "repo of acme/tools"},
		{"a base URL by query", dir + "rpm_base_url?os=redhat&dist=9.3&name=x", 200, "base URL of acme/tools"},
		{"a system that the repository has nothing for", dir + "config_file.list?os=debian&dist=trixie", 404, "not found\n"},
		{"no system", dir + "config_file.list", 404, "not found\n"},
		{"a system that is a path", dir + "config_file.list?os=..%2F..&dist=jammy", 404, "not found\n"},
		{"a system that is encoded twice", dir + "config_file.list?os=ubuntu%252Fjammy&dist=x", 404, "not found\n"},
		{"a script of no kind", dir + "script.gem.sh", 404, "not found\n"},
		{"a private repository", "/install/repositories/acme/secret/script.deb.sh", 401, `{"error":"Unauthenticated"}` + "\n"},
		{"a private repository, by query", "/install/repositories/acme/secret/config_file.list?os=ubuntu&dist=jammy", 401, `{"error":"Unauthenticated"}` + "\n"},
		{"a repository that there is not", "/install/repositories/acme/nothing/script.deb.sh", 401, `{"error":"Unauthenticated"}` + "\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			resp, body := raw(t, s.resolver, "GET", tt.target)
			if resp.StatusCode != tt.status || body != tt.body {
				t.Errorf("got %d, %q, want %d, %q", resp.StatusCode, body, tt.status, tt.body)
			}
			if got := resp.Header.Get("Content-Type"); tt.status == 200 && got != "text/plain; charset=utf-8" {
				t.Errorf("type %q", got)
			}
			if got := resp.Header.Get("Cache-Control"); tt.status == 200 && got != "public, max-age=300" {
				t.Errorf("caching %q", got)
			}
		})
	}
	for name, headers := range map[string][]string{
		"as user name": {basic(goodToken, "")}, "as password": {basic("x", goodToken)}, "as bearer": {"Authorization: Bearer " + goodToken},
	} {
		resp, body := raw(t, s.resolver, "GET", "/install/repositories/acme/secret/script.deb.sh", headers...)
		if resp.StatusCode != 200 || body != "script of acme/secret" || !strings.HasPrefix(resp.Header.Get("Cache-Control"), "private") {
			t.Errorf("a token %s: %d, %q, %v", name, resp.StatusCode, body, resp.Header)
		}
	}
}

// A direct download is a redirect that says what the file is called.
func TestDownloadNamesTheFile(t *testing.T) {
	s := newSite(t, newBucket())
	for target, key := range map[string]string{
		"/acme/tools/packages/ubuntu/jammy/hello_2.10+dfsg~rc1-3_amd64.deb/download.deb":         debKey,
		"/acme/tools/packages/ubuntu/22.04/hello_2.10%2bdfsg%7erc1-3_amd64.deb/download":         debKey,
		"/acme/tools/packages/el/9/hello++-2~rc1%5egit1-1.x86_64.rpm/download.rpm?filename=evil": rpmKey,
	} {
		resp, _ := raw(t, s.resolver, "GET", target)
		file := key[strings.LastIndex(key, "/")+1:]
		if got := resp.Header.Get("Content-Disposition"); resp.StatusCode != http.StatusFound || resp.Header.Get("Location") != s.locationOf(t, key) || got != `attachment; filename="`+file+`"` {
			t.Errorf("%s: got %d, %s, %s", target, resp.StatusCode, resp.Header.Get("Location"), got)
		}
	}
	if resp, _ := raw(t, s.resolver, "GET", "/"+debKey); resp.Header.Get("Content-Disposition") != "" {
		t.Error("a path that ends in the name of the file says it once more")
	}
}

// A pool without a codename could be that of any distribution: the answer says where packages are.
func TestPoolWithoutCodename(t *testing.T) {
	s := newSiteWith(t, newBucket(), newKey(t), func(*serve.ResolverConfig) {})
	const file = "/ubuntu/pool/main/h/hello/hello_2.10%2bdfsg~rc1-3_amd64.deb"
	resp, body := raw(t, s.resolver, "GET", "/acme/tools"+file)
	if resp.StatusCode != http.StatusNotFound || !strings.Contains(body, "\n/acme/tools/ubuntu/pool/CODENAME/main/h/hello/hello_2.10+dfsg~rc1-3_amd64.deb\n") {
		t.Errorf("got %d, %q", resp.StatusCode, body)
	}
	if resp, body := raw(t, s.resolver, "GET", "/acme/secret"+file); resp.StatusCode != http.StatusUnauthorized || strings.Contains(body, "CODENAME") {
		t.Errorf("a private repository: got %d, %q", resp.StatusCode, body)
	}
	if resp, body := raw(t, s.resolver, "GET", "/acme/nothing"+file); resp.StatusCode != http.StatusNotFound || body != "not found\n" {
		t.Errorf("no repository: got %d, %q", resp.StatusCode, body)
	}
}
