package catalog_test

import (
	"encoding/json"
	"testing"

	"repomill/schemas/catalog"
)

func TestPackageTarget(t *testing.T) {
	main := catalog.Place{Repository: catalog.Repository{Owner: "acme", Name: "tools"}, Distribution: catalog.Distribution{OS: "ubuntu", Version: "jammy"}, Component: "main"}
	for _, tt := range []struct {
		text, want string
		has        bool
	}{
		{"acme/tools", "acme/tools", true},
		{"/acme/tools/", "acme/tools", true},
		{"acme/tools/ubuntu/jammy", "acme/tools/ubuntu/jammy", true},
		{"acme/tools/ubuntu/jammy/main", "acme/tools/ubuntu/jammy/main", true},
		{"acme/tools/ubuntu/jammy/extra", "acme/tools/ubuntu/jammy/extra", false},
		{"acme/tools/ubuntu/noble", "acme/tools/ubuntu/noble", false},
		{"acme/other", "acme/other", false},
	} {
		got, err := catalog.ParsePackageTarget(tt.text)
		if err != nil || got.String() != tt.want || got.Has(main) != tt.has {
			t.Errorf("%s: got %s, %v; it has %s: %v", tt.text, got, err, main, got.Has(main))
		}
		var back catalog.PackageTarget
		text, err := json.Marshal(got)
		if err == nil {
			err = json.Unmarshal(text, &back)
		}
		if err != nil || back != got {
			t.Errorf("%s comes back from JSON as %s, %v", got, back, err)
		}
	}
	for _, s := range []string{"", "acme", "acme/tools/ubuntu", "acme/tools/ubuntu/jammy/main/x", "acme//ubuntu/jammy", "//"} {
		if got, err := catalog.ParsePackageTarget(s); err == nil {
			t.Errorf("%q is read as %+v", s, got)
		}
	}
}
