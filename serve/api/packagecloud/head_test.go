package packagecloud_test

import (
	"net/http"
	"testing"
)

func TestHeadAnswersAsGetWithoutABody(t *testing.T) {
	s := newSite(t)
	s.add(deb(tools, "hello", "2:1.0-7"))
	for path, status := range map[string]int{
		"distributions.json":                        http.StatusOK,
		"gem_version.json":                          http.StatusOK,
		"token.json":                                http.StatusOK,
		"repos.json":                                http.StatusOK,
		"repos/acme/tools.json":                     http.StatusOK,
		"repos/acme/tools/packages.json":            http.StatusOK,
		"repos/acme/tools/packages.json?per_page=1": http.StatusOK,
		"repos/acme/tools/packages/deb/ubuntu/jammy/amd64.json":            http.StatusOK,
		"repos/acme/tools/search.json?q=hello":                             http.StatusOK,
		"repos/acme/tools/package/deb/ubuntu/jammy/hello/amd64/1.0-7.json": http.StatusOK,
		"repos/acme/tools/gpg_keys.json":                                   http.StatusOK,
		"repos/acme/tools/master_tokens":                                   http.StatusOK,
		"repos/acme/none/packages.json":                                    http.StatusNotFound,
		"repos/acme/tools/promotions/none":                                 http.StatusNotFound,
		"repos/acme/tools/ubuntu/jammy/hello_1.0-7_amd64.deb":              http.StatusNotFound,
	} {
		t.Run(path, func(t *testing.T) {
			got, body := s.call("GET", "all", "/api/v1/"+path)
			head, nothing := s.call("HEAD", "all", "/api/v1/"+path)
			if got.StatusCode != status || body == "" {
				t.Errorf("GET has %d and %q, want %d", got.StatusCode, body, status)
			}
			if head.StatusCode != got.StatusCode || nothing != "" {
				t.Errorf("HEAD has %d and a body of %q, GET has %d", head.StatusCode, nothing, got.StatusCode)
			}
			for _, name := range []string{"Content-Type", "Content-Length", "Total", "Per-Page", "Link", "Allow", "Cache-Control"} {
				if head.Header.Get(name) != got.Header.Get(name) {
					t.Errorf("%s is %q of HEAD, and %q of GET", name, head.Header.Get(name), got.Header.Get(name))
				}
			}
		})
	}
	if res, _ := s.call("HEAD", "", "/api/v1/repos/acme/tools/packages.json"); res.StatusCode != http.StatusUnauthorized {
		t.Errorf("without a token HEAD has %d", res.StatusCode)
	}
	if res, _ := s.call("PUT", "all", "/api/v1/repos.json"); res.StatusCode != http.StatusMethodNotAllowed || res.Header.Get("Allow") != "GET, HEAD, POST" {
		t.Errorf("another method has %d, Allow %q", res.StatusCode, res.Header.Get("Allow"))
	}
}
