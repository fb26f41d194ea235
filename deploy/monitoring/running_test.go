package monitoring_test

import (
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"repomill/publish/sign"
	"repomill/testdata/debtest"
	"repomill/testdata/deploytest"
	"repomill/testdata/porttest"
	"repomill/testdata/proctest"
)

// running starts the programs, publishes a package, and returns what they measure.
func running(t *testing.T) measured {
	t.Helper()
	deploytest.Record(t, deploytest.Row{
		Files: "monitoring/rules.yml, dashboards", Check: "each metric, label and value that they name is at /metrics of the running programs", Tool: "repomill up, api, audit, repomill-resolver",
		CannotShow: "the metrics of Google's exporter and of the backup script, which are listed",
	})
	bin, data := build(t), proctest.OpenDir(t)
	env := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "REPOMILL_DATA=" + data}
	repomill := func(args ...string) string { return proctest.Must(t, env, filepath.Join(bin, "repomill"), args...) }
	write(t, data+"/signing-key.asc", expiringKey(t)) // one that never expires has no time of expiry
	up, edge := porttest.Free(t), porttest.Free(t)
	cmd := exec.Command(filepath.Join(bin, "repomill"), proctest.UpArgs(data, "--ops-listen", up, "--edge-listen", edge)...)
	cmd.Env = env
	p, clients, err := proctest.Up(cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Kill() }) //nolint:errcheck // it may have ended
	file := filepath.Join(t.TempDir(), "hello.deb")
	write(t, file, string(debtest.Build(t, debtest.Spec{})))
	repomill("push", "--wait", "--staging", "file://"+data+"/staging", "acme/tools/ubuntu/jammy", file)
	ops := []string{up, porttest.Free(t), porttest.Free(t)}
	start := func(program string, args ...string) {
		cmd := exec.Command(filepath.Join(bin, program), args...)
		cmd.Env = env
		proctest.Begin(t, cmd)
	}
	start("repomill", "api", "--staging", "file://"+data+"/staging", "--catalog", "sqlite://"+data+"/catalog.db", "--public-url", clients,
		"--listen", porttest.Free(t), "--ops-listen", ops[1])
	start("repomill-resolver", "--bucket", "file://"+data+"/bucket", "--public-url", clients, "--cdn", "http://"+edge, "--key-pair-id", "K2JCJMDEHXQW5F",
		"--key", "file://"+data+"/url-key.pem", "--listen", porttest.Free(t), "--ops-listen", ops[2])
	ops = append(ops, porttest.Free(t))
	keyring := filepath.Join(t.TempDir(), "gpg.key")
	write(t, keyring, read(t, data+"/bucket/gpg.key"))
	start("repomill", "audit", "--url", clients, "--keyring", keyring, "--bucket", "file://"+data+"/bucket", "--replica", "file://"+data+"/bucket",
		"--every", "1h", "--ops-listen", ops[3])
	return gather(t, ops)
}

// gather returns what programs measure at their addresses, when all of it is there: some is found at the first scrape.
func gather(t *testing.T, ops []string) measured {
	t.Helper()
	late := []string{"repomill_signing_key_expiry_timestamp_seconds", "repomill_signing_key_failures_total", "repomill_release_age_seconds", "repomill_replica_lag_seconds"}
	return proctest.Until(t, "all programs measure", func() measured {
		has := measured{}
		for _, address := range ops {
			text := get("http://" + address + "/metrics")
			if text == "" {
				return nil
			}
			has.add(text)
		}
		return has
	}, func(has measured) bool {
		for _, name := range late {
			if has[name] == nil {
				return false
			}
		}
		return true
	})
}

// get returns the body of an answer, or nothing if there is none yet.
func get(url string) string {
	client := http.Client{Timeout: time.Minute}
	resp, err := client.Get(url)
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		return ""
	}
	return string(body)
}

// build builds the programs.
func build(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for name, pkg := range map[string]string{"repomill": "../../pipelines/repomill", "repomill-resolver": "../../serve/resolver"} {
		if err := proctest.Build(filepath.Join(dir, name), pkg, "-tags", "disable_grpc_modules"); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// expiringKey returns a private key that signs, and expires in a year.
func expiringKey(t *testing.T) string {
	t.Helper()
	entity, err := openpgp.NewEntity("a test's", "", "", &packet.Config{RSABits: sign.MinRSABits, KeyLifetimeSecs: 365 * 86400})
	if err != nil {
		t.Fatal(err)
	}
	var key strings.Builder
	w, err := armor.EncodeWithChecksumOption(&key, openpgp.PrivateKeyType, nil, true)
	if err == nil {
		err = errors.Join(entity.SerializePrivateWithoutSigning(w, nil), w.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	return key.String()
}
