package soak_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"repomill/testdata/proctest"
)

// clients are real ones, which read what a web server has that is never down: an apt for each codename of each repository, also of the
// private one, and a dnf. Each has a root of its own, which it keeps, so that it has what superseded pointers named.
type clients struct {
	*soaking
	rand  *rand.Rand
	apts  []aptClient
	dnf   string // folder; empty if dnf is not installed
	repos []string
}

// An aptClient reads one codename.
type aptClient struct {
	proctest.Apt
	place string
}

// clientPause is how long the clients wait at least between two rounds: they need as much of a processor as the programs do.
const clientPause = 2 * time.Second

func newClients(t *testing.T, k *soaking) *clients {
	t.Helper()
	c := &clients{soaking: k, rand: k.source(6)}
	for _, tool := range []string{"apt-get", "apt-cache"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Logf("%s is not installed: apt does not read along", tool)
			return c
		}
	}
	for _, name := range []string{"tools/ubuntu/jammy", "tools/ubuntu/noble", "life/ubuntu/jammy", "vault/ubuntu/noble"} {
		apt := proctest.NewApt(t, "amd64", "arm64")
		repository, codename, _ := strings.Cut(name, "/ubuntu/")
		apt.Source(t, "list", fmt.Sprintf("deb [signed-by=%s] %s/acme/%s/ubuntu %s main\n", apt.Write(t, "trusted.asc", keyOf(t, k)), k.site.web, repository, codename))
		c.apts = append(c.apts, aptClient{apt, name})
	}
	if _, err := exec.LookPath("dnf"); err != nil {
		t.Log("dnf is not installed: it does not read along")
		return c
	}
	c.dnf = t.TempDir()
	c.repos = []string{"tools", "life", "vault"}
	var repos strings.Builder
	for _, name := range c.repos {
		fmt.Fprintf(&repos, "[%[1]s]\nname=%[1]s\nbaseurl=%[2]s/acme/%[1]s/el/9/x86_64\ngpgcheck=0\nrepo_gpgcheck=0\nmetadata_expire=1\nretries=1\n", name, k.site.web)
	}
	conf := fmt.Sprintf("[main]\nreposdir=%[1]s/repos\ncachedir=%[1]s/cache\npersistdir=%[1]s/persist\nlogdir=%[1]s/log\nvarsdir=%[1]s/vars\ninstallroot=%[1]s/root\n", c.dnf)
	for file, text := range map[string]string{"repos/all.repo": repos.String(), "dnf.conf": conf} {
		path := filepath.Join(c.dnf, file)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

func keyOf(t *testing.T, k *soaking) string {
	t.Helper()
	key, err := os.ReadFile(k.site.keyring)
	if err != nil {
		t.Fatal(err)
	}
	return string(key)
}

// run has one client after the other read, until ctx ends.
func (c *clients) run(ctx context.Context) error {
	for n := 0; ctx.Err() == nil; n++ {
		pause(ctx, clientPause)
		if ctx.Err() != nil {
			break
		}
		var err error
		if i := n % (len(c.apts) + len(c.repos) + 1); i < len(c.apts) {
			err = c.readApt(c.apts[i])
		} else if i < len(c.apts)+len(c.repos) {
			err = c.readDnf(c.repos[i-len(c.apts)])
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// readApt updates, and downloads a package that apt knows then.
func (c *clients) readApt(a aptClient) error {
	if c.empty(a.place) {
		return nil
	}
	update, err := finish(a.Env(), "apt-get", "update")
	if err != nil {
		return err
	}
	c.clientReads.Add(1)
	if update.Code != 0 || len(proctest.AptComplaints(update)) > 0 {
		c.judge.violated("apt", "%s: apt-get update: %v", a.place, update)
		return nil
	}
	names, err := finish(a.Env(), "apt-cache", "dumpavail")
	if err != nil {
		return err
	}
	var all []string
	for line := range strings.Lines(names.Stdout) {
		if name, ok := strings.CutPrefix(line, "Package: "); ok {
			all = append(all, strings.TrimSpace(name))
		}
	}
	if len(all) == 0 {
		return nil
	}
	name := all[c.rand.IntN(len(all))]
	got, err := finishIn(a.Dir, a.Env(), "apt-get", "download", name)
	if err != nil {
		return err
	}
	c.clientFiles.Add(1)
	if got.Code != 0 {
		c.judge.violated("apt", "%s: apt-get download %s: %v", a.place, name, got)
	}
	return nil
}

// empty reports whether clients may find nothing in a place: nothing was published there yet.
func (c *clients) empty(place string) bool {
	_, err := read(context.Background(), c.site.tree, "acme/"+strings.Replace(place, "ubuntu/", "ubuntu/dists/", 1)+"/InRelease")
	return c.site.absent(err)
}

// readDnf refreshes, and downloads a package that dnf knows then.
func (c *clients) readDnf(repo string) error {
	if _, err := read(context.Background(), c.site.tree, "acme/"+repo+"/el/9/x86_64/repodata/repomd.xml"); c.site.absent(err) {
		return nil // nothing was published there yet
	}
	list, err := c.runDnf("--quiet", "--refresh", "--disablerepo=*", "--enablerepo="+repo, "repoquery", "--all")
	if err != nil {
		return err
	}
	c.clientReads.Add(1)
	if list.Code != 0 {
		c.judge.violated("dnf", "%s: dnf repoquery: %v", repo, list)
		return nil
	}
	all := strings.Fields(list.Stdout)
	if len(all) == 0 {
		return nil
	}
	name := all[c.rand.IntN(len(all))]
	got, err := c.runDnf("--disablerepo=*", "--enablerepo="+repo, "--cacheonly", "repoquery", "--location", name)
	if err != nil {
		return err
	}
	for _, url := range strings.Fields(got.Stdout) {
		if !strings.HasPrefix(url, c.site.web) {
			continue
		}
		c.clientFiles.Add(1)
		if body, err := read(context.Background(), c.site.tree, strings.TrimPrefix(url, c.site.web+"/")); err != nil || len(body) == 0 {
			c.judge.violated("dnf", "%s: %s is listed, and cannot be read: %v", repo, url, err)
		}
	}
	return nil
}

func (c *clients) runDnf(args ...string) (proctest.Answer, error) {
	return finish(nil, "dnf", append([]string{"-y", "-c", c.dnf + "/dnf.conf", "--releasever=9", "--forcearch=x86_64", "--disableplugin=*"}, args...)...)
}

func finish(env []string, name string, args ...string) (proctest.Answer, error) {
	return finishIn("", env, name, args...)
}

// finishIn runs a client to its end.
func finishIn(dir string, env []string, name string, args ...string) (proctest.Answer, error) {
	ctx, cancel := context.WithTimeout(context.Background(), maxCommand)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env, cmd.Dir = append(os.Environ(), env...), dir
	return proctest.Finish(cmd)
}
