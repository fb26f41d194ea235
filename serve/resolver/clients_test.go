package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"repomill/pipelines/command"
	"repomill/testdata/proctest"
)

// newApt returns an apt with one source and, perhaps, credentials.
func newApt(t *testing.T, source, auth string) proctest.Apt {
	t.Helper()
	a := proctest.NewApt(t, "amd64")
	key := a.Write(t, "key.asc", string(releaseKey().Public()))
	a.Source(t, "list", strings.ReplaceAll(source, "KEY", key)+"\n")
	a.Write(t, "etc/auth.conf", auth)
	return a
}

// install updates and downloads hello, and returns what was downloaded.
func install(t *testing.T, a proctest.Apt) []byte {
	t.Helper()
	a.Update(t)
	files := a.Download(t, "hello")
	if len(files) != 1 {
		t.Fatalf("downloaded %q", files)
	}
	body, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// Real apt reads a public repository, and a private one with a token, through redirects and through the resolver.
func TestApt(t *testing.T) {
	t.Parallel()
	proctest.Need(t, "apt-get")
	w := newWorld(t)
	want := map[string]string{"public": string(w.publishDeb("acme/public")), "private": string(w.publishDeb("acme/private"))}
	for _, through := range []string{"none", "metadata"} {
		r := w.start("--serve-through", through)
		host := strings.TrimPrefix(r.url, "http://")
		for _, tt := range []struct{ name, repository, url, auth string }{
			{"a public repository", "public", r.url, ""},
			{"a private one, the token as user name in auth.conf", "private", r.url, "machine http://" + host + "/acme/private login " + goodToken + " password x\n"},
			{"a private one, the token as password in auth.conf", "private", r.url, "machine http://" + host + " login token password " + goodToken + "\n"},
			{"a private one, the token in the URL", "private", "http://" + goodToken + ":@" + host, ""},
			{"a private one, the token in the path", "private", r.url + "/priv/" + goodToken, ""},
		} {
			t.Run(tt.name+", through "+through, func(t *testing.T) {
				a := newApt(t, fmt.Sprintf("deb [signed-by=KEY] %s/acme/%s/ubuntu jammy main", tt.url, tt.repository), tt.auth)
				if got := string(install(t, a)); got != want[tt.repository] {
					t.Error("what was downloaded is not what was published")
				}
			})
		}
		t.Run("a wrong token is told so, through "+through, func(t *testing.T) {
			a := newApt(t, fmt.Sprintf("deb [signed-by=KEY] %s/acme/private/ubuntu jammy main", r.url), "machine http://"+host+" login wrong password x\n")
			if res := a.Run(t, "apt-get", "update"); res.Code == 0 || !strings.Contains(res.Said(), "401") {
				t.Errorf("got %v", res)
			}
		})
		if r.stop() != command.OK || strings.Contains(r.log.String(), goodToken) {
			t.Errorf("the log has the token, or the end was not clean:\n%s", r.log)
		}
	}
	if len(w.tokens) > 0 {
		t.Errorf("apt sent %d tokens to the CDN", len(w.tokens))
	}
}

// dnf runs a dnf of its own, with one repository.
func dnf(t *testing.T, dir, repo string, args ...string) proctest.Answer {
	t.Helper()
	config := fmt.Sprintf("[main]\nreposdir=%[1]s/repos\ncachedir=%[1]s/cache\npersistdir=%[1]s/persist\nlogdir=%[1]s/log\nvarsdir=%[1]s/vars\ninstallroot=%[1]s/root\n", dir)
	for name, text := range map[string]string{"dnf.conf": config, "repos/test.repo": repo, "key.asc": string(releaseKey().Public())} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return proctest.Run(t, nil, "dnf", append([]string{"-y", "-c", dir + "/dnf.conf", "--releasever=9", "--forcearch=x86_64", "--disableplugin=*", "--enableplugin=download"}, args...)...)
}

// repoFile is dnf's configuration of a repository with a signed repomd.xml.
func repoFile(dir, url, more string) string {
	return fmt.Sprintf("[test]\nname=test\nbaseurl=%s/el/9/$basearch\ngpgkey=file://%s/key.asc\nrepo_gpgcheck=1\ngpgcheck=0\nenabled=1\nretries=1\n%s", url, dir, more)
}

func TestDnf(t *testing.T) {
	t.Parallel()
	proctest.Need(t, "dnf")
	w := newWorld(t)
	want := map[string]string{"public": string(w.publishRPM("acme/public")), "private": string(w.publishRPM("acme/private"))}
	for _, through := range []string{"none", "metadata"} {
		r := w.start("--serve-through", through)
		for _, tt := range []struct{ name, repository, more string }{
			{"a public repository", "public", ""},
			{"a private one, the token as user name", "private", "username=" + goodToken + "\npassword=x\n"},
			{"a private one, the token as password", "private", "username=token\npassword=" + goodToken + "\n"},
		} {
			t.Run(tt.name+", through "+through, func(t *testing.T) {
				dir := proctest.OpenDir(t)
				repo := repoFile(dir, r.url+"/acme/"+tt.repository, tt.more)
				if res := dnf(t, dir, repo, "makecache"); res.Code != 0 {
					t.Fatalf("dnf makecache: %v", res)
				}
				res := dnf(t, dir, repo, "download", "--destdir", dir+"/got", "hello")
				if strings.Contains(res.Said(), "No such command") {
					t.Skip("dnf-plugins-core is not installed")
				}
				body, err := os.ReadFile(dir + "/got/hello-1.0^x-1.noarch.rpm")
				if err != nil || string(body) != want[tt.repository] {
					t.Errorf("dnf download: %v, %v", err, res)
				}
			})
		}
		t.Run("a wrong token is told so, through "+through, func(t *testing.T) {
			dir := proctest.OpenDir(t)
			if res := dnf(t, dir, repoFile(dir, r.url+"/acme/private", "username=wrong\npassword=x\n"), "makecache"); res.Code == 0 || !strings.Contains(res.Said(), "401") {
				t.Errorf("got %v", res)
			}
		})
	}
	if len(w.tokens) > 0 {
		t.Errorf("dnf sent %d tokens to the CDN", len(w.tokens))
	}
}
