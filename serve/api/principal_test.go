package api_test

import (
	"testing"

	"repomill/schemas/catalog"
	"repomill/serve/api"
)

func TestPrincipalMay(t *testing.T) {
	tools := catalog.Repository{Owner: "acme", Name: "tools"}
	for _, tt := range []struct {
		name       string
		grant      api.Grant
		may, known bool
	}{
		{"the repository", api.Grant{Right: api.Push, Owner: "acme", Name: "tools"}, true, true},
		{"its owner", api.Grant{Right: api.Push, Owner: "acme"}, true, true},
		{"all", api.Grant{Right: api.Push}, true, true},
		{"another right does not imply it", api.Grant{Right: api.Manage, Owner: "acme"}, false, true},
		{"another repository of the owner", api.Grant{Right: api.Push, Owner: "acme", Name: "other"}, false, false},
		{"a repository of that name of another owner", api.Grant{Right: api.Push, Owner: "other", Name: "tools"}, false, false},
		{"a name without an owner is no place", api.Grant{Right: api.Push, Name: "tools"}, false, false},
		{"the owner's name is a prefix", api.Grant{Right: api.Push, Owner: "acm"}, false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := api.Principal{Grants: []api.Grant{tt.grant}}
			if got := p.May(api.Push, tools); got != tt.may {
				t.Errorf("May: %v, want %v", got, tt.may)
			}
			if got := p.Known(tools); got != tt.known {
				t.Errorf("Known: %v, want %v", got, tt.known)
			}
		})
	}
	if (api.Principal{}).May(api.Read, tools) {
		t.Error("a principal without grants may read")
	}
}
