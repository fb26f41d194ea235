package layout_test

import (
	"strings"
	"testing"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

func TestParseStagingUnderEmbargo(t *testing.T) {
	name := layout.StagedTrainName("aaaaaaaaaaaaaaaaaaaaaaaaaa", "may", "hello.deb")
	key := layout.EmbargoedStaging("acme/tools/ubuntu/jammy/" + name)
	at, rej := layout.ParseStaging(key)
	if rej != nil || !at.Embargo || at.Train != "may" || at.Repository != (catalog.Repository{Owner: "acme", Name: "tools"}) {
		t.Errorf("got %+v, %v", at, rej)
	}
	if got := layout.ShownStaging(key); got != "acme/tools/ubuntu/jammy/hello.deb" {
		t.Errorf("it is shown as %q", got)
	}
	for fact, file := range map[string]string{
		"without a train it would never be published": layout.StagedName("aaaaaaaaaaaaaaaaaaaaaaaaaa", "hello.deb"),
		"without an ID its key could be guessed":      "hello.deb",
	} {
		if _, rej := layout.ParseStaging(layout.EmbargoedStaging("acme/tools/ubuntu/jammy/" + file)); rej == nil || !strings.Contains(rej.Detail, "--embargo") {
			t.Errorf("%s: got %v", fact, rej)
		}
	}
	if rej := layout.CheckRepository(catalog.Repository{Owner: strings.TrimSuffix(layout.StagedEmbargo, "/"), Name: "x"}); rej == nil {
		t.Error("an owner can have the name of the folder of embargoes")
	}
}

func TestEmbargoKey(t *testing.T) {
	a, b := layout.NewEmbargo(), layout.NewEmbargo()
	if len(a) != 32 || a == b {
		t.Errorf("got %q and %q", a, b)
	}
	key := layout.EmbargoKey(a)
	if got, ok := layout.EmbargoOf(key); !ok || got != a || !layout.Hidden(key) {
		t.Errorf("%s: got %q, %v", key, got, ok)
	}
	if _, ok := layout.Parse(key); ok {
		t.Errorf("%s is a path of a client", key)
	}
}
