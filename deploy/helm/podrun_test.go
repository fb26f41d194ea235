package helm_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"repomill/testdata/porttest"
	"repomill/testdata/proctest"
)

// A namespace runs the commands of pods on loopback. Of a pod it changes paths, which lie below a temporary folder, and addresses, which are
// free ones.
type namespace struct {
	t       testing.TB
	bin     string // has the programs
	objects []manifest
	secrets map[string]map[string]string
	at      map[string]string // address of a component, by the name of the port
}

// values writes those of a release whose services are on loopback.
func (s *services) values(t testing.TB) (path string) {
	t.Helper()
	image := map[string]string{"repository": "acme.example/repomill", "tag": "v1"}
	catalog := func(secret string) map[string]any {
		return map[string]any{"url": s.catalog, "passwordSecret": map[string]string{"name": secret}}
	}
	body, err := json.Marshal(map[string]any{
		"environment": "pre", "image": image, "resolverImage": map[string]string{"repository": "acme.example/repomill-resolver", "tag": "v1"},
		"publicURL": s.public, "cdnURL": s.cdn, "staging": s.staging, "events": s.events, "bucket": s.bucket,
		"catalog": map[string]any{"worker": catalog("catalog"), "api": catalog("catalog-api"), "stats": catalog("catalog-stats")},
		"signing": map[string]any{"secret": map[string]string{"name": "signing"}},
		"urlKey":  map[string]any{"keyPairID": keyPairID, "secret": map[string]string{"name": "url-key"}},
		"gateway": map[string]any{"enabled": true, "hostnames": []string{"packages.acme.example"}, "className": "any", "tlsSecret": "tls"},
		"aws":     map[string]any{"region": "eu-central-1", "roles": map[string]string{"publish": role("publish"), "serve": role("serve"), "verify": role("verify"), "stats": role("stats")}},
		"env":     map[string]string{"AWS_ENDPOINT_URL_STS": s.tokens.url},
		"audit":   map[string]any{"enabled": true, "keyring": map[string]string{"configMap": "keyring"}},
		"stats":   map[string]any{"enabled": true, "logs": []string{s.logs}},
		"toolbox": map[string]any{"image": map[string]string{"repository": "mysql", "tag": "8.4"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(t.TempDir(), "values.yaml")
	if err := os.WriteFile(path, body, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func role(purpose string) string { return "arn:aws:iam::123456789012:role/repomill-" + purpose }

// command returns the program of an object's pod, with its volumes in a folder. Arguments replace the pod's.
func (n *namespace) command(kind, name string, args ...string) *exec.Cmd {
	n.t.Helper()
	p, _, ok := find(n.t, n.objects, kind, name).pod()
	if !ok {
		n.t.Fatalf("%s %s has no pod", kind, name)
	}
	c, root := p.Containers[0], n.t.TempDir()
	n.mount(p, root)
	var paths []string
	for _, m := range c.Mounts {
		paths = append(paths, m.Path, filepath.Join(root, m.Name))
	}
	inFolder := strings.NewReplacer(paths...)
	if len(args) == 0 {
		args = c.Args
	}
	for i := range args {
		args[i] = inFolder.Replace(args[i])
	}
	program := strings.TrimPrefix(strings.Split(c.Image, ":")[0], "acme.example/")
	cmd := exec.Command(filepath.Join(n.bin, program), args...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "TMPDIR=" + filepath.Join(root, "tmp")}
	for _, e := range c.Env {
		value := inFolder.Replace(e.Value)
		for _, p := range c.Ports {
			if value == fmt.Sprintf(":%d", p.Number) {
				value = n.address(c.Name, p.Name)
			}
		}
		if e.Name == "REPOMILL_CACHE_SIZE" {
			value = "67108864" // the machine's disk is not a node's
		}
		cmd.Env = append(cmd.Env, e.Name+"="+value)
	}
	return cmd
}

// address is where a component listens.
func (n *namespace) address(component, port string) string {
	n.t.Helper()
	key := component + " " + port
	if n.at[key] == "" {
		n.at[key] = porttest.Free(n.t)
	}
	return n.at[key]
}

// mount makes the volumes of a pod: files of Secrets, and empty folders.
func (n *namespace) mount(p pod, root string) {
	n.t.Helper()
	for _, v := range p.Volumes {
		dir := filepath.Join(root, v["name"].(string))
		if err := os.MkdirAll(dir, 0o700); err != nil {
			n.t.Fatal(err)
		}
		if path, ok := at(v, "projected", "sources", 0, "serviceAccountToken", "path").(string); ok {
			token := fmt.Sprintf("token-of-%s-for-%v", p.Account, at(v, "projected", "sources", 0, "serviceAccountToken", "audience"))
			if err := os.WriteFile(filepath.Join(dir, path), []byte(token), 0o440); err != nil {
				n.t.Fatal(err)
			}
		}
		source, name := at(v, "secret"), at(v, "secret", "secretName")
		if source == nil {
			source, name = at(v, "configMap"), at(v, "configMap", "name")
		}
		items, _ := at(source, "items").([]any)
		for _, item := range items {
			name, key := name.(string), at(item, "key").(string)
			content, ok := n.secrets[name][key]
			if !ok {
				n.t.Fatalf("a pod wants the key %s of %s", key, name)
			}
			if err := os.WriteFile(filepath.Join(dir, at(item, "path").(string)), []byte(content), 0o440); err != nil {
				n.t.Fatal(err)
			}
		}
	}
}

// start starts the program of a Deployment, and waits until its probes succeed.
func (n *namespace) start(component string) *proctest.Process {
	n.t.Helper()
	name := release + "-repomill-" + component
	log := new(proctest.Output)
	cmd := n.command("Deployment", name)
	cmd.Stdout, cmd.Stderr = log, log
	n.t.Cleanup(func() {
		if n.t.Failed() {
			n.t.Logf("%s said\n%s", component, proctest.Tail(log.String()))
		}
	})
	p := proctest.Begin(n.t, cmd)
	made, _, _ := find(n.t, n.objects, "Deployment", name).pod()
	c := made.Containers[0]
	for _, probe := range []probe{c.Liveness, c.Readiness} {
		proctest.Eventually(n.t, component+" answers "+probe.HTTPGet.Path, func() bool {
			resp, err := http.Get("http://" + n.address(component, probe.HTTPGet.Port) + probe.HTTPGet.Path)
			if err != nil {
				return false
			}
			resp.Body.Close()
			return resp.StatusCode == http.StatusOK
		})
	}
	return p
}

// run runs a pod to its end.
func (n *namespace) run(kind, name string, args ...string) proctest.Answer {
	n.t.Helper()
	a, err := proctest.Finish(n.command(kind, name, args...))
	if err != nil {
		n.t.Fatal(err)
	}
	return a
}

// gateway serves an address as the HTTPRoute of the chart says: the longest path that matches, and a method before none.
func (n *namespace) gateway(address string, objects []manifest) {
	n.t.Helper()
	rules := at(find(n.t, objects, "HTTPRoute", release+"-repomill-route").raw, "spec", "rules").([]any)
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		best, backend := -1, ""
		for _, rule := range rules {
			for _, match := range at(rule, "matches").([]any) {
				if weight := weightOf(match, r); weight > best {
					best, backend = weight, at(rule, "backendRefs", 0, "name").(string)
				}
			}
		}
		component := strings.TrimPrefix(backend, release+"-repomill-")
		httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: n.address(component, "http")}).ServeHTTP(w, r)
	})
	srv := &http.Server{Addr: address, Handler: handler, ReadHeaderTimeout: time.Minute}
	go srv.ListenAndServe() //nolint:errcheck // it ends with the test
	n.t.Cleanup(func() { srv.Close() })
}

// weightOf is -1 if a match of a route is not about a request.
func weightOf(match any, r *http.Request) int {
	value := at(match, "path", "value").(string)
	if method, ok := at(match, "method").(string); ok && method != r.Method {
		return -1
	}
	switch at(match, "path", "type") {
	case "RegularExpression":
		if regexp.MustCompile("^(?:" + value + ")$").MatchString(r.URL.Path) {
			return 1 << 10
		}
	case "PathPrefix":
		if slices.Equal(strings.Split(strings.TrimSuffix(value, "/"), "/"), head(strings.Split(r.URL.Path, "/"), strings.Count(strings.TrimSuffix(value, "/"), "/")+1)) {
			return len(value)
		}
	}
	return -1
}

func head(all []string, n int) []string { return all[:min(n, len(all))] }
