package pipelines

import (
	"testing"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// Who asks why an upload is not done gets one line, with the name of the file that was pushed.
func TestShownFault(t *testing.T) {
	u := catalog.Upload{Object: "acme/tools/el/9/" + layout.StagedName(layout.NewID(), "hello.rpm"), Generation: "1"}
	if got, want := shownFault(u, "open "+u.String()+": permission denied\ngoroutine 1"), "open acme/tools/el/9/hello.rpm#1: permission denied"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
