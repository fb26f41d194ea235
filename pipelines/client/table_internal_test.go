package client

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/schemas/catalog"
)

// Tables have a heading, columns in line and nothing behind them; what is long is below its row, and widens nothing.
func TestReportIsATable(t *testing.T) {
	now := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	since := now.Add(-3 * time.Hour)
	r := statusReport{
		Releases: []releaseStatus{
			{Release: "acme/tools/ubuntu/jammy", Revision: 12, Published: 11, Since: &since, Packages: 104, Fault: strings.Repeat("long ", 30) + "\x1b"},
			{Release: "acme/tools/el/9/x86_64", Revision: 1, Packages: 3},
		},
		Uploads: []uploadStatus{
			{Verdict: catalog.Verdict{Object: "acme/tools/ubuntu/jammy/hello_1.0_amd64.deb", Received: now.Add(-time.Minute), State: catalog.Published, Package: "hello 1.0 amd64"}},
			{Verdict: catalog.Verdict{Object: "acme/tools/el/9/é.rpm", Received: now.Add(-50 * time.Hour), State: catalog.Rejected, Reason: catalog.Empty, Detail: "it has no bytes"}},
		},
	}
	const releases = `RELEASE                  REVISION  PACKAGES  PUBLISHED
acme/tools/ubuntu/jammy  11        104       3h ago, revision 12 is waiting
    LONG
acme/tools/el/9/x86_64   0         3         not yet, revision 1 is waiting
`
	const uploads = `UPLOAD                                       RECEIVED  STATE      PACKAGE
acme/tools/ubuntu/jammy/hello_1.0_amd64.deb  1m ago    published  hello 1.0 amd64
acme/tools/el/9/é.rpm                        2d ago    rejected
    empty: it has no bytes
`
	var got strings.Builder
	r.releases(now).print(&got)
	if diff := cmp.Diff(strings.Replace(releases, "LONG", strings.Repeat("long ", 30)+"?", 1), got.String()); diff != "" {
		t.Errorf("releases (-want +got):\n%s", diff)
	}
	got.Reset()
	r.uploads(now).print(&got)
	if diff := cmp.Diff(uploads, got.String()); diff != "" {
		t.Errorf("uploads (-want +got):\n%s", diff)
	}
}
