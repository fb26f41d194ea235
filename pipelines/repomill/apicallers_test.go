package main_test

import (
	"context"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	main "repomill/pipelines/repomill"
	"repomill/serve/api"
)

// The callers of the tests' API. The program of the tests is itself, with this table in the place of the catalog's tokens.
var testCallers = tableOf{
	"push-tools": {ID: "t1", Name: "token push-tools", Grants: []api.Grant{{Right: api.Push, Owner: "acme"}, {Right: api.Read, Owner: "acme"}}},
	"read-tools": {ID: "t2", Name: "token read-tools", Grants: []api.Grant{{Right: api.Read, Owner: "acme"}}},
	"push-other": {ID: "t3", Name: "token push-other", Grants: []api.Grant{{Right: api.Push, Owner: "other"}}},
}

// A tableOf callers knows them by their credential.
type tableOf map[string]api.Principal

// Authenticate implements [api.Authenticator].
func (t tableOf) Authenticate(_ context.Context, credential string) (api.Principal, error) {
	p, ok := t[credential]
	if !ok {
		return p, api.ErrUnknownCredential
	}
	return p, nil
}

// asProgram is set for a process of the tests that is to be the program. Its first argument is then the program's name.
const asProgram = "REPOMILL_TEST_AS_PROGRAM"

// beProgram ends this process as the program, if it is to be that.
func beProgram() {
	if os.Getenv(asProgram) != "" {
		os.Exit(main.RunWithCallers(os.Args[2:], testCallers))
	}
}

// withCallers returns the command that runs the program as its last arguments, with the table.
func withCallers(t testing.TB) []string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return []string{"env", asProgram + "=1", path}
}

// beginAPI starts the role on the staging folder and the catalog of a site.
func beginAPI(t *testing.T, data, listen string) *process {
	t.Helper()
	line := append(withCallers(t), "repomill", "api", "--catalog", "sqlite://"+data+"/catalog.db", "--staging", "file://"+data+"/staging",
		"--public-url", "https://packages.example", "--listen", listen, "--ops-listen", "127.0.0.1:0")
	p := begin(t, line[0], line[1:]...)
	for end := time.Now().Add(time.Minute); !strings.Contains(p.stderr.String(), "api started"); time.Sleep(10 * time.Millisecond) {
		select {
		case <-p.done:
			t.Fatalf("api ended: %s", p.stderr.String())
		default:
		}
		if time.Now().After(end) {
			t.Fatalf("api is not ready: %s", p.stderr.String())
		}
	}
	return p
}

// addressIn returns an address of what a log line of the role says.
func addressIn(t *testing.T, p *process, field string) string {
	t.Helper()
	m := regexp.MustCompile(`"` + field + `":"(127[^"]*)"`).FindStringSubmatch(p.stderr.String())
	if m == nil {
		t.Fatalf("no %s in %s", field, p.stderr.String())
	}
	return m[1]
}
