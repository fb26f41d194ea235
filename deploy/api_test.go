package deploy_test

import (
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"repomill/testdata/debtest"
	"repomill/testdata/mysqltest"
	"repomill/testdata/porttest"
	"repomill/testdata/proctest"
)

// The API as README.md deploys it: its unit, its database user, and nginx before it and the resolver.
func TestAPIBehindNginx(t *testing.T) {
	t.Parallel()
	database := mysqltest.NewServer(t)
	c := newCompany(t)
	c.catalog = database.Database(t)
	c.worker()
	c.ok("repo", "create", "acme/tools", "--distribution", "ubuntu/jammy")
	c.resolver()
	api := c.api(c.apiUser(database))
	site, trusted, client := c.nginx(strings.TrimPrefix(c.public, "http://"), api.address)
	token := strings.TrimSpace(c.ok("token", "create", "acme", "ci", "--scope", "push,manage,read").Stdout)
	hello := c.file("hello.deb", debtest.Build(t, debtest.Spec{Name: "hello", Version: "1.0", Arch: "amd64", Size: 3 << 20}))

	t.Run("a push goes through to clients", func(t *testing.T) {
		out := c.push(site, token, trusted, hello)
		if out.Code != 0 || !strings.Contains(out.Stdout, "published: hello 1.0 amd64") {
			t.Fatal(out)
		}
		aptInstalls(t, c, "hello")
		if out := c.ok("log", "acme/tools"); !strings.Contains(out.Stdout, "  token ci of acme  upload  acme/tools/ubuntu/jammy") {
			t.Errorf("the log does not say that the token pushed it: %s", out)
		}
	})
	t.Run("calls make a repository and copy a package into it", func(t *testing.T) {
		if status, body := call(t, client, http.MethodPost, site, token, "/api/v1/repos.json", "repository[name]=stable"); status != http.StatusCreated {
			t.Fatalf("%d %s", status, body)
		}
		c.ok("repo", "set", "acme/stable", "--distribution", "ubuntu/jammy")
		status, body := call(t, client, http.MethodPost, site, token, "/api/v1/repos/acme/tools/ubuntu/jammy/hello_1.0_amd64.deb/promote.json", "destination=acme/stable")
		if status != http.StatusOK {
			t.Fatalf("%d %s", status, body)
		}
		if out := c.ok("ls", "acme/stable/ubuntu/jammy"); !strings.Contains(out.Stdout, "hello") {
			t.Error(out)
		}
	})
	t.Run("a call withdraws a package", func(t *testing.T) {
		status, body := call(t, client, http.MethodDelete, site, token, "/api/v1/repos/acme/tools/ubuntu/jammy/hello_1.0_amd64.deb")
		if status != http.StatusOK {
			t.Fatalf("%d %s", status, body)
		}
		if packages := c.index(t); strings.Contains(packages, "Package: hello\n") {
			t.Errorf("the index still has it:\n%s", packages)
		}
	})
	t.Run("calls take a snapshot and delete it", func(t *testing.T) {
		const snapshots = "/api/v1/repos/acme/tools/snapshots"
		if status, body := call(t, client, http.MethodPost, site, token, snapshots); status != http.StatusOK || !strings.Contains(body, `"state":"kept"`) {
			t.Fatalf("%d %s", status, body)
		}
		if status, body := call(t, client, http.MethodDelete, site, token, snapshots+"/1"); status != http.StatusNoContent {
			t.Errorf("%d %s", status, body)
		}
	})
	t.Run("its database user trusts no issuer", func(t *testing.T) {
		cmd := exec.Command(filepath.Join(c.bin, "repomill"), "trust", "add", "acme/tools", "--issuer", "https://ci.example", "--audience", "h", "--claim", "sub=a", "--catalog", api.catalog)
		if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "denied") {
			t.Errorf("%v\n%s", err, out)
		}
	})
	t.Run("paths are routed by path alone", func(t *testing.T) {
		for path, want := range map[string]int{
			"/api/v1/nothing": http.StatusUnauthorized, "/acme/tools/ubuntu/jammy.sources": http.StatusOK,
			"/install/repositories/acme/tools/script.deb.sh": http.StatusOK,
		} {
			if status, body := call(t, client, http.MethodGet, site, "", path); status != want {
				t.Errorf("%s: %d, want %d: %s", path, status, want, body)
			}
		}
	})
	t.Run("it can be watched", func(t *testing.T) {
		for path, want := range map[string]string{"/metrics": `repomill_api_calls_total{call="upload",status="202"} 1`, "/readyz": "ok"} {
			if status, body := c.get("http://" + api.ops + path); status != http.StatusOK || !strings.Contains(body, want) {
				t.Errorf("%s: %d, without %q:\n%s", path, status, want, body)
			}
		}
	})
	t.Run("alerts see the first fault", func(t *testing.T) {
		_, metrics := c.get("http://" + api.ops + "/metrics")
		for _, want := range []string{`{call="upload",status="507"} 0`, `{call="upload",status="503"} 0`, `{call="packagecloud",status="200"} 2`} {
			if !strings.Contains(metrics, "repomill_api_calls_total"+want) {
				t.Errorf("no metric %s:\n%s", want, metrics)
			}
		}
	})
	if code := api.stop(); code != 0 {
		t.Errorf("the API ended with %d", code)
	}
	t.Run("reads go on when it is down", func(t *testing.T) {
		if status, _ := call(t, client, http.MethodGet, site, "", "/acme/tools/ubuntu/jammy.sources"); status != http.StatusOK {
			t.Errorf("a read answers %d", status)
		}
		out := c.push(site, token, trusted, hello)
		if out.Code != 4 || !strings.Contains(out.Stderr, "trying again") {
			t.Error(out)
		}
	})
}

// apiUser makes the database user of the API as README.md says, and returns the URL with which the API connects.
func (c *company) apiUser(s *mysqltest.Server) (catalog string) {
	c.t.Helper()
	u, err := url.Parse(c.catalog)
	if err != nil {
		c.t.Fatal(err)
	}
	name := u.Path[1:]
	for _, statement := range runbook(c.t, "**The database user of the API**") {
		statement = strings.NewReplacer(" repomill.", " "+name+".", "`repomill-api`", "`repomill-api`@localhost", "'…'", "'geheim'").Replace(statement)
		s.Exec(c.t, strings.TrimSuffix(statement, ";"))
	}
	return strings.Replace(c.catalog, "root@", "repomill-api@", 1)
}

// An apiProcess is a running API.
type apiProcess struct {
	*process
	address, ops, catalog string
}

// api starts the API as the unit has it, and waits until it is ready.
func (c *company) api(catalog string) apiProcess {
	c.t.Helper()
	u := readUnit(c.t, "repomill-api")
	credentials := u.install(c.t, map[string][]byte{"catalog-password": []byte("geheim\n")})
	a := apiProcess{address: porttest.Free(c.t), ops: porttest.Free(c.t), catalog: catalog + "&password-file=" + url.QueryEscape(filepath.Join(credentials, "catalog-password"))}
	env := u.environmentOf(c.t, "api.env.example", credentials, map[string]string{
		"REPOMILL_STAGING": c.staging, "REPOMILL_CATALOG": a.catalog, "REPOMILL_PUBLIC_URL": c.public, "REPOMILL_LISTEN": a.address,
	})
	a.process = c.start("api", env, append(command(c.t, u.start, c.bin), "--ops-listen", a.ops))
	proctest.Eventually(c.t, "the API is ready", func() bool {
		status, _ := c.get("http://" + a.ops + "/readyz")
		return status == http.StatusOK
	})
	return a
}

// push pushes a file over HTTP as a CI job does, from a machine that has the token alone.
func (c *company) push(site, token, trusted, file string) proctest.Answer {
	c.t.Helper()
	cmd := exec.Command(filepath.Join(c.bin, "repomill-client"), "push", "--wait", "--timeout", "2m", "--retries", "1", "--server", site, "acme/tools/ubuntu/jammy", file)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "REPOMILL_TOKEN=" + token, "SSL_CERT_FILE=" + trusted}
	out, err := proctest.Finish(cmd)
	if err != nil {
		c.t.Fatal(err)
	}
	return out
}

func call(t *testing.T, client *http.Client, method, site, token, path string, form ...string) (status int, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, site+path, strings.NewReader(strings.Join(form, "&")))
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.SetBasicAuth(token, "")
	}
	if len(form) > 0 {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	all, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(all)
}
