package deploy_test

import (
	"context"
	"crypto"
	"io"
	"log/slog"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"repomill/pipelines/objects/s3"
	"repomill/schemas/layout"
	"repomill/serve"
	"repomill/serve/cloudfront"
	"repomill/testdata/debtest"
	"repomill/testdata/deploytest"
	"repomill/testdata/proctest"
	"repomill/testdata/s3test"
)

const (
	regionRunbook = "runbooks/drill-lose-the-region.md"
	inPrimary     = "s3://acme-packages?region=eu-central-1"
	inReplica     = "s3://acme-packages-replica?region=eu-west-1"
)

// A lostRegion is a company with a replica of its bucket on another server, and a copier in the place of S3's replication.
type lostRegion struct {
	*company
	t        *testing.T
	far      *s3test.Server // of the replica
	replica  string
	origin   atomic.Pointer[s3.Bucket] // of the CDN's pointers
	bucketOf map[string]string         // of a service, in the words of the runbook
	running  map[string]*process
}

func newLostRegion(t *testing.T) *lostRegion {
	t.Helper()
	deploytest.Record(t, deploytest.Row{Files: regionRunbook, Check: "its commands, in their order, after a region is lost", Tool: "MariaDB, versitygw, fake-gcs-server, pstest, apt",
		CannotShow: "S3's replication and CloudFront: a copier and a test CDN are in their place; commands of Google, Amazon and Terraform"})
	deploytest.Slow(t)
	c := newCompany(t)
	d := &lostRegion{company: c, t: t, far: s3test.Start(t), running: map[string]*process{},
		bucketOf: map[string]string{"repomill-worker": inPrimary, "repomill-resolver": inPrimary}}
	d.replica = d.far.URL("acme-packages-replica")
	d.lead(inPrimary)
	d.switchedCDN()
	d.systemctl("repomill-worker")
	return d
}

// switchedCDN replaces the company's CDN by one whose origin can be changed.
func (d *lostRegion) switchedCDN() {
	d.t.Helper()
	key, err := cloudfront.ParseKey(d.urlKey)
	if err != nil {
		d.t.Fatal(err)
	}
	srv := httptest.NewUnstartedServer(nil)
	d.cdn = "http://" + strings.Replace(srv.Listener.Addr().String(), "127.0.0.1", "localhost", 1) // another host than the resolver's
	edge, err := url.Parse(d.cdn)
	if err != nil {
		d.t.Fatal(err)
	}
	srv.Config.Handler = serve.NewEdge(serve.EdgeConfig{
		Verifier: cloudfront.NewVerifier(edge, map[string]crypto.PublicKey{keyPairID: key.Public()}),
		Objects:  d, Log: slog.New(slog.DiscardHandler), Now: time.Now,
	})
	srv.Start()
	d.t.Cleanup(srv.Close)
}

// Open implements [serve.Objects].
func (d *lostRegion) Open(ctx context.Context, key string) (io.ReadSeekCloser, layout.Meta, error) {
	return origin{d.origin.Load()}.Open(ctx, key)
}

// here returns the URL of a bucket of the runbook.
func (d *lostRegion) here(bucket string) string {
	if bucket == inReplica {
		return d.replica
	}
	return d.company.bucket
}

// lead leads the CDN to a bucket.
func (d *lostRegion) lead(bucket string) {
	d.t.Helper()
	b, err := s3.OpenBucket(context.WithoutCancel(d.t.Context()), d.here(bucket))
	if err != nil {
		d.t.Fatal(err)
	}
	d.origin.Store(b)
}

// systemctl restarts a service.
func (d *lostRegion) systemctl(service string) {
	d.t.Helper()
	if old := d.running[service]; old != nil {
		if code := old.stop(); code != 0 {
			d.t.Errorf("%s ended with %d", service, code)
		}
	}
	at := d.here(d.bucketOf[service])
	if service == "repomill-worker" {
		d.running[service], _ = d.worker("--bucket", at)
		return
	}
	d.running[service] = d.resolver("--bucket", at)
}

// section returns the commands below a heading of the runbook.
func (d *lostRegion) section(heading string) (commands []string) {
	d.t.Helper()
	text, err := os.ReadFile(regionRunbook)
	if err != nil {
		d.t.Fatal(err)
	}
	_, after, ok := strings.Cut(string(text), "\n## "+heading+"\n")
	if !ok {
		d.t.Fatalf("%s has no section %s", regionRunbook, heading)
	}
	after, _, _ = strings.Cut(after, "\n## ")
	for line := range strings.Lines(after) {
		if command, ok := strings.CutPrefix(line, "    "); ok {
			commands = append(commands, strings.TrimSpace(command))
		}
	}
	return commands
}

// do does what a command of the runbook says.
func (d *lostRegion) do(command string) proctest.Answer {
	d.t.Helper()
	words := strings.Fields(strings.TrimPrefix(command, "sudo "))
	switch {
	case strings.HasPrefix(command, "sudo sed -i "):
		_, to, _ := strings.Cut(command, "REPOMILL_BUCKET=.*|REPOMILL_BUCKET=")
		to, _, _ = strings.Cut(to, "|'")
		for service := range d.bucketOf {
			if strings.Contains(command, "/etc/repomill/"+strings.TrimPrefix(service, "repomill-")+".env") {
				d.bucketOf[service] = to
			}
		}
	case slices.Equal(words[:2], []string{"systemctl", "restart"}):
		d.systemctl(words[2])
	case words[0] == "terraform":
		if !slices.Contains(words, "-refresh=false") || !slices.Contains(words, "-target=module.federation") {
			d.t.Errorf("%s asks the lost region", command)
		}
		// Without pointers_from, it changes roles only, which the servers of the test do not have.
		if to := map[string]string{"pointers_from=primary": inPrimary, "pointers_from=replica": inReplica}[words[len(words)-1]]; to != "" {
			d.lead(to)
		}
	case words[0] == "repomill":
		return d.shell(command)
	case words[0] == "gcloud":
		_, name, _ := strings.Cut(strings.Trim(words[3], "'"), "*")
		if err := os.WriteFile(filepath.Join(d.folder(), strings.TrimPrefix(words[4], ">")), d.staged(name), 0o644); err != nil {
			d.t.Fatal(err)
		}
	case words[0] == "aws":
		body, err := os.ReadFile(filepath.Join(d.folder(), words[3]))
		if err != nil {
			d.t.Fatal(err)
		}
		d.put(strings.TrimPrefix(words[4], "s3://acme-packages-replica/"), body)
	default:
		d.t.Fatalf("the test does not know how to do %q", command)
	}
	return proctest.Answer{}
}

// folder is where commands run.
func (d *lostRegion) folder() string { return filepath.Dir(d.trusted) }

// shell runs a command of repomill with the buckets and URLs of the test.
func (d *lostRegion) shell(command string) proctest.Answer {
	d.t.Helper()
	here := strings.NewReplacer(inPrimary, d.company.bucket, inReplica, d.replica, "https://packages.acme.example", d.public, "gpg.key", d.trusted).Replace(command)
	ctx, cancel := context.WithTimeout(d.t.Context(), 10*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-ec", here)
	cmd.Dir = d.folder()
	cmd.Env = append(s3test.Env(), "PATH="+d.bin+":"+os.Getenv("PATH"), "REPOMILL_CATALOG="+d.catalog, "REPOMILL_STAGING="+d.staging, "REPOMILL_BUCKET="+d.company.bucket)
	out, err := proctest.Finish(cmd)
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Logf("%s\n%s", command, out)
	return out
}

// follow does what a section says; every command has to succeed.
func (d *lostRegion) follow(heading string) {
	d.t.Helper()
	for _, command := range d.section(heading) {
		d.ends(command, 0)
	}
}

// ends does what a command says, and fails unless it ends with a code.
func (d *lostRegion) ends(command string, code int) proctest.Answer {
	d.t.Helper()
	out := d.do(command)
	if out.Code != code {
		d.t.Fatalf("%s: want exit code %d: %s", command, code, out)
	}
	return out
}

// push publishes a package, or only stages it.
func (d *lostRegion) push(target, name string, flags ...string) {
	d.t.Helper()
	file := d.file(name+"_1.0_amd64.deb", debtest.Build(d.t, debtest.Spec{Name: name, Version: "1.0", Arch: "amd64"}))
	d.ok(append(append([]string{"push"}, flags...), target, file)...)
}

// installs fails unless a new client can download each of some packages.
func (d *lostRegion) installs(names ...string) {
	d.t.Helper()
	a := newApt(d.t, d.company)
	a.Update(d.t)
	for _, name := range names {
		found := a.Download(d.t, name) // and what was downloaded before
		if !slices.ContainsFunc(found, func(path string) bool { return strings.HasPrefix(filepath.Base(path), name+"_") }) {
			d.t.Errorf("apt downloads %q, and not %s", found, name)
		}
	}
}
