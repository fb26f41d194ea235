package terraform_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"

	"repomill/testdata/awstest"
	"repomill/testdata/deploytest"
	"repomill/testdata/proctest"
)

// awsRoot is a root with all modules for Amazon, as the environments have them. Certificate and DNS are left out: AWS proves
// a certificate by DNS, which the emulator does not.
const awsRoot = `
terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100, < 7"
    }
  }
}

provider "aws" {
  region            = "eu-central-1"
  s3_use_path_style = true
}

provider "aws" {
  alias             = "replica"
  region            = "eu-west-1"
  s3_use_path_style = true
}

provider "aws" {
  alias  = "us_east_1"
  region = "us-east-1"
}

locals {
  account = "000000000000"
}

module "store" {
  source              = "./modules/store"
  providers           = { aws = aws, aws.replica = aws.replica }
  account_id          = local.account
  name                = "acme-packages"
  publish_role_arn    = module.federation.role_arns.publish
  distribution_arn    = module.cdn.distribution.arn
  pool_prefixes       = ["acme/tools/ubuntu/pool/"]
  deletion_protection = false
}

module "cdn" {
  source          = "./modules/cdn"
  providers       = { aws = aws, aws.us_east_1 = aws.us_east_1 }
  name            = "repomill-pre"
  domain          = "cdn.acme.example"
  certificate_arn = "arn:aws:acm:us-east-1:${local.account}:certificate/12345678-1234-1234-1234-123456789012"
  primary         = module.store.primary
  replica         = module.store.replica
  log_bucket_arn  = module.store.logs.arn
  url_keys        = { "2026-11" = file("now.pem"), "2027-05" = file("next.pem") }
}

module "federation" {
  source           = "./modules/federation"
  account_id       = local.account
  name             = "repomill-pre"
  packages_bucket  = "acme-packages"
  replica_bucket   = "acme-packages-replica"
  logs_bucket      = "acme-packages-logs"
  distribution_arn = module.cdn.distribution.arn
  cluster          = { issuer = "https://issuer.example/packages", namespace = "repomill" }
  google_ids       = { publish = "100000000000000000001", serve = "100000000000000000002" }
}

output "distribution" { value = module.cdn.distribution.id }
output "roles" { value = module.federation.role_arns }
`

// awsWorkspace returns a workspace with awsRoot in it, whose Terraform talks with the AWS at an address.
func awsWorkspace(t *testing.T, address string) *workspace {
	t.Helper()
	w := copied(t, ".", mirrored(mirror(t, "aws")))
	if err := os.RemoveAll(filepath.Join(w.root, "environments")); err != nil {
		t.Fatal(err)
	}
	w.write("main.tf", awsRoot)
	for _, name := range []string{"now.pem", "next.pem"} {
		w.write(name, publicKey(t))
	}
	w.env = append(w.env, "AWS_ENDPOINT_URL=http://"+address, "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test", "AWS_EC2_METADATA_DISABLED=true",
		"AWS_CONFIG_FILE="+os.DevNull, "AWS_SHARED_CREDENTIALS_FILE="+os.DevNull)
	w.must("init", "-backend=false", "-no-color")
	return w
}

// resources returns the addresses of what the state has.
func (w *workspace) resources() []string {
	w.t.Helper()
	return strings.Fields(w.must("state", "list"))
}

// planned returns the resources that a plan changes, each as "address: actions".
func (w *workspace) planned() (changes []string) {
	w.t.Helper()
	w.must("plan", "-no-color", "-out=plan")
	var plan struct {
		Changes []struct {
			Address string
			Change  struct{ Actions []string }
		} `json:"resource_changes"`
	}
	if err := json.Unmarshal([]byte(w.must("show", "-json", "plan")), &plan); err != nil {
		w.t.Fatal(err)
	}
	for _, c := range plan.Changes {
		if !slices.Equal(c.Change.Actions, []string{"no-op"}) {
			changes = append(changes, c.Address+": "+strings.Join(c.Change.Actions, " "))
		}
	}
	slices.Sort(changes)
	return changes
}

// drift is what a second plan changes with the emulator alone, which answers with less than it was given.
var drift = []string{
	"module.cdn.aws_cloudfront_response_headers_policy.this: update",
}

// A gate is a proxy before the emulator. It knows the requests, and answers those that make a distribution with 403 while it
// is shut, as AWS does where the operator lacks a right.
type gate struct {
	next http.Handler
	shut atomic.Bool

	mu   sync.Mutex
	seen []string // method and path of each request that changes something
}

func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		g.mu.Lock()
		g.seen = append(g.seen, r.Method+" "+r.URL.Path)
		g.mu.Unlock()
	}
	if g.shut.Load() && r.Method == http.MethodPost && r.URL.Path == "/2020-05-31/distribution" {
		w.Header().Set("Content-Type", "text/xml")
		w.WriteHeader(http.StatusForbidden)
		io.WriteString(w, `<ErrorResponse xmlns="http://cloudfront.amazonaws.com/doc/2020-05-31/"><Error><Type>Sender</Type><Code>AccessDenied</Code>`+ //nolint:errcheck // the client sees it
			`<Message>not authorized to perform: cloudfront:CreateDistribution</Message></Error><RequestId>1</RequestId></ErrorResponse>`)
		return
	}
	g.next.ServeHTTP(w, r)
}

// first returns the place of the first request whose method and path begin so; -1 if there is none.
func (g *gate) first(prefix string) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.IndexFunc(g.seen, func(s string) bool { return strings.HasPrefix(s, prefix) })
}

// forget leaves out the requests so far.
func (g *gate) forget() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.seen = nil
}

// One apply is refused in the middle, as that of an operator who lacks a right. The next completes it.
func TestAWSApply(t *testing.T) {
	deploytest.Slow(t)
	deploytest.Record(t, deploytest.Row{
		Files: "terraform/modules/{store,cdn,federation}", Check: "apply, refused in the middle; apply again; plan; replicate; rotate the URL key; destroy", Tool: version(t) + ", hashicorp/aws, ministack",
		CannotShow: "that AWS agrees: the emulator judges no policy, no signed URL and no token",
	})
	to, err := url.Parse(awstest.Emulator(t, ""))
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{next: &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to); r.Out.Host = r.In.Host }}}
	proxy := httptest.NewServer(g)
	t.Cleanup(proxy.Close)
	w := awsWorkspace(t, proxy.Listener.Addr().String())

	const distribution = "module.cdn.aws_cloudfront_distribution.this"
	g.shut.Store(true)
	w.refused([]string{"creating CloudFront Distribution", "AccessDenied"}, "apply", "-auto-approve", "-no-color")
	half := w.resources()
	if len(half) == 0 || slices.Contains(half, distribution) || g.first("POST /2020-05-31/distribution") < 0 {
		t.Errorf("after the refusal the state has %q", half)
	}
	g.shut.Store(false)
	w.must("apply", "-auto-approve", "-no-color")
	if whole := w.resources(); len(whole) <= len(half) || !slices.Contains(whole, distribution) || !slices.Contains(whole, "module.store.aws_s3_bucket_policy.primary") {
		t.Errorf("after the second apply the state has %q", whole)
	}
	if diff := cmp.Diff(drift, w.planned()); diff != "" {
		t.Errorf("a plan after the apply (-want +got):\n%s", diff)
	}
	replicates(t, proxy.URL)
	w.rotates(g)
	w.must("destroy", "-auto-approve", "-no-color")
	if left := w.resources(); len(left) > 0 {
		t.Errorf("after destroy the state has %q", left)
	}
}

// replicates checks that a package is copied to the replica.
func replicates(t *testing.T, endpoint string) {
	t.Helper()
	in := func(region string) *s3.Client {
		return s3.New(s3.Options{Region: region, BaseEndpoint: &endpoint, UsePathStyle: true, Credentials: credentials.NewStaticCredentialsProvider("test", "test", "")})
	}
	key := aws.String("acme/tools/ubuntu/pool/jammy/main/h/hello/hello_1_all.deb")
	if _, err := in("eu-central-1").PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("acme-packages"), Key: key, Body: strings.NewReader("a package")}); err != nil {
		t.Fatal(err)
	}
	replica := in("eu-west-1")
	proctest.Eventually(t, "the package is in the replica", func() bool {
		_, err := replica.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: aws.String("acme-packages-replica"), Key: key})
		return err == nil
	})
}

// rotates replaces one of the two URL keys. The old one leaves the group before it is removed: CloudFront keeps a key that is in use.
func (w *workspace) rotates(g *gate) {
	w.t.Helper()
	g.forget()
	w.write("third.pem", publicKey(w.t))
	w.edit("main.tf", `"2026-11" = file("now.pem")`, `"2027-11" = file("third.pem")`)
	w.must("apply", "-auto-approve", "-no-color")
	made, changed, removed := g.first("POST /2020-05-31/public-key"), g.first("PUT /2020-05-31/key-group/"), g.first("DELETE /2020-05-31/public-key/")
	if made < 0 || changed < made || removed < changed {
		w.t.Errorf("a key is made, the group changed and a key removed in the order %d, %d, %d of %q", made, changed, removed, g.seen)
	}
}

// publicKey returns a new key of signed URLs in PEM.
func publicKey(t testing.TB) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}
