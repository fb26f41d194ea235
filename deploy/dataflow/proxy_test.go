package dataflow_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"repomill/testdata/deploytest"
	"repomill/testdata/proctest"
)

// A fake proxy notes how it was called. As the real one does, wait ends with the result of the proxy's start.
const fakeProxy = `#!/bin/sh
echo "$@" >>"$NOTES/calls"
[ "$1" = wait ] || { touch "$NOTES/up"; sleep 30; exit; }
[ -z "${DOWN-}" ] || exit 1
until [ -e "$NOTES/up" ]; do sleep 0.1; done
`

// withProxy runs the script, and everything that it has started ends with it.
func withProxy(t *testing.T, env ...string) (code int, said, calls string) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"cloud-sql-proxy": fakeProxy, "program": "#!/bin/sh\necho \"program $*\"\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	out := new(proctest.Output)
	cmd := exec.Command("./with-proxy", "--id=1-1", "a b")
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"), "NOTES="+dir, "REPOMILL_CLOUDSQL_PROGRAM="+filepath.Join(dir, "program"))
	cmd.Env = append(cmd.Env, env...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	state, err := cmd.Process.Wait()
	syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) //nolint:errcheck // nothing is left if it was refused
	cmd.Wait()                                      //nolint:errcheck // it was waited for
	if err != nil {
		t.Fatal(err)
	}
	body, _ := os.ReadFile(filepath.Join(dir, "calls")) // none if it was refused
	return state.ExitCode(), out.String(), string(body)
}

func TestWithProxy(t *testing.T) {
	deploytest.Record(t, deploytest.Row{Files: "dataflow/with-proxy", Check: "it starts a proxy, waits for it, and becomes the program", Tool: "sh", CannotShow: "the Cloud SQL Auth Proxy: a script is in its place"})
	const instance = "REPOMILL_CLOUDSQL_INSTANCE=acme:europe-west3:repomill"
	t.Run("the program starts after the proxy, with its arguments", func(t *testing.T) {
		code, said, calls := withProxy(t, instance)
		if code != 0 || !strings.Contains(said, "program --id=1-1 a b\n") {
			t.Errorf("%d %s", code, said)
		}
		for _, want := range []string{"--auto-iam-authn --private-ip --port=3306 --health-check --http-port=9801 acme:europe-west3:repomill\n", "wait --http-port=9801 --max=2m\n"} {
			if !strings.Contains(calls, want) {
				t.Errorf("no call %q in\n%s", want, calls)
			}
		}
	})
	t.Run("without a proxy that starts, the program does not", func(t *testing.T) {
		code, said, _ := withProxy(t, instance, "DOWN=1")
		if code != 1 || strings.Contains(said, "program") || !strings.Contains(said, "the proxy of acme:europe-west3:repomill does not start") {
			t.Errorf("%d %s", code, said)
		}
	})
	t.Run("an image without an instance says how to build it", func(t *testing.T) {
		code, said, calls := withProxy(t, "REPOMILL_CLOUDSQL_INSTANCE=")
		if code == 0 || calls != "" || !strings.Contains(said, "--build-arg INSTANCE=PROJECT:REGION:NAME") {
			t.Errorf("%d %s %s", code, said, calls)
		}
	})
}
