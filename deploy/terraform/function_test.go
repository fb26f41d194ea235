package terraform_test

import (
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"repomill/schemas/layout"
	"repomill/testdata/deploytest"
)

var update = flag.Bool("update", false, "write the table of the CDN's function")

const (
	functionFile   = "modules/cdn/function.js"
	spellingsBegin = "// spellings begin\n"
	spellingsEnd   = "// spellings end\n"
	maxFunction    = 10240 // bytes that CloudFront takes
)

// The function at the edge has the resolver's table.
func TestFunctionTable(t *testing.T) {
	body, err := os.ReadFile(functionFile)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, begins := strings.Cut(string(body), spellingsBegin)
	_, after, ends := strings.Cut(rest, spellingsEnd)
	if !begins || !ends {
		t.Fatalf("%s does not have %q and %q", functionFile, spellingsBegin, spellingsEnd)
	}
	var table strings.Builder
	table.WriteString("var spellings = [\n")
	for _, s := range layout.Rewrites() {
		line, err := json.Marshal([]string{s.Path, s.Key})
		if err != nil {
			t.Fatal(err)
		}
		table.WriteString("  " + string(line) + ",\n")
	}
	table.WriteString("];\n")
	want := before + spellingsBegin + table.String() + spellingsEnd + after
	if *update {
		if err := os.WriteFile(functionFile, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if string(body) != want {
		t.Errorf("%s has another table than schemas/layout: run go test ./deploy/terraform -run TestFunctionTable -update", functionFile)
	}
	if len(want) > maxFunction {
		t.Errorf("%s has %d bytes, and CloudFront takes %d", functionFile, len(want), maxFunction)
	}
}

func TestFunction(t *testing.T) {
	node := deploytest.Tool(t, "node")
	version, err := exec.CommandContext(t.Context(), node, "--version").Output()
	if err != nil {
		t.Fatal(err)
	}
	deploytest.Record(t, deploytest.Row{
		Files: "terraform/" + functionFile, Check: "node --test, with the resolver's cases", Tool: "node " + strings.TrimSpace(string(version)),
		CannotShow: "CloudFront's own JavaScript runtime, which knows less than node",
	})
	cases := filepath.Join(deploytest.Root(t), "schemas/layout/testdata/spellings.json")
	run := func(dir string) (string, error) {
		cmd := exec.CommandContext(t.Context(), node, "--test", filepath.Join(dir, "tests/function.test.mjs"))
		cmd.Env = append(os.Environ(), "SPELLINGS="+cases)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if out, err := run("modules/cdn"); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	for name, change := range map[string]struct{ old, text, says string }{
		"a table without a spelling is found": {`"gpgkey/gpg.key"`, `"gpgkey/other.key"`, "not ok"},
		"a list of all keys at / is found":    {`refused.test(request.uri)`, `request.uri !== '/' && refused.test(request.uri)`, "/ is 404"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.CopyFS(dir, os.DirFS("modules/cdn")); err != nil {
				t.Fatal(err)
			}
			w := &workspace{t: t, root: dir}
			w.edit("function.js", change.old, change.text)
			if out, err := run(dir); err == nil || !strings.Contains(out, change.says) {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}
