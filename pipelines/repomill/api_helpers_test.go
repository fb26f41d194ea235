package main_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"repomill/testdata/proctest"
)

// apiToken makes a token of the API in the catalog of a folder.
func apiToken(t testing.TB, data, target, name, scope string) string {
	t.Helper()
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	a := proctest.Run(t, nil, path, "token", "create", target, name, "--scope", scope, "--catalog", "sqlite://"+data+"/catalog.db")
	if a.Code != 0 {
		t.Fatal(a)
	}
	return strings.TrimSpace(a.Stdout)
}

// beginAPI starts the role on the staging folder and the catalog of a site.
func beginAPI(t *testing.T, data, listen string) *proctest.Process {
	t.Helper()
	return beginAPIOver(t, data, "file://"+data+"/staging", listen)
}

// beginAPIOver starts the role on a staging and the catalog of a site.
func beginAPIOver(t *testing.T, data, staging, listen string) *proctest.Process {
	t.Helper()
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	p := begin(t, path, "api", "--catalog", "sqlite://"+data+"/catalog.db", "--staging", staging,
		"--public-url", "https://packages.example", "--listen", listen, "--ops-listen", "127.0.0.1:0")
	for end := time.Now().Add(time.Minute); !strings.Contains(p.Stderr.String(), "api started"); time.Sleep(10 * time.Millisecond) {
		select {
		case <-p.Done:
			t.Fatalf("api ended: %s", p.Stderr.String())
		default:
		}
		if time.Now().After(end) {
			t.Fatalf("api is not ready: %s", p.Stderr.String())
		}
	}
	return p
}

// addressIn returns an address of what a log line of the role says.
func addressIn(t *testing.T, p *proctest.Process, field string) string {
	t.Helper()
	m := regexp.MustCompile(`"` + field + `":"(127[^"]*)"`).FindStringSubmatch(p.Stderr.String())
	if m == nil {
		t.Fatalf("no %s in %s", field, p.Stderr.String())
	}
	return m[1]
}
