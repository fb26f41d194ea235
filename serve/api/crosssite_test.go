package api_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"repomill/serve/api"
)

func TestPagesOfOtherSitesMakeNoCalls(t *testing.T) {
	for _, tt := range []struct {
		fact, method, header, value string
		refused                     bool
	}{
		{"curl", "POST", "User-Agent", "curl/8", false},
		{"a form of another site", "POST", "Sec-Fetch-Site", "cross-site", true},
		{"a form of another site, by an old browser", "POST", "Origin", "https://evil.example", true},
		{"a form of a site beside it", "POST", "Sec-Fetch-Site", "same-site", true},
		{"a page of its own", "POST", "Sec-Fetch-Site", "same-origin", false},
		{"a link in another site", "GET", "Sec-Fetch-Site", "cross-site", false},
		{"an upload by a page of another site", "PUT", "Origin", "null", true},
	} {
		t.Run(tt.fact, func(t *testing.T) {
			r := httptest.NewRequest(tt.method, "https://packages.example/api/v1/repos/acme/tools/packages.json", nil)
			r.Header.Set(tt.header, tt.value)
			err := api.CrossSite(r)
			if (err != nil) != tt.refused {
				t.Fatalf("got %v, want refused: %v", err, tt.refused)
			}
			if w := httptest.NewRecorder(); tt.refused {
				if api.WriteError(w, err); w.Code != http.StatusForbidden {
					t.Errorf("got %d", w.Code)
				}
			}
		})
	}
}
