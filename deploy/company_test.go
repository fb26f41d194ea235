// Package deploy_test runs the deployment of deploy/systemd as it is written, on real protocol servers:
// Cloud Storage, Pub/Sub, MySQL (MariaDB), S3, and a CDN that checks signed URLs.
package deploy_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"repomill/pipelines/objects/s3"
	"repomill/publish/sign"
	"repomill/schemas/layout"
	"repomill/serve"
	"repomill/serve/cloudfront"
	"repomill/testdata/gcstest"
	"repomill/testdata/mysqltest"
	"repomill/testdata/porttest"
	"repomill/testdata/proctest"
	"repomill/testdata/pubsubtest"
	"repomill/testdata/s3test"
)

func TestMain(m *testing.M) {
	code := mysqltest.Main(m)
	os.RemoveAll(programsDir) //nolint:errcheck // a temporary folder
	os.Exit(code)
}

// programsDir is where programs builds.
var programsDir string

// programs builds the programs into a folder that lasts as long as the tests.
var programs = sync.OnceValues(func() (dir string, err error) {
	if dir, err = os.MkdirTemp("", "repomill-deploy-"); err != nil {
		return "", err
	}
	programsDir = dir
	for name, pkg := range map[string]string{
		"repomill": "../pipelines/repomill", "repomill-client": "../pipelines/repomill-client", "repomill-resolver": "../serve/resolver", "repomill-beam": "../pipelines/repomill-beam",
	} {
		tags := "disable_grpc_modules"
		if name == "repomill-client" {
			tags += ",grpcnotrace,nosqlite"
		}
		if err := proctest.Build(filepath.Join(dir, name), pkg, "-tags", tags); err != nil {
			return "", err
		}
	}
	return dir, nil
})

const keyPairID = "K2JCJMDEHXQW5F"

// A company has the servers of a deployment.
type company struct {
	t      testing.TB
	bin    string
	gcs    *gcstest.Server
	pubsub *pubsubtest.Server
	s3     *s3test.Server

	staging, events, catalog, bucket, public, cdn string

	signing []byte // private keys
	trusted string // file with the public ones
	urlKey  []byte

	keyGroup *keyGroup // of the CDN
	notify   string    // socket that services notify, as that of systemd
}

func newCompany(t testing.TB) *company {
	t.Helper()
	bin, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	c := &company{t: t, bin: bin, catalog: mysqltest.Start(t), gcs: gcstest.Start(t), pubsub: pubsubtest.Start(t), s3: s3test.Start(t)}
	c.gcs.Notify = func(payload []byte, attrs map[string]string) { c.pubsub.Publish(payload, attrs) }
	c.staging, c.events, c.bucket = c.gcs.URL("acme-staging"), c.pubsub.URL("repomill"), c.s3.URL("acme-packages")
	c.makeKeys()
	c.public = "http://" + porttest.Free(t)
	c.serveCDN()
	return c
}

func (c *company) makeKeys() {
	c.t.Helper()
	signer, err := sign.Generate("test signing key", sign.MinRSABits, time.Now())
	if err != nil {
		c.t.Fatal(err)
	}
	if c.signing, err = signer.Private(); err != nil {
		c.t.Fatal(err)
	}
	c.trusted = filepath.Join(c.t.TempDir(), "gpgkey")
	if err := os.WriteFile(c.trusted, signer.Public(), 0o644); err != nil {
		c.t.Fatal(err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		c.t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		c.t.Fatal(err)
	}
	c.urlKey = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// serveCDN starts what stands for CloudFront: it checks signed URLs and reads the bucket.
func (c *company) serveCDN() {
	c.t.Helper()
	bucket, err := s3.OpenBucket(c.t.Context(), c.bucket)
	if err != nil {
		c.t.Fatal(err)
	}
	key, err := cloudfront.ParseKey(c.urlKey)
	if err != nil {
		c.t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		c.t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	c.cdn = "http://localhost:" + port // another host than the resolver's
	edge, err := url.Parse(c.cdn)
	if err != nil {
		c.t.Fatal(err)
	}
	c.keyGroup = &keyGroup{edge: edge, keys: map[string]crypto.PublicKey{keyPairID: key.Public()}}
	srv := httptest.NewUnstartedServer(serve.NewEdge(serve.EdgeConfig{
		Verifier: c.keyGroup, Objects: origin{bucket}, Log: slog.New(slog.DiscardHandler), Now: time.Now,
	}))
	srv.Listener.Close()
	srv.Listener = l
	srv.Start()
	c.t.Cleanup(srv.Close)
}

// An origin lets the CDN read small objects of S3.
type origin struct{ *s3.Bucket }

// Open implements serve.Objects.
func (o origin) Open(ctx context.Context, key string) (io.ReadSeekCloser, layout.Meta, error) {
	body, meta, err := o.Get(ctx, key)
	if err != nil {
		return nil, meta, err
	}
	defer body.Close()
	all, err := io.ReadAll(io.LimitReader(body, 64<<20))
	return nopCloser{bytes.NewReader(all)}, meta, err
}

type nopCloser struct{ io.ReadSeeker }

func (nopCloser) Close() error { return nil }

// A process is a running program of this repository.
type process struct {
	*proctest.Process
	t   testing.TB
	log *proctest.Output // all that it prints
}

// start starts a command until the test ends, or it does.
func (c *company) start(name string, env, command []string) *process {
	c.t.Helper()
	log := new(proctest.Output)
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Env, cmd.Stdout, cmd.Stderr = env, log, log
	if c.notify != "" {
		cmd.Env = append(env, "NOTIFY_SOCKET="+c.notify, "WATCHDOG_USEC=300000")
	}
	c.t.Cleanup(func() {
		if c.t.Failed() {
			c.t.Logf("%s said\n%s", name, proctest.Tail(log.String()))
		}
	})
	return &process{proctest.Begin(c.t, cmd), c.t, log}
}

// stop interrupts the process and returns the exit code.
func (p *process) stop() int {
	p.t.Helper()
	p.Signal(p.t, os.Interrupt)
	return p.Wait(p.t).Code
}

// worker starts a worker as the unit has it, after its migration. Flags are added.
func (c *company) worker(flags ...string) (p *process, ops string) {
	c.t.Helper()
	u := readUnit(c.t, "repomill-worker")
	credentials := u.install(c.t, map[string][]byte{"signing-key": c.signing, "catalog-password": []byte("unused\n")})
	env := append(u.environmentOf(c.t, "worker.env.example", credentials, map[string]string{
		"REPOMILL_STAGING": c.staging, "REPOMILL_EVENTS": c.events, "REPOMILL_CATALOG": c.catalog,
		"REPOMILL_BUCKET": c.bucket, "REPOMILL_PUBLIC_URL": c.public,
	}), s3test.Env()...)
	pre := exec.Command(command(c.t, u.pre, c.bin)[0], command(c.t, u.pre, c.bin)[1:]...)
	pre.Env = env
	if out, err := pre.CombinedOutput(); err != nil {
		c.t.Fatalf("%s: %v\n%s", u.pre, err, out)
	}
	ops = porttest.Free(c.t)
	p = c.start("worker", env, append(command(c.t, u.start, c.bin), append(flags, "--ops-listen", ops)...))
	return p, ops
}

// resolver starts a resolver as the unit has it, and waits until it is ready.
func (c *company) resolver(flags ...string) *process {
	c.t.Helper()
	u := readUnit(c.t, "repomill-resolver")
	credentials := u.install(c.t, map[string][]byte{"url-key": c.urlKey})
	env := append(u.environmentOf(c.t, "resolver.env.example", credentials, map[string]string{
		"REPOMILL_BUCKET": c.bucket, "REPOMILL_PUBLIC_URL": c.public, "REPOMILL_CDN": c.cdn,
		"REPOMILL_KEY_PAIR_ID": keyPairID, "REPOMILL_LISTEN": strings.TrimPrefix(c.public, "http://"),
	}), s3test.Env()...)
	p := c.start("resolver", env, append(command(c.t, u.start, c.bin), append(flags, "--ops-listen", porttest.Free(c.t))...))
	proctest.Eventually(c.t, "the resolver is ready", func() bool {
		status, _ := c.get(c.public + "/readyz")
		return status == http.StatusOK
	})
	return p
}

// run runs repomill as an operator or CI does, with the company's URLs in the environment.
func (c *company) run(args ...string) proctest.Answer {
	c.t.Helper()
	return c.runProgram("repomill", args...)
}

func (c *company) runProgram(name string, args ...string) proctest.Answer {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), 10*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(c.bin, name), args...)
	cmd.Env = append(s3test.Env(), "PATH="+os.Getenv("PATH"), "REPOMILL_CATALOG="+c.catalog, "REPOMILL_STAGING="+c.staging,
		"REPOMILL_BUCKET="+c.bucket, "GITLAB_USER_LOGIN=release-bot", "CI_JOB_URL=https://ci.example/42")
	out, err := proctest.Finish(cmd)
	if err != nil {
		c.t.Fatal(err)
	}
	return out
}

// ok runs a command that must end well.
func (c *company) ok(args ...string) proctest.Answer {
	c.t.Helper()
	out := c.run(args...)
	if out.Code != 0 {
		c.t.Fatalf("repomill %s: %s", strings.Join(args, " "), out)
	}
	return out
}

func (c *company) get(url string) (status int, body string) {
	c.t.Helper()
	client := http.Client{Timeout: time.Minute}
	resp, err := client.Get(url)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	all, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err.Error()
	}
	return resp.StatusCode, string(all)
}

// file stores a package for a push.
func (c *company) file(name string, body []byte) string {
	c.t.Helper()
	path := filepath.Join(c.t.TempDir(), name)
	if err := os.WriteFile(path, body, 0o644); err != nil {
		c.t.Fatal(err)
	}
	return path
}
