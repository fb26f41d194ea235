package packagecloud_test

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"repomill/schemas/catalog"
	"repomill/serve/api/upload"
)

// The bodies that clients send, as they are on the wire: file first or last, with and without types, a preamble.
func TestPushAsClientsDo(t *testing.T) {
	head := "Content-Disposition: form-data; name=\"package[package_file]\"; filename=\"" + fileName + "\"\r\n"
	id := "Content-Disposition: form-data; name=\"package[distro_version_id]\"\r\n"
	for _, tt := range []struct{ name, contentType, body string }{
		{"package_cloud with rest-client 2", "multipart/form-data; boundary=----RubyFormBoundaryFdgdTahiP7lCIICr",
			"------RubyFormBoundaryFdgdTahiP7lCIICr\r\n" + head + "Content-Type: application/x-debian-package\r\n\r\n" + bytesOf + "\r\n------RubyFormBoundaryFdgdTahiP7lCIICr\r\n" + id + "\r\n237\r\n------RubyFormBoundaryFdgdTahiP7lCIICr--\r\n"},
		{"package_cloud with rest-client 1", "multipart/form-data; boundary=1234567",
			"--1234567\r\n" + head + "Content-Type: text/plain\r\n\r\n" + bytesOf + "\r\n--1234567\r\n" + id + "\r\n237\r\n--1234567--"},
		{"packagecloud-ruby with the mime gem", "multipart/form-data; boundary=Boundary_52.19",
			"--Boundary_52.19\r\nContent-ID: <1.2@h>\r\n" + id + "Content-Type: text/plain\r\n\r\n237\r\n--Boundary_52.19\r\nContent-ID: <1.3@h>\r\nContent-Transfer-Encoding: binary\r\n" + strings.ReplaceAll(head, `"`+fileName+`"`, fileName) + "Content-Type: application/octet-stream\r\n\r\n" + bytesOf + "\r\n--Boundary_52.19--\r\n"},
		{"with the head of a message as preamble", "multipart/form-data; boundary=Boundary_52.19",
			"MIME-Version: 1.0\r\nContent-Type: multipart/form-data; boundary=Boundary_52.19\r\n\r\n--Boundary_52.19\r\n" + id + "Content-Type: text/plain\r\n\r\n237\r\n--Boundary_52.19\r\n" + head + "\r\n" + bytesOf + "\r\n--Boundary_52.19--\r\n"},
		{"curl -F", "multipart/form-data; boundary=------------------------b051630298f973ad",
			"--------------------------b051630298f973ad\r\n" + id + "\r\n237\r\n--------------------------b051630298f973ad\r\n" + head + "Content-Type: application/octet-stream\r\n\r\n" + bytesOf + "\r\n--------------------------b051630298f973ad--\r\n"},
		{"a quoted boundary", `multipart/form-data; boundary="a b"`, "--a b\r\n" + head + "\r\n" + bytesOf + "\r\n--a b\r\n" + id + "\r\n ubuntu/jammy \r\n--a b--\r\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSite(t)
			res, text := s.post("pusher", pushPath, tt.contentType, tt.body, async)
			if res.StatusCode != http.StatusCreated {
				t.Fatalf("got %d %s", res.StatusCode, text)
			}
			s.checkStaged("acme/tools/ubuntu/jammy/"+fileName, bytesOf)
		})
	}
	for name, parts := range map[string][]part{"pkgcloud": {aFile, anID}, "atotto's client": {anID, aFile}, "with more fields": {{"utf8", "", "✓"}, aFile, {"package[coordinates]", "", "a:b:1"}, anID, {"commit", "", "x"}}} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			if res, text := s.push(parts, async); res.StatusCode != http.StatusCreated {
				t.Fatalf("got %d %s", res.StatusCode, text)
			}
			s.checkStaged("acme/tools/ubuntu/jammy/"+fileName, bytesOf)
		})
	}
}

// The Java client sends a random word as the name of the file.
func TestPushOfAFileWithoutAnEnding(t *testing.T) {
	word := "8r2qb0d1n5tgkq4e3n5u1s6a7f"
	for order, parts := range map[string][]part{"file first": {with(aFile, word, "x"), anID}, "id first": {anID, with(aFile, word, "x")}} {
		s := newSite(t)
		if res, text := s.push(parts, async); res.StatusCode != 201 {
			t.Fatalf("%s: got %d %s", order, res.StatusCode, text)
		}
		s.checkStaged("acme/tools/ubuntu/jammy/"+word+".deb", "x")
	}
	s := newSite(t)
	const b = "--yEmQtBgf63qE3uBp-GaH9dKRVWRUmMs5"
	body := b + "\r\nContent-Disposition: form-data; name=\"package[package_file]\"; filename=\"" + word + "\"\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: binary\r\n\r\n" + bytesOf +
		"\r\n" + b + "\r\nContent-Disposition: form-data; name=\"package[distro_version_id]\"\r\nContent-Type: text/plain; charset=ISO-8859-1\r\nContent-Transfer-Encoding: 8bit\r\n\r\n237\r\n" + b + "--\r\n"
	if res, text := s.post("pusher", pushPath, "multipart/form-data; boundary="+b[2:], body, async); res.StatusCode != 201 {
		t.Errorf("as io.packagecloud.client 3.0.1 sends it: got %d %s", res.StatusCode, text)
	}
	s.checkStaged("acme/tools/ubuntu/jammy/"+word+".deb", bytesOf)
	s = newSite(t)
	if res, text := s.push([]part{with(aFile, word, "x"), {anID.name, "", "240"}}, async); res.StatusCode != 201 || !strings.Contains(text, `"type":"rpm"`) {
		t.Errorf("for el/9: got %d %s", res.StatusCode, text)
	}
	s.checkStaged("acme/tools/el/9/"+word+".rpm", "x")
}

// What becomes of a package is answered as packagecloud does, if the caller waits.
func TestPushAnswers(t *testing.T) {
	key := func(s *site) string {
		k := deb(tools, "hello", "1.0")
		s.add(k)
		return k.Key
	}
	for _, tt := range []struct {
		name    string
		verdict func(*site) catalog.Verdict
		status  int
		body    string // part of it
		header  string // Name: value
	}{
		{"published", func(s *site) catalog.Verdict { return catalog.Verdict{State: catalog.Published, Key: key(s)} }, 201, `"name":"hello"`, "Repomill-Reason: "},
		{"the same bytes are there", func(*site) catalog.Verdict { return catalog.Verdict{State: catalog.Duplicate} }, 422, `{"filename":["has already been taken"]}`, "X-Already-Published: identical sha256"},
		{"other bytes are there", func(*site) catalog.Verdict {
			return catalog.Verdict{State: catalog.Rejected, Reason: catalog.Conflict, Detail: "sha256 aa there, bb here"}
		}, 422, `{"filename":["has already been taken"],"sha256":["conflict: sha256 aa there, bb here"]}`, "X-Already-Published: "},
		{"rejected", func(*site) catalog.Verdict {
			return catalog.Verdict{State: catalog.Rejected, Reason: catalog.Truncated, Detail: "it ends early"}
		}, 422, `{"package":["truncated: it ends early"]}`, "Repomill-Reason: truncated"},
		{"withdrawn before", func(*site) catalog.Verdict {
			return catalog.Verdict{State: catalog.Rejected, Reason: catalog.YankedIdentity, Detail: "see unyank"}
		}, 422, `{"package":["yanked: see unyank"]}`, "X-Already-Published: "},
	} {
		for order, parts := range map[string][]part{"file first": {aFile, anID}, "id first": {anID, aFile}} {
			t.Run(tt.name+", "+order, func(t *testing.T) {
				s := newSite(t)
				s.judge.says(tt.verdict(s))
				res, body := s.push(parts)
				name, value, _ := strings.Cut(tt.header, ": ")
				if res.StatusCode != tt.status || !strings.Contains(body, tt.body) || res.Header.Get(name) != value {
					t.Errorf("got %d %s, %v; want %d %s, %s", res.StatusCode, body, res.Header, tt.status, tt.body, tt.header)
				}
				if res.StatusCode == 422 {
					if err := json.Unmarshal([]byte(body), &map[string][]string{}); err != nil {
						t.Errorf("clients cannot decode %s: %v", body, err)
					}
				}
			})
		}
	}
}

// A package that no worker has read is answered with what is known of it, and where to wait.
func TestPushNotYetPublished(t *testing.T) {
	s := newSite(t)
	res, body := s.push([]part{aFile, anID}, async)
	var got struct {
		Name, Filename, Type, Size string
		Distro                     string `json:"distro_version"`
		SHA256                     string `json:"sha256sum"`
		Indexed                    *bool
		PublishURL                 string `json:"publish_url"`
		Uploader                   string `json:"uploader_name"`
	}
	if err := json.Unmarshal([]byte(body), &got); err != nil || res.StatusCode != 201 {
		t.Fatalf("got %d %s, %v", res.StatusCode, body, err)
	}
	if got.Filename != fileName || got.Type != "deb" || got.Size != fmt.Sprint(len(bytesOf)) || got.Distro != "ubuntu/jammy" || len(got.SHA256) != 64 || got.Uploader != "token pusher" || got.Indexed == nil || *got.Indexed {
		t.Errorf("got %s", body)
	}
	if !strings.HasPrefix(got.PublishURL, "https://packages.example/api/v1/uploads/") || res.Header.Get("Location") != got.PublishURL {
		t.Errorf("publish_url is %q, Location %q", got.PublishURL, res.Header.Get("Location"))
	}
	k := deb(tools, "hello", "1.0")
	s.judge.says(catalog.Verdict{State: catalog.Stored, Key: k.Key, Package: "hello 1.0 amd64"})
	start := time.Now()
	_, body = s.push([]part{aFile, anID}, async)
	if took := time.Since(start); took > 10*time.Second || !strings.Contains(body, `"indexed":false`) {
		t.Errorf("after %s: %s", took, body)
	}
}

// A retry with the same key is the same upload; other bytes under it are refused.
func TestPushWithIdempotencyKey(t *testing.T) {
	for order, parts := range map[string][2]part{"file first": {aFile, anID}, "id first": {anID, aFile}} {
		t.Run(order, func(t *testing.T) {
			s := newSite(t)
			first, body := s.push(parts[:], async, "Idempotency-Key: job 1")
			if first.StatusCode != 201 {
				t.Fatal(body)
			}
			again, body := s.push(parts[:], async, "Idempotency-Key: job 1")
			if again.StatusCode != 201 || again.Header.Get("Location") != first.Header.Get("Location") {
				t.Errorf("again: got %d %s", again.StatusCode, body)
			}
			s.checkStaged("acme/tools/ubuntu/jammy/"+fileName, bytesOf)
			other := []part{parts[0], parts[1]}
			for i := range other {
				if other[i].file != "" {
					other[i].body = "OTHER"
				}
			}
			if res, body := s.push(other, async, "Idempotency-Key: job 1"); res.StatusCode != 422 || !strings.Contains(body, "idempotency_key") {
				t.Errorf("other bytes: got %d %s", res.StatusCode, body)
			}
			s.checkStaged("acme/tools/ubuntu/jammy/"+fileName, bytesOf)
		})
	}
}

// What a killed process left without a place is removed by the next push to any process, when it is a day old.
func TestPushSweepsWhatWasLeft(t *testing.T) {
	for later, want := range map[time.Duration]int{23 * time.Hour: 2, 25 * time.Hour: 1} {
		s := newSiteWith(t, func(c *upload.Config) { c.Now = func() time.Time { return time.Now().Add(later) } })
		if _, err := s.staging.Create(t.Context(), ".incoming/left", strings.NewReader("x"), catalog.Pusher{}); err != nil {
			t.Fatal(err)
		}
		if res, text := s.push([]part{anID, aFile}, async); res.StatusCode != 201 {
			t.Fatalf("got %d %s", res.StatusCode, text)
		}
		for end := time.Now().Add(2 * time.Second); len(s.left()) > want && time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		}
		if left := s.left(); len(left) != want {
			t.Errorf("after %s: %v, want %d", later, left, want)
		}
	}
}

// The digest of the file may be declared, as it can for other uploads.
func TestPushWithAChecksum(t *testing.T) {
	sum := fmt.Sprintf("%x", sha256.Sum256([]byte(bytesOf)))
	for order, parts := range map[string][]part{"file first": {aFile, anID}, "id first": {anID, aFile}} {
		s := newSite(t)
		if res, text := s.push(parts, async, "X-Checksum-Sha256: "+strings.Repeat("0", 64)); res.StatusCode != 422 || !strings.Contains(text, `{"digest":["the file that arrived has the SHA-256 `+sum) || len(s.left()) != 0 {
			t.Errorf("%s, another file: got %d %s, left %v", order, res.StatusCode, text, s.left())
		}
		if res, text := s.push(parts, async, "X-Checksum-Sha256: "+sum); res.StatusCode != 201 {
			t.Errorf("%s: got %d %s", order, res.StatusCode, text)
		}
	}
}
