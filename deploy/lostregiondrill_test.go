package deploy_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"repomill/testdata/proctest"
	"repomill/testdata/rpmtest"
)

// The region of the bucket is lost while the replica is half way behind. Clients are served from the replica, and then from the
// primary again.
func TestDrillLoseTheRegion(t *testing.T) {
	t.Parallel()
	d := newLostRegion(t)
	d.ok("repo", "create", "acme/tools", "--distribution", "ubuntu/jammy", "--distribution", "el/9")
	d.systemctl("repomill-resolver")
	const jammy = "acme/tools/ubuntu/jammy"
	d.push(jammy, "hello", "--wait", "--timeout", "5m")
	d.ok("push", "--wait", "--timeout", "5m", "acme/tools/el/9", d.file("noarch.rpm", rpmtest.Build(t, rpmtest.Spec{Arch: "noarch"})))
	d.settle("acme/tools")
	d.replicate(false, "", func(string) bool { return true })
	check := d.section("The region is back")[0]
	if out := d.ends(check, 0); !strings.HasSuffix(out.Stdout, "; up to date with the primary\n") {
		t.Errorf("all is replicated: %s", out)
	}
	d.push(jammy, "second", "--wait", "--timeout", "5m")
	d.installs("hello", "second")
	if out := d.ends(check, 0); !strings.Contains(out.Stdout, jammy+": whole, revision 2, behind the primary") || !strings.Contains(out.Stdout, "; lag ") {
		t.Errorf("nothing of the second publish is replicated: %s", out)
	}
	d.replicate(false, "/main/binary-", func(string) bool { return true }) // InRelease comes before what it names
	heal := d.lose()
	serve := d.section("Serve from the replica")
	out := d.ends(serve[0], 1)
	if !strings.Contains(out.Stdout, jammy+": damaged, revision 3") || !strings.Contains(out.Stdout, "lag unknown") {
		t.Errorf("the pointer was replicated first: %s", out)
	}
	heal() // of the copier
	d.replicate(true, "", func(key string) bool { return !strings.HasSuffix(key, ".json") })
	heal = d.lose()
	d.push(jammy, "waiting")
	before := d.state()
	for _, command := range serve {
		d.ends(command, 0)
	}
	d.installs("hello", "second")
	if diff := cmp.Diff(before, d.state()); diff != "" {
		t.Errorf("the replica was written to (-before +now):\n%s", diff)
	}

	heal()
	proctest.Eventually(t, "workers go on", func() bool { return d.run("status", "acme/tools", "waiting=1.0").Code == 0 })
	d.replicate(false, "", func(string) bool { return true })
	d.follow("The region is back")
	d.installs("hello", "second", "waiting")
}

// The region does not come back. The replica becomes the primary: revoked tokens stay revoked, and the package that was not replicated
// is copied from staging.
func TestDrillLoseTheRegionForGood(t *testing.T) {
	t.Parallel()
	d := newLostRegion(t)
	d.ok("repo", "create", "acme/tools", "--distribution", "ubuntu/jammy")
	d.ok("repo", "create", "acme/secret", "--visibility", "private", "--distribution", "ubuntu/jammy")
	d.systemctl("repomill-resolver")
	leaked := strings.TrimSpace(d.ok("token", "create", "acme/secret", "leaked").Stdout)
	kept := strings.TrimSpace(d.ok("token", "create", "acme/secret", "kept").Stdout)
	d.push("acme/tools/ubuntu/jammy", "hello", "--wait", "--timeout", "5m")
	d.push("acme/secret/ubuntu/jammy", "hush", "--wait", "--timeout", "5m")
	opens := func(token string) bool {
		status, _ := d.get(strings.Replace(d.public, "http://", "http://"+token+":@", 1) + "/acme/secret/ubuntu/dists/jammy/InRelease")
		return status == http.StatusOK
	}
	proctest.Eventually(t, "the tokens open", func() bool { return opens(leaked) && opens(kept) })
	d.settle("acme/tools", "acme/secret")
	d.replicate(false, "", func(string) bool { return true })

	d.ok("token", "revoke", "acme/secret", "leaked")
	d.push("acme/tools/ubuntu/jammy", "newest", "--wait", "--timeout", "5m")
	d.replicate(false, "/binary-arm64/", func(key string) bool { return strings.Contains(key, "by-hash") }) // half of the indexes, and no package
	d.lose()
	if out := d.shell("repomill log --since 2h"); out.Code != 0 || !strings.Contains(out.Stdout, "leaked") {
		t.Errorf("the log does not say which token was revoked: %s", out)
	}
	d.bucketOf["repomill-resolver"] = inReplica
	d.systemctl("repomill-resolver")
	d.lead(inReplica)
	if !opens(leaked) {
		t.Error("a token that was revoked within the lag does not open the replica: the runbook warns of it")
	}
	for _, command := range d.section("Make the replica the primary") {
		if !strings.HasPrefix(command, "repomill check ") {
			d.ends(command, 0)
			continue
		}
		proctest.Until(t, "the workers have published what the catalog has", func() proctest.Answer { return d.do(command) }, func(out proctest.Answer) bool {
			return strings.Contains(out.Stdout, "newest_1.0_amd64.deb: is missing") && strings.Count(out.Stdout, "is missing") == 1 && strings.Contains(out.Stdout, "settings of 0 of 3")
		})
		d.follow("Copy a missing package from staging")
	}
	d.installs("hello", "newest")
	if opens(leaked) || !opens(kept) {
		t.Error("a revoked token opens the replica, or the other one does not")
	}
	d.company.bucket = d.replica
	d.push("acme/tools/ubuntu/jammy", "after", "--wait", "--timeout", "5m")
	d.installs("hello", "newest", "after")
}
