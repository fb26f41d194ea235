package main_test

import (
	"os"
	"testing"

	"repomill/testdata/proctest"
)

// What cannot be meant is refused before anything is made or written, in one sentence that says what to use instead.
func TestUsage(t *testing.T) {
	t.Parallel()
	dir := proctest.OpenDir(t)
	junk := newFile(t, "junk", []byte("junk")).path
	at := func(args ...string) []string { return append(args, "--data", dir+"/data") }
	worker := func(more ...string) []string {
		return append([]string{"worker", "--staging", "file://" + dir + "/data", "--events", "dir://", "--bucket", "file://" + dir + "/data",
			"--catalog", "sqlite://" + dir + "/data", "--signing-key", "file://" + dir + "/data", "--public-url", "http://x"}, more...)
	}
	const table = ": it is not a list of distributions in JSON: invalid character 'j' looking for beginning of value"
	const retention = "--retention 1h0m0s: use 24h0m0s or more: clients need superseded files for that long"
	const address = `: use host:port, such as 127.0.0.1:8080`
	for _, tt := range []struct {
		fact string
		args []string
		says string // all of it
	}{
		{"up without a folder", []string{"up", "--data", ""}, "--data: name a folder, such as ./data"},
		{"up with a short retention", at("up", "--retention", "1h"), retention},
		{"up with a table that is none", at("up", "--distributions", junk), "--distributions: " + junk + table},
		{"up with packages of no size", at("up", "--max-package-size", "0"), "--max-package-size 0: use a number of bytes"},
		{"up with a cache of less", at("up", "--cache-size=-1"), "--cache-size -1: use a number of bytes"},
		{"up at no address", at("up", "--listen", "8080"), `--listen "8080"` + address},
		{"up at no port", at("up", "--edge-listen", "127.0.0.1:99999"), `--edge-listen "127.0.0.1:99999"` + address},
		{"up with no address for probes", at("up", "--ops-listen", "nope"), `--ops-listen "nope"` + address},
		{"a worker with a short retention", worker("--retention", "1h"), retention},
		{"a worker with a table that is none", worker("--distributions", junk), "--distributions: " + junk + table},
		{"a worker with a cache of less", worker("--cache-size=-1"), "--cache-size -1: use a number of bytes"},
		{"a worker with no address for probes", worker("--ops-listen", "nope"), `--ops-listen "nope"` + address},
		{"a worker that ends before it began", worker("--grace=-1s"), "--grace -1s: use 0s or more"},
		{"a distribution without a version", at("repo", "create", "acme/tools", "--distribution", "ubuntu"), `--distribution "ubuntu": use OS/VERSION, such as ubuntu/jammy or el/9`},
		{"a distribution by another name", at("repo", "set", "acme/tools", "--distribution", "rocky/9"), "--distribution: distribution rocky/9 goes by another name here: use el/9"},
		{"a choice that is none", at("repo", "set", "acme/tools", "--visibility", "secret"), `--visibility "secret": use public or private; see repomill repo set --help`},
		{"a repository without a name", at("repo", "list", "acme"), `repository "acme": use owner/name, such as acme/tools`},
		{"a token for no URL", at("token", "create", "acme/tools", "ci", "--public-url", "x"), `--public-url "x": use http://NAME[:PORT] or https://NAME[:PORT]`},
		{"a token with a table that is none", at("token", "create", "acme/tools", "ci", "--distributions", junk), "--distributions: " + junk + table},
		{"a target of one word", at("reindex", "list", "x"), `target "x": use owner/name, owner/name/os/version or, for RPM, owner/name/os/version/arch`},
		{"a time that is none", at("repo", "create", "acme/tools", "--timeout", "5"), `--timeout "5": use a duration such as 30s, 5m or 2h; see repomill repo create --help`},
		{"a flag that is missing", []string{"check", "."}, "missing: --keyring=PATH; see repomill check --help"},
	} {
		if a := repomill(t, tt.args...); a.Code != 2 || lastLine(a.Stderr) != "repomill: "+tt.says { // behind that it starts
			t.Errorf("%s: got %v, want %q", tt.fact, a, tt.says)
		}
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("something was made: %v, %v", entries, err)
	}
	if a := repomill(t, "up", "--data", junk); a.Code != 4 || lastLine(a.Stderr) != "repomill: --data: mkdir "+junk+": not a directory: name a folder that this user may make or write to" {
		t.Errorf("a file for a folder: %v", a)
	}
}

// What is looked for and not there is answered with what is.
func TestNothingIsSaidOfNothing(t *testing.T) {
	t.Parallel()
	s := restart(t, proctest.OpenDir(t))
	const none = "acme/tools has no distributions yet: declare one with repomill repo set acme/tools --distribution OS/VERSION, such as ubuntu/jammy or el/9; with repomill up, the first push declares it\n"
	for _, tt := range []struct {
		fact        string
		args        []string
		code        int
		out, stderr string
	}{
		{"no repository at all", []string{"repo", "list"}, 0, "no repository is declared yet\n", ""},
		{"the first one", []string{"repo", "create", "acme/tools"}, 0, "acme/tools: public, origin \"acme/tools\", label \"tools\", 0 package keys, 0 tokens\n", ""},
		{"none of its tokens", []string{"token", "list", "acme/tools"}, 0, "acme/tools has no tokens\n", ""},
		{"another one", []string{"repo", "list", "acme/tool"}, 1, "", "repomill: repository acme/tool is not declared; did you mean acme/tools?\n"},
		{"one that has nothing", []string{"status", "acme/tools"}, 0, none + "backlog: 0 uploads in all\n", ""},
		{"how to install from that", []string{"hint", "acme/tools"}, 1, "", "repomill: " + none},
		{"a distribution of that", []string{"status", "acme/tools/debian/bookworm"}, 1, "", "repomill: " + none},
		{"a distribution of that, by hint", []string{"hint", "acme/tools/debian/bookworm"}, 1, "", "repomill: " + none},
		{"a distribution of that, by ls", []string{"ls", "acme/tools/debian/bookworm"}, 1, "", "repomill: " + none},
		{"a distribution of that, by yank", []string{"yank", "acme/tools/debian/bookworm", "hello=1", "--reason", "x"}, 1, "", "repomill: " + none},
		{"a package of that", []string{"status", "acme/tools", "hello"}, 1, "", "repomill: " + none},
		{"a slash at its end", []string{"repo", "list", "acme/tools/"}, 0, "acme/tools: public, origin \"acme/tools\", label \"tools\", 0 package keys, 0 tokens\n", ""},
	} {
		if a := repomill(t, append(tt.args, "--data", s.data)...); a.Code != tt.code || a.Stdout != tt.out || a.Stderr != tt.stderr {
			t.Errorf("%s: got %v, want %d, %q, %q", tt.fact, a, tt.code, tt.out, tt.stderr)
		}
	}
}
