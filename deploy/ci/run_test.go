package ci_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"repomill/testdata/debtest"
	"repomill/testdata/deploytest"
	"repomill/testdata/proctest"
)

// The jobs do what they are for, against the real program on loopback: with an ID token of an issuer, which the test is, a tag
// pushes what apt then installs; a reindex and a promotion run dry, say what they would do, and do it.
func TestJobs(t *testing.T) {
	deploytest.Slow(t)
	deploytest.Record(t, deploytest.Row{Files: "ci/*.yml", Check: "jobs run in a shell against repomill up: the push with an ID token of an issuer on loopback, apt installs it; reindex and promote, dry and for real; an archive with another checksum is refused",
		Tool: "gitlab-ci-local 4.75.1, apt", CannotShow: "GitLab's ID token (the test signs one with its claims), the image of the job, MySQL and KMS"})
	proctest.Need(t, "git", "curl", "tar", "sha256sum", "apt-get", "unshare")
	if os.Getuid() != 0 {
		t.Skip("only root gives the issuer a name")
	}
	issuer := newIssuer(t)
	site := newSite(t, issuer)
	archive, sum := site.archive(t)
	p := newProject(t, fmt.Sprintf(`stages: [deploy]
include:
  - local: ci/push.yml
    inputs: {server: %[1]q, audience: packages.acme.example, target: acme/testing/ubuntu/jammy, archive: %[2]q, archive_sha256: %[3]q}
  - local: ci/reindex.yml
    inputs: {targets: acme/testing, catalog: "sqlite://%[4]s/catalog.db", bucket: "file://%[4]s/bucket", signing_key: "file://%[4]s/signing-key.asc", runner: inside, archive: %[2]q, archive_sha256: %[3]q}
  - local: ci/promote.yml
    inputs: {from: acme/testing, to: acme/stable, packages: "hell*", catalog: "sqlite://%[4]s/catalog.db", runner: inside, archive: %[2]q, archive_sha256: %[3]q}
`, site.url, archive, sum, site.data))
	p.write(t, "dist/hello_1.0_amd64.deb", string(debtest.Build(t, debtest.Spec{Name: "hello", Version: "1.0", Arch: "amd64"})))
	push := func(token string) proctest.Answer {
		return p.pipelines(t, map[string]string{"CI_COMMIT_TAG": "v1.0", "REPOMILL_TOKEN": token}, "--force-shell-executor", "--no-shell-isolation", "repomill-push")
	}
	t.Run("a token of another project is refused", func(t *testing.T) {
		if a := push(issuer.token(t, map[string]any{"project_path": "evil/tools"})); a.Code == 0 || !strings.Contains(a.Said(), "no trust fits the claims") {
			t.Error(a)
		}
	})
	t.Run("a tag pushes, and apt installs", func(t *testing.T) {
		a := push(issuer.token(t, nil))
		verdicts, err := os.ReadFile(filepath.Join(p.dir, "repomill-verdicts.jsonl"))
		if a.Code != 0 || err != nil || !strings.Contains(string(verdicts), `"state":"published"`) {
			t.Fatalf("%v, %v: %s", a, err, verdicts)
		}
		site.installs(t, "acme/testing", "hello")
	})
	branch := func(job string) proctest.Answer {
		return p.pipelines(t, map[string]string{"CI_COMMIT_REF_PROTECTED": "true"}, "--force-shell-executor", "--no-shell-isolation", job)
	}
	report := func(t *testing.T, name, want string) {
		t.Helper()
		if text, err := os.ReadFile(filepath.Join(p.dir, name)); err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%s lacks %q: %v\n%s", name, want, err, text)
		}
	}
	t.Run("a reindex that changes nothing says so", func(t *testing.T) {
		if a := branch("repomill-reindex-dry-run"); a.Code != 0 {
			t.Fatal(a)
		}
		report(t, "repomill-reindex.md", "## repomill reindex acme/testing: nothing would change\n\n```\nacme/testing/ubuntu/jammy: identical: ")
		if a := branch("repomill-reindex"); a.Code != 0 || !strings.Contains(a.Stdout, "identical") {
			t.Error(a)
		}
	})
	t.Run("a promotion is listed, and made", func(t *testing.T) {
		if a := branch("repomill-promote-dry-run"); a.Code != 0 {
			t.Fatal(a)
		}
		report(t, "repomill-promote.md", "## repomill promote: packages would be copied\n\n```\n")
		report(t, "repomill-promote.md", "hello 1.0 amd64")
		if a := branch("repomill-promote"); a.Code != 0 {
			t.Fatal(a)
		}
		site.installs(t, "acme/stable", "hello")
		if a := branch("repomill-promote-dry-run"); a.Code != 0 {
			t.Fatal(a)
		}
		report(t, "repomill-promote.md", "## repomill promote: all packages are there\n")
	})
	t.Run("a job says when the catalog cannot be reached", func(t *testing.T) {
		a := p.pipelines(t, map[string]string{"CI_COMMIT_REF_PROTECTED": "true", "REPOMILL_CATALOG": "sqlite:///nowhere/catalog.db"}, "--force-shell-executor", "--no-shell-isolation", "repomill-promote-dry-run")
		if a.Code == 0 {
			t.Error(a)
		}
	})
	t.Run("an archive with another checksum is not run", func(t *testing.T) {
		a := p.pipelines(t, map[string]string{"CI_COMMIT_TAG": "v1.0", "REPOMILL_TOKEN": "x", "REPOMILL_ARCHIVE_SHA256": strings.Repeat("0", 64)}, "--force-shell-executor", "--no-shell-isolation", "repomill-push")
		if a.Code == 0 || !strings.Contains(a.Said(), "FAILED") || strings.Contains(a.Said(), "401") {
			t.Error(a)
		}
	})
}

// A site is a repomill up.
type site struct{ programs, data, url string }

// newSite starts a repomill up that trusts the issuer's tokens of one project.
func newSite(t *testing.T, i *issuer) site {
	t.Helper()
	s := site{programs: t.TempDir(), data: filepath.Join(t.TempDir(), "data")}
	for name, pkg := range map[string]string{"repomill": "repomill/pipelines/repomill", "repomill-client": "repomill/pipelines/repomill-client"} {
		if err := proctest.Build(filepath.Join(s.programs, name), pkg, "-tags", "disable_grpc_modules"); err != nil {
			t.Fatal(err)
		}
	}
	args := proctest.UpArgs(s.data, "--issuer-network", "127.0.0.0/8", "--create", "declared")
	cmd := exec.Command("unshare", append([]string{"--mount", "sh", "-ec", `mount --bind "$0" /etc/hosts; exec "$@"`, i.hosts(t), filepath.Join(s.programs, "repomill")}, args...)...)
	cmd.Env = append(os.Environ(), "SSL_CERT_FILE="+i.trusted(t))
	up, url, err := proctest.Up(cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { up.Kill() }) //nolint:errcheck // it may have ended
	s.url = url
	for _, name := range []string{"acme/testing", "acme/stable"} {
		run(t, s.data, s.programs+"/repomill", "repo", "create", name, "--data", s.data, "--distribution", "ubuntu/jammy")
	}
	run(t, s.data, s.programs+"/repomill", "trust", "add", "acme/testing", "--data", s.data, "--issuer", i.url(), "--audience", "packages.acme.example",
		"--claim", "project_path=acme/tools", "--claim", "ref_protected=true")
	return s
}

// archive serves the programs as a release has them, and returns URL and checksum.
func (s site) archive(t *testing.T) (url, sum string) {
	t.Helper()
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	w := tar.NewWriter(z)
	for _, name := range []string{"repomill", "repomill-client"} {
		body, err := os.ReadFile(filepath.Join(s.programs, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := w.WriteHeader(&tar.Header{Name: "./" + name, Mode: 0o755, Size: int64(len(body))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(body); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Write(packed.Bytes()) //nolint:errcheck // the job sees it
	}))
	t.Cleanup(server.Close)
	return server.URL + "/repomill-0.1.0-linux-amd64.tar.gz", fmt.Sprintf("%x", sha256.Sum256(packed.Bytes()))
}

// installs has apt download a package, by the lines that repomill hint prints.
func (s site) installs(t *testing.T, repository, name string) {
	t.Helper()
	resp, err := http.Get(s.url + "/" + repository + "/ubuntu/jammy.sources")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var sources bytes.Buffer
	if _, err := sources.ReadFrom(resp.Body); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s, %v: %s", resp.Status, err, &sources)
	}
	a := proctest.NewApt(t, "amd64")
	a.Source(t, "sources", sources.String())
	a.Update(t)
	found := a.Download(t, name)
	if len(found) != 1 || !regexp.MustCompile(`/`+name+`_[^/]*\.deb$`).MatchString(found[0]) {
		t.Errorf("downloaded %q", found)
	}
}
