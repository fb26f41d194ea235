package deploy_test

import (
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"repomill/testdata/debtest"
	"repomill/testdata/deploytest"
	"repomill/testdata/proctest"
	"repomill/testdata/s3test"
)

// A drill follows a runbook. Its commands run in a shell in which mysql, mysqldump, gcloud and aws lead to the servers of the test; what
// systemctl would do to the services is done to processes of the test.
type drill struct {
	*company
	t         *testing.T
	file      string // of the runbook
	dir       string // where the commands run, and what stands for /etc/repomill
	shims     string
	processes map[string]*process
	names     []string // pairs: what the runbook says, and what it is here
	env       []string // variables that it names
	ops       string   // address of the worker's metrics
}

// newDrill starts a company with a worker and a resolver, and publishes hello 1.0. What changes the company before is done first.
func newDrill(t *testing.T, name string, before ...func(*company)) *drill {
	t.Helper()
	deploytest.Slow(t)
	t.Parallel()
	deploytest.Record(t, deploytest.Row{Files: "runbooks/drill-" + name + ".md", Check: "its commands, in their order, with what they are to mend", Tool: "MariaDB, versitygw, fake-gcs-server, pstest, apt", CannotShow: "the consoles and commands of Google and Amazon"})
	c := newCompany(t)
	for _, change := range before {
		change(c)
	}
	d := &drill{company: c, t: t, file: "runbooks/drill-" + name + ".md", dir: t.TempDir(), shims: t.TempDir(), processes: map[string]*process{}}
	database, err := url.Parse(c.catalog)
	if err != nil {
		t.Fatal(err)
	}
	db := strings.TrimPrefix(database.Path, "/")
	d.names = []string{
		"/etc/repomill", d.dir, "https://packages.acme.example", c.public, "gs://acme-staging", c.staging,
		"DATABASE repomill;", "DATABASE " + db + ";", "mysql repomill", "mysql " + db, "--single-transaction repomill", "--single-transaction " + db,
	}
	d.shim("mysql", mariadb("mariadb", database))
	d.shim("mysqldump", mariadb("mariadb-dump", database))
	d.systemctl("start", "repomill-worker")
	c.ok("repo", "create", "acme/tools", "--distribution", "ubuntu/jammy", "--distribution", "el/9")
	d.systemctl("start", "repomill-resolver")
	d.push("hello", "1.0")
	d.save("gpgkey", d.read(c.trusted))
	d.save("signing-key.asc", c.signing)
	return d
}

// mariadb is a command line of a client of the database server.
func mariadb(program string, database *url.URL) string {
	options := " --user=" + database.User.Username()
	if socket := database.Query().Get("socket"); socket != "" {
		options += " --socket=" + socket
	} else {
		options += " --protocol=tcp --host=" + database.Hostname() + " --port=" + database.Port()
	}
	return "exec " + program + options + ` "$@"`
}

// shim has a name in commands of runbooks mean a script.
func (d *drill) shim(name, script string) {
	d.t.Helper()
	if err := os.WriteFile(filepath.Join(d.shims, name), []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
		d.t.Fatal(err)
	}
}

// save writes a file that a runbook names.
func (d *drill) save(name string, body []byte) string {
	d.t.Helper()
	path := filepath.Join(d.dir, name)
	if err := os.WriteFile(path, body, 0o600); err != nil {
		d.t.Fatal(err)
	}
	return path
}

func (d *drill) read(path string) []byte {
	d.t.Helper()
	body, err := os.ReadFile(path)
	if err != nil {
		d.t.Fatal(err)
	}
	return body
}

// systemctl starts, stops or restarts a service.
func (d *drill) systemctl(what, service string) {
	d.t.Helper()
	if old := d.processes[service]; old != nil && what != "start" {
		if code := old.stop(); code != 0 {
			d.t.Errorf("%s ended with %d", service, code)
		}
		delete(d.processes, service)
	}
	if what == "stop" || d.processes[service] != nil {
		return
	}
	switch service {
	case "repomill-worker":
		d.processes[service], d.ops = d.company.worker()
	case "repomill-resolver": // its unit reads the files of /etc/repomill when it starts
		var flags []string
		if key, err := os.ReadFile(filepath.Join(d.dir, "url-key.pem")); err == nil {
			d.urlKey = key
		}
		if file, err := os.ReadFile(filepath.Join(d.dir, "resolver.env")); err == nil {
			_, id, _ := strings.Cut(string(file), "REPOMILL_KEY_PAIR_ID=")
			flags = append(flags, "--key-pair-id", strings.Fields(id)[0])
		}
		d.processes[service] = d.company.resolver(flags...)
	default:
		d.t.Fatalf("the test has no service %s", service)
	}
}

// here is a command of a runbook with the names of this test.
func (d *drill) here(command string) string { return strings.NewReplacer(d.names...).Replace(command) }

// do runs a command of a runbook.
func (d *drill) do(command string) proctest.Answer {
	d.t.Helper()
	words := strings.Fields(strings.TrimPrefix(command, "sudo "))
	if words[0] == "systemctl" && len(words) > 2 && slices.Contains([]string{"start", "stop", "restart"}, words[1]) {
		for _, service := range words[2:] {
			d.systemctl(words[1], service)
		}
		return proctest.Answer{}
	}
	cmd := exec.Command("sh", "-ec", d.here(strings.TrimPrefix(command, "sudo ")))
	cmd.Dir = d.dir
	cmd.Env = append(s3test.Env(), "PATH="+d.shims+":"+d.bin+":"+os.Getenv("PATH"), "LC_ALL=C.UTF-8",
		"REPOMILL_CATALOG="+d.catalog, "REPOMILL_STAGING="+d.staging, "REPOMILL_BUCKET="+d.bucket, "REPOMILL_SIGNING_KEY=file://"+filepath.Join(d.dir, "signing-key.asc"))
	cmd.Env = append(cmd.Env, d.env...)
	out, err := proctest.Finish(cmd)
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Logf("%s\n%s", command, out)
	return out
}

// exitCode is a comment that says with which code a command ends, if not 0.
var exitCode = regexp.MustCompile(` +# exit code (\d)$`)

// follow runs all commands of sections of the runbook, which have to end as it says, and returns what each printed.
func (d *drill) follow(headings ...string) map[string]string {
	d.t.Helper()
	printed := map[string]string{}
	for _, heading := range headings {
		for _, command := range section(d.t, d.file, heading) {
			out, want := d.do(command), 0
			if m := exitCode.FindStringSubmatch(command); m != nil {
				want = int(m[1][0] - '0')
			}
			if out.Code != want {
				d.t.Fatalf("%s: %s: %s", d.file, command, out)
			}
			printed[command] = out.Said()
		}
	}
	return printed
}

// all fails unless the test follows all sections of the runbook that have commands.
func (d *drill) all(followed ...string) {
	d.t.Helper()
	if got := headings(d.t, d.file); !slices.Equal(got, followed) {
		d.t.Errorf("%s has commands in %q, and the test follows %q", d.file, got, followed)
	}
}

// push publishes a package.
func (d *drill) push(name, version string) {
	d.t.Helper()
	d.ok("push", "--wait", "--timeout", "5m", "acme/tools/ubuntu/jammy", d.deb(name, version))
}

func (d *drill) deb(name, version string) string {
	d.t.Helper()
	return d.company.file(fmt.Sprintf("%s_%s_amd64.deb", name, version), debtest.Build(d.t, debtest.Spec{Name: name, Version: version, Arch: "amd64"}))
}

// sees fails unless clients see these packages, and no others, in a sound repository.
func (d *drill) sees(packages ...string) {
	d.t.Helper()
	got := visible(d)
	slices.Sort(got)
	slices.Sort(packages)
	if !slices.Equal(got, packages) {
		d.t.Errorf("clients see %q, want %q", got, packages)
	}
	d.ok("check", d.public+"/acme/tools", "--keyring", d.trusted)
}

// logs waits until a service has logged a text.
func (d *drill) logs(service, text string) {
	d.t.Helper()
	p := d.processes[service]
	proctest.Eventually(d.t, service+" logs "+text, func() bool { return strings.Contains(p.log.String(), text) })
}

// The table of runbooks/README.md has each drill, and the tests that it names exist.
func TestTableOfDrills(t *testing.T) {
	table, err := os.ReadFile("runbooks/README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range glob(t, "runbooks/drill-*.md") {
		if !strings.Contains(string(table), "]("+filepath.Base(file)+")") {
			t.Errorf("runbooks/README.md does not list %s", file)
		}
	}
	var tests strings.Builder
	for _, file := range glob(t, "*_test.go") {
		body, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		tests.Write(body)
	}
	named := regexp.MustCompile("`(Test[A-Za-z]+)`").FindAllStringSubmatch(string(table), -1)
	if len(named) < 10 {
		t.Fatalf("the table names %d tests", len(named))
	}
	for _, m := range named {
		if !strings.Contains(tests.String(), "\nfunc "+m[1]+"(t *testing.T) {") {
			t.Errorf("runbooks/README.md names %s, which does not exist", m[1])
		}
	}
}
