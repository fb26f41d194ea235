package helm_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"repomill/testdata/deploytest"
	"repomill/testdata/porttest"
	"repomill/testdata/proctest"
)

// kubernetes is the version of the control plane: that of kube/go.mod.
const kubernetes = "v1.36.3"

// A control is a control plane of Kubernetes: API server, etcd, controllers and scheduler, and kwok, which plays nodes. Pods become
// ready without running anything, and those of jobs complete.
type control struct {
	t      testing.TB
	dir    string
	config string // for kubectl and helm
}

// startControl starts a control plane that ends with the test.
func startControl(t testing.TB) *control {
	t.Helper()
	for _, name := range []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok", "kubectl"} {
		deploytest.Tool(t, name)
	}
	c := &control{t: t, dir: t.TempDir()}
	key := c.accountKey()
	tokens := c.write("tokens", "admin,admin,admin,system:masters\n")
	etcd, server := "http://"+porttest.Free(t), porttest.Free(t)
	c.config = c.write("config", fmt.Sprintf(`{apiVersion: v1, kind: Config, current-context: c, contexts: [{name: c, context: {cluster: c, user: u}}],
clusters: [{name: c, cluster: {server: "https://%s", insecure-skip-tls-verify: true}}], users: [{name: u, user: {token: admin}}]}`, server))

	c.begin("etcd", "--data-dir="+filepath.Join(c.dir, "etcd"), "--unsafe-no-fsync", "--log-level=error",
		"--listen-client-urls="+etcd, "--advertise-client-urls="+etcd, "--listen-peer-urls=http://"+porttest.Free(t))
	c.begin("kube-apiserver", "--etcd-servers="+etcd, "--bind-address=127.0.0.1", "--secure-port="+port(server), "--cert-dir="+filepath.Join(c.dir, "cert"),
		"--service-cluster-ip-range=10.0.0.0/24", "--service-account-issuer=https://kubernetes.default.svc", "--service-account-key-file="+key,
		"--service-account-signing-key-file="+key, "--token-auth-file="+tokens, "--authorization-mode=RBAC")
	proctest.Eventually(t, "the API server is ready", func() bool { return c.kubectl("get", "--raw=/readyz").Code == 0 })
	for name, more := range map[string]string{"kube-controller-manager": "--service-account-private-key-file=" + key, "kube-scheduler": "-v=0"} {
		c.begin(name, "--kubeconfig="+c.config, "--authentication-kubeconfig="+c.config, "--authorization-kubeconfig="+c.config,
			"--leader-elect=false", "--bind-address=127.0.0.1", "--secure-port="+port(porttest.Free(t)), "--cert-dir="+filepath.Join(c.dir, name), more)
	}
	c.nodes()
	return c
}

// nodes starts what plays the nodes, of two zones.
func (c *control) nodes() {
	c.t.Helper()
	stages := filepath.Join(deploytest.Root(c.t), "bin", "verify", "crds", "kwok")
	args := []string{"--kubeconfig=" + c.config, "--manage-all-nodes=true", "--server-address=" + porttest.Free(c.t), "--node-lease-duration-seconds=40"}
	for _, stage := range []string{"node/fast/node-initialize.yaml", "node/heartbeat-with-lease/node-heartbeat-with-lease.yaml",
		"pod/fast/pod-ready.yaml", "pod/fast/pod-complete.yaml", "pod/fast/pod-delete.yaml"} {
		args = append(args, "--config="+filepath.Join(stages, stage))
	}
	c.begin("kwok", args...)
	for i, zone := range []string{"a", "b"} {
		c.apply(fmt.Sprintf(`{apiVersion: v1, kind: Node, metadata: {name: node-%d, labels: {kubernetes.io/os: linux, kubernetes.io/hostname: node-%d,
topology.kubernetes.io/zone: %s}}, status: {allocatable: &c {cpu: "64", memory: 256Gi, pods: "110", ephemeral-storage: 1Ti}, capacity: *c}}`, i, i, zone))
	}
}

// namespace makes a namespace that refuses pods which the restricted level of pod security does not allow.
func (c *control) namespace(name string) {
	c.t.Helper()
	c.apply(fmt.Sprintf(`{apiVersion: v1, kind: Namespace, metadata: {name: %s, labels: {pod-security.kubernetes.io/warn: restricted,
pod-security.kubernetes.io/enforce: restricted}}}`, name))
}

// definitions adds the kinds of other projects that the chart has objects of.
func (c *control) definitions(paths ...string) {
	c.t.Helper()
	for _, path := range paths {
		if out := c.kubectl("apply", "--server-side", "-f", path); out.Code != 0 {
			c.t.Fatal(out)
		}
	}
}

func (c *control) apply(text string) {
	c.t.Helper()
	if out := c.kubectl("apply", "-f", c.write("object.yaml", text)); out.Code != 0 {
		c.t.Fatal(out)
	}
}

func (c *control) kubectl(args ...string) proctest.Answer {
	c.t.Helper()
	return proctest.Run(c.t, c.env(), deploytest.Tool(c.t, "kubectl"), args...)
}

func (c *control) helm(helm string, args ...string) proctest.Answer {
	c.t.Helper()
	return proctest.Run(c.t, c.env(), deploytest.Tool(c.t, helm), args...)
}

func (c *control) env() []string {
	return []string{"KUBECONFIG=" + c.config, "HELM_CACHE_HOME=" + c.dir, "HELM_CONFIG_HOME=" + c.dir, "HELM_DATA_HOME=" + c.dir, "KUBECACHEDIR=" + filepath.Join(c.dir, "cache")}
}

// begin starts a program, and shows the end of its log if the test fails.
func (c *control) begin(name string, args ...string) {
	c.t.Helper()
	log := new(proctest.Output)
	cmd := exec.Command(deploytest.Tool(c.t, name), args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = c.dir, log, log
	c.t.Cleanup(func() {
		if c.t.Failed() {
			c.t.Logf("%s said\n%.3000s", name, proctest.Tail(log.String()))
		}
	})
	proctest.Begin(c.t, cmd)
}

func (c *control) write(name, text string) (path string) {
	c.t.Helper()
	path = filepath.Join(c.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		c.t.Fatal(err)
	}
	return path
}

// accountKey makes the key that signs tokens of accounts.
func (c *control) accountKey() (path string) {
	c.t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		c.t.Fatal(err)
	}
	return c.write("key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})))
}

func port(address string) string {
	_, port, _ := net.SplitHostPort(address) //nolint:errcheck // porttest made it
	return port
}
