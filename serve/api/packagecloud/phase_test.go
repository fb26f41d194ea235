package packagecloud_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/schemas/catalog"
)

// A phaser notes what is asked for, and says that clients see it unless it is slow.
type phaser struct {
	asked []string
	slow  bool
	gone  bool
}

func (p *phaser) Phase(ctx context.Context, k catalog.Package, to catalog.Phasing, _ time.Duration) (catalog.PhaseState, bool, error) {
	if p.gone {
		return catalog.PhaseState{}, false, catalog.ErrNotFound
	}
	a := catalog.ActorOf(ctx)
	p.asked = append(p.asked, fmt.Sprintf("%s %s in %s: %s by %s: %s", k.Name, k.Version, k.Place(), to, a.User, a.Why))
	return catalog.PhaseState{Place: k.Place().String(), Source: k.Name, Version: k.Version, Percent: to.Percent, Packages: 1, Steps: to.Steps}, !p.slow, nil
}

func (p *phaser) Phases(_ context.Context, t catalog.PackageTarget) (all []catalog.PhaseState, err error) {
	if len(p.asked) > 0 {
		all = append(all, catalog.PhaseState{Place: t.String() + "/ubuntu/jammy/main", Source: "hello", Version: "1.0", Percent: 10})
	}
	return all, nil
}

func TestPhase(t *testing.T) {
	s := newSite(t)
	s.add(deb(tools, "hello", "1.0"))
	s.add(deb(vault, "secret", "1"))
	s.add(rpm("tool", "1", "1"))
	const hello, list = "/api/v1/repos/acme/tools/ubuntu/jammy/hello_1.0_amd64.deb/phase.json", "/api/v1/repos/acme/tools/phases.json"
	if _, body := s.call("GET", "pusher", list); strings.TrimSpace(body) != "[]" {
		t.Errorf("before, the list is %s", body)
	}
	post := func(token, path, form string) (int, string, bool) {
		status, body, h := s.send(sent{"POST", token, path, isForm, form})
		return status, body, h.Get("X-Publish-Pending") == "yes"
	}
	for _, tt := range []struct {
		fact, token, path, form string
		status                  int
		says                    string
	}{
		{"a percentage", "all", hello, "phase=10%25&why=new+parser", 200, `{"place":"acme/tools/ubuntu/jammy/main","source":"hello","version":"1.0","percent":10,"packages":1}`},
		{"a pause", "manager", hello, "phase=pause", 200, `"percent":0,`},
		{"steps", "all", hello, "steps=10,50,100&every=24h", 200, `"percent":10,"packages":1,"steps":[50,100]`},
		{"nothing", "all", hello, "", 422, `{"phase":["is a percentage`},
		{"too much", "all", hello, "phase=101", 422, `{"phase":["is a percentage`},
		{"both", "all", hello, "phase=10&steps=10,20", 422, `{"phase":["is the first of the steps`},
		{"steps that fall", "all", hello, "steps=50,10&every=24h", 422, `{"steps":["steps 50%,10%: each must be greater`},
		{"steps without a time", "all", hello, "steps=10,50", 422, `{"every":["is the time between steps`},
		{"steps too fast", "all", hello, "steps=10,50&every=1s", 422, `{"steps":["a step each 1s`},
		{"a reason of two lines", "all", hello, "phase=10&why=a%0Ab", 422, `{"why":["is one line`},
		{"an RPM package", "all", "/api/v1/repos/acme/tools/el/9/tool-1-1.x86_64.rpm/phase.json", "phase=10", 422, `{"phase":["is for DEB packages: dnf and zypper know no phased updates"]}`},
		{"no such file", "all", strings.Replace(hello, "1.0", "9", 1), "phase=10", 404, `{"error":["not_found: acme/tools has no hello_9_amd64.deb`},
		{"a token that may only push", "pusher", hello, "phase=10", 403, `{"error":"`},
		{"a private repository of others", "other", "/api/v1/repos/acme/vault/ubuntu/jammy/secret_1_amd64.deb/phase.json", "phase=10", 404, `{"error":"not_found"}`},
	} {
		t.Run(tt.fact, func(t *testing.T) {
			status, body, pending := post(tt.token, tt.path, tt.form)
			if status != tt.status || !strings.Contains(body, tt.says) || pending {
				t.Errorf("got %d %s, want %d %s", status, body, tt.status, tt.says)
			}
		})
	}
	want := []string{
		"hello 1.0 in acme/tools/ubuntu/jammy/main: 10% by token all: new parser",
		"hello 1.0 in acme/tools/ubuntu/jammy/main: 0% by token manager: ",
		"hello 1.0 in acme/tools/ubuntu/jammy/main: 10%, then 50%,100%, one every 24h by token all: ",
	}
	if diff := cmp.Diff(want, s.phases.asked); diff != "" {
		t.Errorf("it asked for (-want +got):\n%s", diff)
	}
	res, body := s.call("GET", "pusher", list)
	var all []catalog.PhaseState
	if err := json.Unmarshal([]byte(body), &all); err != nil || res.StatusCode != 200 || len(all) != 1 || all[0].Percent != 10 {
		t.Errorf("the list is %s, %v", body, err)
	}
	if res, _ := s.call("GET", "other", "/api/v1/repos/acme/vault/phases.json"); res.StatusCode != 404 {
		t.Errorf("the list of a private repository: %d", res.StatusCode)
	}
	s.phases.slow = true
	if status, body, pending := post("all", hello, "phase=10"); status != 200 || !pending {
		t.Errorf("not seen yet: %d %s, pending %t", status, body, pending)
	}
	s.phases.gone = true
	if status, body, _ := post("all", hello, "phase=10"); status != 404 {
		t.Errorf("withdrawn just now: %d %s", status, body)
	}
}
