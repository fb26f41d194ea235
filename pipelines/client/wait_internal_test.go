package client

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"repomill/schemas/catalog"
)

// Time that runs out in an attempt does not hide why the one before it found nothing.
func TestWhyAReleaseIsNotVisible(t *testing.T) {
	t.Parallel()
	ctx, timeOut := context.WithCancel(t.Context())
	attempts := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if attempts++; attempts == 1 {
			http.Error(w, "", http.StatusServiceUnavailable)
			return
		}
		timeOut()
		<-r.Context().Done()
	}))
	t.Cleanup(server.Close)
	w := verdictPoller{client: server.Client(), visible: map[catalog.VerdictRelease]bool{}, private: map[string]bool{}}
	for range 2 {
		if w.confirm(ctx, catalog.VerdictRelease{Release: "acme/tools/ubuntu/jammy", Pointer: server.URL, Revision: 1}) {
			t.Error("it is visible")
		}
	}
	if attempts != 2 || w.why == nil || !strings.Contains(w.why.Error(), "503") {
		t.Errorf("after %d attempts: got %v, want the status", attempts, w.why)
	}
}
