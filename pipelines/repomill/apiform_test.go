package main_test

import (
	"bytes"
	"encoding/json"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"repomill/testdata/debtest"
	"repomill/testdata/proctest"
	"repomill/testdata/rpmtest"
)

// A pusher makes packagecloud's calls.
type pusher struct {
	url, token string
}

func (p pusher) do(t *testing.T, method, path, contentType string, body io.Reader) (int, http.Header, []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, p.url+path, body)
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth(p.token, "")
	req.Header.Set("Content-Type", contentType)
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, text
}

// get decodes what a path answers.
func (p pusher) get(t *testing.T, path string, v any) {
	t.Helper()
	status, _, body := p.do(t, http.MethodGet, path, "", nil)
	if err := json.Unmarshal(body, v); err != nil || status != http.StatusOK {
		t.Fatalf("%s: %d %s, %v", path, status, body, err)
	}
}

// lookUp asks what package_cloud push asks before: the path for packages, and the number of a distribution.
func (p pusher) lookUp(t *testing.T, repo, kind, os, version string) (path, id string) {
	t.Helper()
	var r struct{ Paths map[string]string }
	p.get(t, "/api/v1/repos/"+repo+".json", &r)
	var all map[string][]struct {
		Name     string `json:"index_name"`
		Versions []struct {
			ID   int
			Name string `json:"index_name"`
		}
	}
	p.get(t, "/api/v1/distributions.json", &all)
	for _, d := range all[kind] {
		for _, v := range d.Versions {
			if d.Name == os && v.Name == version {
				return r.Paths["create_package"], strconv.Itoa(v.ID)
			}
		}
	}
	t.Fatalf("there is no %s/%s", os, version)
	return "", ""
}

// restClient returns the body that package_cloud push sends by rest-client: the file, and then the number.
func restClient(name string, file []byte, id string) (contentType, body string) {
	const b = "----RubyFormBoundaryFdgdTahiP7lCIICr"
	return "multipart/form-data; boundary=" + b, "--" + b + "\r\nContent-Disposition: form-data; name=\"package[package_file]\"; filename=\"" + name + "\"\r\nContent-Type: application/x-debian-package\r\n\r\n" +
		string(file) + "\r\n--" + b + "\r\nContent-Disposition: form-data; name=\"package[distro_version_id]\"\r\n\r\n" + id + "\r\n--" + b + "--\r\n"
}

// Existing CI pushes to a running up without a change, and clients see its packages.
func TestPushesOfExistingCI(t *testing.T) {
	t.Parallel()
	proctest.Need(t, "curl")
	s := newSite(t)
	s.does(t, 0, "", "repo", "create", "acme/tools")
	p := pusher{s.url, apiToken(t, s.data, "acme", "ci", "push")}
	path, id := p.lookUp(t, "acme/tools", "deb", "ubuntu", "jammy")
	first, second, third := newDEB(t, debtest.Spec{Name: "first", Size: 300_000}), newDEB(t, debtest.Spec{Name: "second"}), newRPM(t, rpmtest.Spec{Name: "third"})

	kind, body := restClient("first.deb", first.body, id)
	for _, tt := range []struct {
		name, header, part string
		status             int
	}{
		{"package_cloud push", "", `"indexed":true`, 201},
		{"again", "identical sha256", `{"filename":["has already been taken"]}`, 422},
	} {
		status, header, text := p.do(t, http.MethodPost, path, kind, strings.NewReader(body))
		if status != tt.status || !strings.Contains(string(text), tt.part) || header.Get("X-Already-Published") != tt.header {
			t.Errorf("%s: got %d %s, %v", tt.name, status, text, header)
		}
	}
	kind, body = restClient("first.deb", debtest.Build(t, debtest.Spec{Name: "first", Size: 300_001}), id)
	var conflict map[string][]string
	status, _, text := p.do(t, http.MethodPost, path, kind, strings.NewReader(body))
	if err := json.Unmarshal(text, &conflict); err != nil || status != 422 || len(conflict["filename"]) != 1 || len(conflict["sha256"]) != 1 || !strings.Contains(conflict["sha256"][0], first.sha256()) {
		t.Errorf("other bytes: got %d %s, %v", status, text, err)
	}

	var form bytes.Buffer
	w := multipart.NewWriter(&form) // as Go clients do
	to, err := w.CreateFormFile("package[package_file]", filepath.Base(second.path))
	if err != nil {
		t.Fatal(err)
	}
	to.Write(second.body)                             //nolint:errcheck // to memory
	w.WriteField("package[distro_version_id]", "237") //nolint:errcheck // as pkgcloud has it in its code
	w.Close()
	var details struct {
		Name, Version string
		SHA256        string `json:"sha256sum"`
		DownloadURL   string `json:"download_url"`
		PublishURL    string `json:"publish_url"`
	}
	status, _, text = p.do(t, http.MethodPost, path, w.FormDataContentType(), &form)
	if err := json.Unmarshal(text, &details); err != nil || status != 201 || details.Name != "second" || details.SHA256 != second.sha256() {
		t.Fatalf("a Go client: got %d %s, %v", status, text, err)
	}
	if code, got := get(t, details.DownloadURL); code != 200 || digest(got) != second.sha256() {
		t.Errorf("what can be downloaded: got %d, %d bytes", code, len(got))
	}
	if status, body := curl(t, "-u", p.token+":", details.PublishURL); status != "200" || !strings.Contains(body, `"state":"published"`) {
		t.Errorf("publish_url: got %s %s", status, body)
	}

	_, el9 := p.lookUp(t, "acme/tools", "rpm", "el", "9")
	if status, body := curl(t, "-u", p.token+":", "-F", "package[distro_version_id]="+el9, "-F", "package[package_file]=@"+third.path, s.url+path); status != "201" || !strings.Contains(body, `"name":"third"`) {
		t.Errorf("curl -F: got %s %s", status, body)
	}
	broken := newFile(t, "broken.deb", []byte("no package"))
	if status, body := curl(t, "-u", p.token+":", "-F", "package[package_file]=@"+broken.path, "-F", "package[distro_version_id]="+id, s.url+path); status != "422" || !strings.Contains(body, `{"package":["`) {
		t.Errorf("no package: got %s %s", status, body)
	}
	if got := lsVersions(t, s, "acme/tools/ubuntu/jammy"); len(got) != 2 {
		t.Errorf("jammy has %v, want two packages", got)
	}
	if left, err := os.ReadDir(s.data + "/staging/.incoming"); err != nil || len(left) != 0 {
		t.Errorf("what has no place is left: %v, %v", left, err)
	}
}
