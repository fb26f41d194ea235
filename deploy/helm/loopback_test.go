package helm_test

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"repomill/testdata/debtest"
	"repomill/testdata/deploytest"
	"repomill/testdata/porttest"
	"repomill/testdata/proctest"
)

// The commands of the chart's pods, with their environments and Secrets, carry a package from CI to apt.
func TestPodsOnLoopback(t *testing.T) {
	deploytest.Slow(t)
	deploytest.Record(t, deploytest.Row{Files: "helm/repomill", Check: "commands of the pods on loopback: migrate, push over the route, install by apt, jobs, tests of helm",
		Tool: version(t, deploytest.Tool(t, "helm4")), CannotShow: "clouds; images; the Gateway's own behaviour"})
	s := startServices(t)
	n := &namespace{t: t, bin: build(t), objects: render(t, "helm4", s.values(t)), secrets: s.secrets, at: map[string]string{}}
	for _, component := range []string{"worker", "api"} {
		if out := n.run("Deployment", "y-repomill-"+component, component); out.Code == 0 || !strings.Contains(out.Said(), "repomill migrate") {
			t.Errorf("%s before the migration: %v", component, out)
		}
	}
	if out := n.run("Job", "y-repomill-migrate"); out.Code != 0 {
		t.Fatal(out)
	}
	worker := n.start("worker")
	exec := func(args ...string) string {
		t.Helper()
		out := n.run("Deployment", "y-repomill-worker", args...)
		if out.Code != 0 {
			t.Fatalf("%q: %v", args, out)
		}
		return out.Stdout
	}
	exec("repo", "create", "acme/tools", "--distribution", "ubuntu/jammy")
	token := strings.TrimSpace(exec("token", "create", "acme", "ci", "--scope", "push,manage,read,tokens"))
	resolver, api := n.start("resolver"), n.start("api")
	n.gateway(strings.TrimPrefix(s.public, "http://"), n.objects)
	expressions := porttest.Free(t)
	n.gateway(expressions, render(t, "helm4", s.values(t), "--set=gateway.tokens=regularExpression"))

	t.Run("a push goes through to apt", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "hello.deb")
		if err := os.WriteFile(file, debtest.Build(t, debtest.Spec{Name: "hello", Version: "1.0", Arch: "amd64"}), 0o644); err != nil {
			t.Fatal(err)
		}
		out := n.push(s.public, token, file)
		if out.Code != 0 || !strings.Contains(out.Stdout, "published: hello 1.0 amd64") {
			t.Fatal(out)
		}
		status, sources := get(t, s.public+"/acme/tools/ubuntu/jammy.sources")
		if status != http.StatusOK {
			t.Fatalf("the configuration of apt answers %d", status)
		}
		a := proctest.NewApt(t, "amd64")
		a.Source(t, "sources", sources)
		a.Update(t)
		if found := a.Download(t, "hello"); len(found) != 1 || !strings.HasPrefix(filepath.Base(found[0]), "hello_") {
			t.Errorf("downloaded %q", found)
		}
	})
	for how, site := range map[string]string{"methods": s.public, "expressions": "http://" + expressions} {
		t.Run("a route with "+how+" leads to the API and the resolver", func(t *testing.T) {
			for path, want := range map[string]int{"/api/v1/nothing": http.StatusUnauthorized, "/install/repositories/acme/tools/script.deb.sh": http.StatusOK, "/": http.StatusOK} {
				if status, body := get(t, site+path); status != want {
					t.Errorf("%s: %d, want %d: %.200s", path, status, want, body)
				}
			}
			status, body := post(t, site+"/install/repositories/acme/tools/tokens.text", token, url.Values{"os": {"ubuntu"}, "dist": {"jammy"}, "name": {"host of " + how}})
			if status != http.StatusCreated || body == "" {
				t.Errorf("tokens.text: %d %.200s", status, body)
			}
		})
	}
	t.Run("load balancers are answered on the ports of the calls", func(t *testing.T) {
		for _, component := range []string{"resolver", "api"} {
			if status, body := get(t, "http://"+n.address(component, "http")+"/readyz"); status != http.StatusOK || body != "ok\n" {
				t.Errorf("%s: %d %q", component, status, body)
			}
		}
	})
	t.Run("jobs and tests of helm end well", func(t *testing.T) {
		for _, tt := range []struct{ kind, name, want string }{
			{"Job", "migrate", ""}, {"CronJob", "reindex", "identical"}, {"Job", "test-catalog", "acme/tools"}, {"Job", "test-keys", ""},
			{"CronJob", "stats", "1 download"}, {"CronJob", "stats", "1 unchanged"},
		} {
			if out := n.run(tt.kind, "y-repomill-"+tt.name); out.Code != 0 || !strings.Contains(out.Said(), tt.want) {
				t.Errorf("%s: %v", tt.name, out)
			}
		}
	})
	audit := n.start("audit")
	t.Run("the audit finds what was published", func(t *testing.T) {
		proctest.Eventually(t, "a round has ended well", func() bool {
			_, metrics := get(t, "http://"+n.address("audit", "ops")+"/metrics")
			return regexp.MustCompile(`(?m)^repomill_audit_objects_total\{result="ok"\} [1-9]`).MatchString(metrics) &&
				regexp.MustCompile(`(?m)^repomill_audit_last_success_timestamp_seconds [1-9]`).MatchString(metrics)
		})
	})
	t.Run("pods take their roles with tokens of their accounts", func(t *testing.T) {
		want := map[string]bool{}
		for session, r := range map[string][2]string{"resolver": {"serve", "resolver"}, "audit": {"verify", "audit"}, "stats": {"stats", "stats"}, "worker": {"publish", "worker"}, "reindex": {"publish", "worker"}, "test": {"publish", "worker"}} {
			want[fmt.Sprintf("%s with token-of-repomill-%s-for-sts.amazonaws.com for repomill-%s", role(r[0]), r[1], session)] = true
		}
		if diff := cmp.Diff(want, s.tokens.roles()); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	})
	for name, p := range map[string]*proctest.Process{"worker": worker, "resolver": resolver, "api": api, "audit": audit} {
		if err := p.Stop(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// build builds the programs of the images.
func build(t testing.TB) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for name, pkg := range map[string]string{"repomill": "../../pipelines/repomill", "repomill-client": "../../pipelines/repomill-client", "repomill-resolver": "../../serve/resolver"} {
		tags := "disable_grpc_modules"
		if name == "repomill-client" {
			tags += ",grpcnotrace,nosqlite"
		}
		if err := proctest.Build(filepath.Join(dir, name), pkg, "-tags", tags); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// push pushes a file as a job of CI does.
func (n *namespace) push(site, token, file string) proctest.Answer {
	n.t.Helper()
	cmd := exec.Command(filepath.Join(n.bin, "repomill-client"), "push", "--wait", "--timeout", "3m", "--server", site, "acme/tools/ubuntu/jammy", file)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "REPOMILL_TOKEN=" + token}
	out, err := proctest.Finish(cmd)
	if err != nil {
		n.t.Fatal(err)
	}
	return out
}

func get(t testing.TB, url string) (status int, body string) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	return answer(t, resp)
}

func post(t testing.TB, url, token string, form url.Values) (status int, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth(token, "")
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	return answer(t, resp)
}

func answer(t testing.TB, resp *http.Response) (status int, body string) {
	t.Helper()
	defer resp.Body.Close()
	all, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(all)
}
