package deploy_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"repomill/testdata/debtest"
	"repomill/testdata/deploytest"
	"repomill/testdata/proctest"
)

const guide = "one-vm.md"

// Every command of one-vm.md, on a fresh Debian whose systemd runs the units with all that they may not do.
func TestOneMachine(t *testing.T) {
	deploytest.Slow(t)
	deploytest.Record(t, deploytest.Row{
		Files: "one-vm.md, systemd/repomill*.service, repomill-backup, nginx-up.conf, packages/repomill.*", Check: "every command of the guide on a fresh Debian: install, TLS, push, apt over https, upgrade, watchdog, backup, restore on a second one",
		Tool: "systemd 252 as process 1 of namespaces, nginx, apt, debootstrap", CannotShow: "a kernel and a boot loader of its own, a certificate of an authority, dnf",
	})
	root := machineRoot(t)
	old, newer := twoReleases(t)
	hello, howdy := namedDeb(t, "hello"), namedDeb(t, "howdy")
	m := newMachine(t, root)
	m.copy("/srv", old, hello, howdy)
	m.ok("useradd --create-home alice")

	said := m.follow(guide, "## 1. Install")
	for command, text := range said {
		if strings.Contains(text, "Failed") {
			t.Errorf("%s: %s", command, text)
		}
	}
	if out := m.run("systemctl is-enabled repomill || systemctl is-active repomill || true"); out.Stdout != "disabled\ninactive\n" {
		t.Errorf("the package starts the service: %s", out)
	}
	t.Run("without its public name it says what to set", func(t *testing.T) {
		out := m.run("systemctl start repomill || journalctl -q --no-pager -u repomill")
		m.ok("systemctl stop repomill")
		out.Wants(t, "set REPOMILL_PUBLIC_URL in /etc/repomill/repomill.env", "repomill ready")
	})
	said = m.follow(guide, "## 2. One file", "## 3. TLS", "## 4. Start")
	if got := said["curl -fsS https://packages.acme.example/readyz"]; got != "ok\n" {
		t.Errorf("readyz answers %q", got)
	}
	m.follow(guide, "## 5. The first package")
	t.Run("apt has installed what was pushed", func(t *testing.T) { m.ok("dpkg -s hello | grep -x 'Status: install ok installed'") })
	t.Run("a package that a member of the group copied is published, and the service may remove it", func(t *testing.T) {
		m.published("howdy")
		m.ok("sudo -u repomill rm /var/lib/repomill/staging/acme/tools/debian/bookworm/howdy_1.0_all.deb")
	})
	t.Run("the units hold", func(t *testing.T) { unitsHold(t, m) })
	t.Run("a private repository is closed", func(t *testing.T) { closed(t, m) })
	t.Run("a service that hangs is restarted", func(t *testing.T) { watchdog(t, m) })
	t.Run("an upgrade loses no push", func(t *testing.T) { upgrade(t, m, old, newer) })
	said = m.follow(guide, "## 7. Back up")
	t.Run("the time of the backup is recorded", func(t *testing.T) {
		got := said["cat /var/lib/prometheus/node-exporter/repomill-backup.prom"]
		if !regexp.MustCompile(`(?m)^repomill_backup_last_success_timestamp_seconds \d{10}$`).MatchString(got) {
			t.Errorf("%q", got)
		}
	})
	t.Run("another machine goes on from the backup", func(t *testing.T) { restored(t, m, root, newer) })
	said = m.follow(guide, "## 9. More")
	if got := said["sudo -u repomill repomill stats --data /var/lib/repomill acme/tools"]; !strings.Contains(got, "hello") {
		t.Errorf("the downloads of apt are not counted: %q", got)
	}
	m.ok(pushHTTP(m, namedDeb(t, "signed-by-root")))
	t.Run("the unit of the worker holds, too", func(t *testing.T) { workerUnit(t, m) })
	if got := headings(t, guide); strings.Join(got, "; ") != "## 1. Install; ## 2. One file; ## 3. TLS; ## 4. Start; ## 5. The first package; ## 6. Upgrade; ## 7. Back up; ## 8. Restore; ## 9. More" {
		t.Errorf("the guide has other sections than this test follows: %q", got)
	}
}

// unitsHold looks at what systemd made of the unit.
func unitsHold(t *testing.T, m *machine) {
	for want, script := range map[string]string{
		"repomill repomill\n":                   "stat -c '%U %G' /proc/$(systemctl show -P MainPID repomill)",
		"notify 1min active running\n":          "echo $(systemctl show -P Type -P ActiveState -P SubState -P WatchdogUSec repomill)",
		"750 repomill /var/lib/repomill\n":      "stat -c '%a %G %n' /var/lib/repomill",
		"600 root /etc/repomill/repomill.env\n": "stat -c '%a %U %n' /etc/repomill/repomill.env",
		"read-only\n":                           "nsenter -m -t $(systemctl show -P MainPID repomill) sh -c 'touch /usr/x 2>/dev/null || echo read-only'",
		"NoNewPrivs: 1 Seccomp: 2\n":            "grep -E '^(NoNewPrivs|Seccomp):' /proc/$(systemctl show -P MainPID repomill)/status | tr '\\t' ' ' | paste -sd ' '",
		"301 https://packages.acme.example/x\n": "curl -so /dev/null -w '%{http_code} %{redirect_url}\\n' http://packages.acme.example/x",
		"closed to nginx\n":                     "sudo -u www-data ls /var/lib/repomill/bucket 2>/dev/null || echo closed to nginx",
	} {
		if got := m.run(script).Stdout; got != want {
			t.Errorf("%s: %q, want %q", script, got, want)
		}
	}
	if out := m.run("journalctl -q --no-pager -p err -u repomill"); out.Stdout != "" {
		t.Errorf("errors in the log: %s", out.Stdout)
	}
}

// closed fails unless a private repository opens to its token alone.
func closed(t *testing.T, m *machine) {
	out := m.run("sudo -u repomill repomill repo create --data /var/lib/repomill acme/secret --visibility private --distribution debian/bookworm")
	if out.Code != 0 {
		t.Fatal(out)
	}
	token := strings.TrimSpace(m.run("sudo -u repomill repomill token create --data /var/lib/repomill acme/secret host").Stdout)
	m.copy("/srv", namedDeb(t, "hush"))
	const staging = "/var/lib/repomill/staging/acme/secret/debian/bookworm"
	m.ok("sudo -u alice mkdir -p " + staging + " && sudo -u alice cp hush_1.0_all.deb " + staging)
	const pointer = "https://packages.acme.example/acme/secret/debian/dists/bookworm/InRelease"
	get := func(flags string) string {
		return m.run("curl -sLo /dev/null -w '%{http_code}' " + flags + " " + pointer).Stdout
	}
	proctest.Eventually(t, "the token opens it", func() bool { return get("-u "+token+":") == "200" })
	m.ok("sudo -u repomill rm " + staging + "/hush_1.0_all.deb") // in a folder of alice
	if got := m.run("curl -sLo /dev/null -w '%{http_code}' https://packages.acme.example/priv/" + token + "/acme/secret/debian/dists/bookworm/InRelease").Stdout; got != "200" {
		t.Errorf("with the token in its path it answers %s", got)
	}
	if out := m.run("grep -F " + token + " /var/log/nginx/*"); out.Stdout != "" {
		t.Errorf("the token is in a log: %s", out.Stdout)
	}
	if got := get(""); got != "401" {
		t.Errorf("without a token it answers %s", got)
	}
	if got := m.run("curl -so /dev/null -w '%{http_code}' https://packages.acme.example/.edge/acme/secret/debian/dists/bookworm/InRelease").Stdout; got != "403" {
		t.Errorf("without a signature the edge answers %s", got)
	}
}

// watchdog has the service hang.
func watchdog(t *testing.T, m *machine) {
	m.ok(`mkdir -p /run/systemd/system/repomill.service.d
printf '[Service]\nWatchdogSec=3\nTimeoutAbortSec=2\n' >/run/systemd/system/repomill.service.d/test.conf
systemctl daemon-reload && systemctl restart repomill`)
	before := m.ok("systemctl show -P MainPID repomill")
	m.ok("kill -STOP " + before)
	proctest.Eventually(t, "systemd has replaced the process", func() bool {
		return m.run("systemctl is-active -q repomill && systemctl show -P MainPID repomill").Stdout != before && m.run("curl -fsS https://packages.acme.example/readyz").Stdout == "ok\n"
	})
	if got := strings.TrimSpace(m.ok("systemctl show -P NRestarts repomill")); got != "1" {
		t.Errorf("%s restarts, want one", got)
	}
	m.ok("rm -r /run/systemd/system/repomill.service.d && systemctl daemon-reload && systemctl restart repomill")
}

// workerUnit runs repomill-worker.service on folders of its own, with the key that root keeps.
func workerUnit(t *testing.T, m *machine) {
	m.ok(`install -d -o repomill -g repomill /srv/w /srv/w/staging /srv/w/bucket
printf 'REPOMILL_STAGING=file:///srv/w/staging\nREPOMILL_EVENTS=dir://\nREPOMILL_CATALOG=sqlite:///srv/w/catalog.db\nREPOMILL_BUCKET=file:///srv/w/bucket\n' >/etc/repomill/worker.env
printf 'REPOMILL_PUBLIC_URL=https://packages.acme.example\nREPOMILL_CREATE=auto\n' >>/etc/repomill/worker.env
install -m 600 /dev/null /etc/repomill/catalog-password
mkdir -p /run/systemd/system/repomill-worker.service.d
printf '[Service]\nReadWritePaths=/srv/w\n' >/run/systemd/system/repomill-worker.service.d/test.conf
systemctl daemon-reload && systemctl start repomill-worker`)
	m.copy("/srv/w", namedDeb(t, "worked"))
	m.ok("sudo -u repomill install -D -t /srv/w/staging/acme/other/debian/bookworm /srv/w/worked_1.0_all.deb")
	proctest.Eventually(t, "the worker has published it", func() bool {
		return m.run("sudo -u repomill repomill status --catalog sqlite:///srv/w/catalog.db acme/other worked=1.0").Code == 0
	})
	if got := m.ok("systemctl show -P ActiveState repomill-worker"); got != "active\n" {
		t.Errorf("the worker is %s", got)
	}
	m.ok("systemctl stop repomill-worker && test \"$(systemctl show -P Result repomill-worker)\" = success")
}

// upgrade installs a newer package while packages keep coming, and goes back and forth once more.
func upgrade(t *testing.T, m *machine, old, newer string) {
	before := m.ok("systemctl show -P MainPID repomill")
	m.ok("rm repomill_*.deb; echo '# mine' >>/etc/repomill/repomill.env")
	m.copy("/srv", newer)
	m.copy("/srv/many", debs(t, "copied", 9)...)
	m.copy("/srv/more", debs(t, "pushed", 9)...)
	m.ok(`(for f in many/*; do sudo -u alice cp $f /var/lib/repomill/staging/acme/tools/debian/bookworm/; sleep .8; done) &
(set +e; for f in more/*; do repomill push --retries 10 --server https://packages.acme.example --token-file ci-token acme/tools/debian/bookworm $f >>pushed 2>&1 || echo FAILED $f; sleep .8; done) >failed &
` + strings.Join(section(t, guide, "## 6. Upgrade"), "\n") + "\nwait; if [ -s failed ]; then cat failed pushed; exit 1; fi")
	published := m.ok("journalctl -q --no-pager -u repomill")
	if _, after, ok := strings.Cut(published, "version=\"v0.1.0 ("); !ok || !strings.Contains(after, "copied") || !strings.Contains(after, "pushed") {
		t.Errorf("no package came after the restart, and this test has shown nothing:\n%s", proctest.Tail(published))
	}
	if after := m.ok("systemctl show -P MainPID repomill"); after == before || after == "0\n" {
		t.Errorf("the process is %q, and was %q", after, before)
	}
	m.ok(`repomill version | grep -F ' v0.1.0 ' && cmp /usr/bin/repomill /proc/$(systemctl show -P MainPID repomill)/exe`)
	m.copy("/srv/old", old)
	m.follow("runbooks/drill-roll-back.md", "## On one machine")
	m.ok(`repomill version | grep -F ' v0.1.0-rc.1 '`)
	m.follow(guide, "## 6. Upgrade")
	m.ok(`repomill version | grep -F ' v0.1.0 '`)
	m.ok("grep -x '# mine' /etc/repomill/repomill.env && grep -x REPOMILL_PUBLIC_URL=https://packages.acme.example /etc/repomill/repomill.env")
	for i := range 9 {
		m.published(fmt.Sprintf("copied%d", i))
		m.published(fmt.Sprintf("pushed%d", i))
	}
}

// restored follows the guide on a second machine, with the backup of the first.
func restored(t *testing.T, first *machine, root, release string) {
	m := newMachine(t, root)
	m.copy("/srv", release)
	m.follow(guide, "## 1. Install")
	backup := filepath.Join(t.TempDir(), "backup.tar")
	sh(t, ".", "nsenter", "-m", "-t", first.init, "tar", "-C", "/var/backups", "-cf", "/srv/backup.tar", "repomill")
	sh(t, ".", "sh", "-c", `nsenter -m -t "$0" cat /srv/backup.tar >"$1"`, first.init, backup)
	m.copy("/srv", backup)
	m.ok("tar -C /var/backups -xf backup.tar")
	m.follow(guide, "## 8. Restore", "## 3. TLS", "## 4. Start")

	// A host that the first machine served goes on: its sources, and the keys in them.
	sources := filepath.Join(t.TempDir(), "acme_tools.sources")
	sh(t, ".", "sh", "-c", `nsenter -m -t "$0" sh -c 'cat /etc/apt/sources.list.d/acme_tools.*' >"$1"`, first.init, sources)
	m.copy("/etc/apt/sources.list.d", sources)
	for _, dir := range []string{"/etc/apt/keyrings", "/usr/share/keyrings"} {
		if key := filepath.Join(dir, "acme_tools-archive-keyring.gpg"); first.run("test -e "+key).Code == 0 {
			m.copy(dir, filepathOf(t, first, key))
		}
	}
	out := m.run("apt-get update && apt-get install -y howdy")
	if bad := proctest.AptComplaints(out); out.Code != 0 || len(bad) > 0 {
		t.Fatalf("%q in %s", bad, out)
	}
	if out := m.run("journalctl -q --no-pager -u repomill"); strings.Contains(out.Stdout, "ALARM") {
		t.Errorf("the catalog of the backup and its bucket differ: %s", out.Stdout)
	}
	m.copy("/srv", filepathOf(t, first, "/srv/ci-token"))
	m.ok(pushHTTP(m, namedDeb(t, "later"))) // the token of before still opens the API
	m.ok("apt-get update && apt-get install -y later")
}

// filepathOf returns a copy of a file of a machine.
func filepathOf(t *testing.T, m *machine, path string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), filepath.Base(path))
	sh(t, ".", "sh", "-c", `nsenter -m -t "$0" cat "$1" >"$2"`, m.init, path, to)
	return to
}

// pushHTTP copies a package to the machine, and returns the command that pushes it as CI does.
func pushHTTP(m *machine, file string) string {
	m.copy("/srv", file)
	return "repomill push --wait --server https://packages.acme.example --token-file ci-token acme/tools/debian/bookworm " + filepath.Base(file)
}

// published waits until clients see a package.
func (m *machine) published(name string) {
	m.t.Helper()
	proctest.Eventually(m.t, name+" is published", func() bool {
		return m.run("sudo -u repomill repomill status --data /var/lib/repomill acme/tools "+name+"=1.0").Code == 0
	})
}

// namedDeb makes a package whose file has the usual name.
func namedDeb(t testing.TB, name string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name+"_1.0_all.deb")
	body := debtest.Build(t, debtest.Spec{Name: name, Version: "1.0", Control: "gz", Data: "gz", Files: map[string]string{"usr/share/" + name + "/x": "x"}})
	if err := os.WriteFile(path, body, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func debs(t testing.TB, name string, n int) (files []string) {
	t.Helper()
	for i := range n {
		files = append(files, namedDeb(t, fmt.Sprintf("%s%d", name, i)))
	}
	return files
}

// twoReleases makes the package of repomill twice, the second newer.
func twoReleases(t *testing.T) (old, newer string) {
	t.Helper()
	dir := t.TempDir()
	out := release(t, dir, "./pipelines/repomill")
	second := filepath.Join(dir, "second")
	sh(t, filepath.Join(dir, "checkout"), "sh", "-ec", `git -c user.name=tester -c user.email=tester@example.org -c commit.gpgsign=false commit -q --allow-empty -m next
		git tag v0.1.0
		PROGRAMS=./pipelines/repomill deploy/release "$0" amd64`, second)
	return filepath.Join(out, "repomill_0.1.0~rc.1_amd64.deb"), filepath.Join(second, "repomill_0.1.0_amd64.deb")
}
