package main

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

// newRegistry serves an empty registry that wants a password, and returns its address.
func newRegistry(t *testing.T, listsReferrers bool) string {
	t.Helper()
	r := registry.New(registry.Logger(log.New(io.Discard, "", 0)), registry.WithReferrersSupport(listsReferrers))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if user, password, _ := req.BasicAuth(); user != "ci" || password != "secret" {
			w.Header().Set("WWW-Authenticate", `Basic realm="registry"`)
			http.Error(w, `{"errors": [{"code": "UNAUTHORIZED"}]}`, http.StatusUnauthorized)
			return
		}
		r.ServeHTTP(w, req)
	}))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

// login stores a password as docker login does.
func login(t *testing.T, address, password string) {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("DOCKER_CONFIG", dir)
	config := fmt.Sprintf(`{"auths": {%q: {"auth": %q}}}`, address, base64.StdEncoding.EncodeToString([]byte("ci:"+password)))
	if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestPush(t *testing.T) {
	layout := made(t)
	index, _, _ := indexIn(t, layout)
	want, err := index.Digest()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		fact           string
		listsReferrers bool
		to, tag        string
	}{
		{"the tag is the version", true, "/acme/hello", "v1.2.3"},
		{"a tag may be named", true, "/acme/hello:stable", "stable"},
		{"a registry without referrers gets them by a tag", false, "/acme/hello", "v1.2.3"},
	} {
		t.Run(tt.fact, func(t *testing.T) {
			address := newRegistry(t, tt.listsReferrers)
			login(t, address, "secret")
			if got := runOCI(t, "push", layout, address+tt.to); got != address+"/acme/hello@"+want.String()+"\n" {
				t.Errorf("it says %q", got)
			}
			ref, err := name.ParseReference(address + "/acme/hello:" + tt.tag)
			if err != nil {
				t.Fatal(err)
			}
			pulled, err := remote.Index(ref, options(t.Context())...)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := pulled.Digest(); err != nil || got != want {
				t.Errorf("pulled %v, %v, want %v", got, err, want)
			}
			if err := validate.Index(pulled); err != nil {
				t.Error(err)
			}
			for architecture, image := range images(t, pulled) {
				digest, err := image.Digest()
				if err != nil {
					t.Fatal(err)
				}
				found, err := remote.Referrers(ref.Context().Digest(digest.String()), options(t.Context())...)
				if err != nil {
					t.Fatal(err)
				}
				list, err := found.IndexManifest()
				if err != nil || len(list.Manifests) != 1 {
					t.Fatalf("%s: referrers %+v, %v", architecture, list, err)
				}
				bill, err := remote.Image(ref.Context().Digest(list.Manifests[0].Digest.String()), options(t.Context())...)
				if err != nil {
					t.Fatal(err)
				}
				// This registry lists the media type of the config as the type of the artifact. The manifest is right.
				if m, err := bill.Manifest(); err != nil || m.ArtifactType != cycloneDX || m.Subject.Digest != digest {
					t.Errorf("%s: bill %+v, %v", architecture, m, err)
				}
			}
			if again := runOCI(t, "push", layout, address+tt.to); !strings.HasSuffix(again, want.String()+"\n") {
				t.Errorf("again it says %q", again)
			}
		})
	}
}

func TestPushRefuses(t *testing.T) {
	layout := made(t)
	for _, tt := range []struct{ fact, from, to, password, says string }{
		{"a wrong password", layout, "/acme/hello", "guess", "401 Unauthorized"},
		{"a name that cannot be", layout, "/Acme/hello", "secret", "could not parse reference"},
		{"a folder that is no layout", t.TempDir(), "/acme/hello", "secret", "no such file"},
	} {
		t.Run(tt.fact, func(t *testing.T) {
			address := newRegistry(t, true)
			login(t, address, tt.password)
			var out bytes.Buffer
			err := run(t.Context(), []string{"push", tt.from, address + tt.to}, &out)
			if err == nil || !strings.Contains(err.Error(), tt.says) || out.Len() > 0 {
				t.Errorf("got %v and %q, want %q", err, &out, tt.says)
			}
		})
	}
}
