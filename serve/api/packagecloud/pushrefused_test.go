package packagecloud_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"repomill/serve/api/upload"
)

// Of what is refused nothing is left, and the answer says what is wrong.
func TestPushRefuses(t *testing.T) {
	id := func(s string) part { return part{anID.name, "", s} }
	many := make([]part, 101)
	for i := range many {
		many[i] = part{fmt.Sprintf("f%d", i), "", "x"}
	}
	for _, tt := range []struct {
		name  string
		parts []part
		want  string // of the body
	}{
		{"no file", []part{anID}, `{"package_file":["the file is missing`},
		{"nothing at all", nil, `{"package_file":["the file is missing`},
		{"a file that is a text", []part{{aFile.name, "", "hello.deb"}, anID}, `{"package_file":["this is a text`},
		{"two files, then the id", []part{aFile, aFile, anID}, `{"package_file":["the form has two files`},
		{"the id, then two files", []part{anID, aFile, aFile}, `{"package_file":["the form has two files`},
		{"a file under another name", []part{anID, {"file", fileName, "x"}}, `{"package_file":["send the file as package[package_file]`},
		{"an empty file, file first", []part{with(aFile, fileName, ""), anID}, `{"package_file":["the file is empty"]}`},
		{"an empty file, id first", []part{anID, with(aFile, fileName, "")}, `{"package_file":["the file is empty"]}`},
		{"no id", []part{aFile}, `{"distro_version_id":["it is missing`},
		{"an empty id", []part{aFile, id("")}, `{"distro_version_id":["it is missing`},
		{"two ids around the file", []part{anID, aFile, anID}, `{"distro_version_id":["it is there twice`},
		{"two ids", []part{aFile, anID, anID}, `{"distro_version_id":["it is there twice`},
		{"a long id", []part{aFile, id(strings.Repeat("1", 101))}, `{"distro_version_id":["it is too long`},
		{"an unknown number", []part{aFile, id("99999")}, `{"distro_version_id":["99999 is not the number of a distribution`},
		{"a number that packagecloud has, file first", []part{aFile, id("4")}, `4 is the number of ubuntu/dapper at packagecloud: distribution ubuntu/dapper is not in the table`},
		{"a number that packagecloud has, id first", []part{id("27"), aFile}, `27 is the number of el/6 at packagecloud: distribution el/6 is not in the table, which has el/7`},
		{"a codename with a mistake", []part{aFile, id("ubuntu/jamy")}, `did you mean ubuntu/jammy?`},
		{"an rpm for a DEB distribution, file first", []part{with(aFile, "a.rpm", "x"), anID}, `{"package_file":["a.rpm is named as a package of the format rpm, but ubuntu/jammy takes deb"]}`},
		{"a deb for an RPM distribution, id first", []part{id("240"), aFile}, `but el/9 takes rpm`},
		{"a gem", []part{with(aFile, "a.gem", "x"), anID}, `packages of other formats are not supported`},
		{"a source package", []part{with(aFile, "a.dsc", "x"), anID}, `{"package_file":["source packages (.dsc) are not supported yet`},
		{"source files", []part{anID, {"package[source_files][]", "a.tar.gz", "x"}}, `{"package_file":["source packages (.dsc) are not supported yet`},
		{"a hidden name", []part{with(aFile, ".hello.deb", "x"), anID}, `names that begin with a dot`},
		{"a path that ends above", []part{with(aFile, "..", "x"), anID}, `{"package_file":[`},
		{"a name of a folder", []part{with(aFile, "a.deb/", "x"), anID}, `{"package_file":[`},
		{"a name that is no text", []part{with(aFile, "a\xff.deb", "x"), anID}, `{"package_file":[`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSite(t)
			res, body := s.push(tt.parts)
			if res.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(body, tt.want) {
				t.Errorf("got %d %s, want %s", res.StatusCode, body, tt.want)
			}
			if left := s.left(); len(left) != 0 {
				t.Errorf("left: %v", left)
			}
		})
	}
}

// The folders of a file name are those of the sender's disk.
func TestPushTakesTheLastPartOfAPath(t *testing.T) {
	for _, name := range []string{"../../../etc/" + fileName, "/abs/" + fileName, `C:\build\` + fileName, "a/../" + fileName} {
		s := newSite(t)
		kind := "multipart/form-data; boundary=b"
		body := "--b\r\nContent-Disposition: form-data; name=\"package[package_file]\"; filename=\"" + strings.ReplaceAll(name, `\`, `\\`) + "\"\r\n\r\nx\r\n--b\r\nContent-Disposition: form-data; name=\"package[distro_version_id]\"\r\n\r\n237\r\n--b--\r\n"
		if res, text := s.post("pusher", pushPath, kind, body, async); res.StatusCode != 201 {
			t.Errorf("%q: got %d %s", name, res.StatusCode, text)
			continue
		}
		s.checkStaged("acme/tools/ubuntu/jammy/"+fileName, "x")
	}
}

// Forms that are no forms, or are made to cost memory or time.
func TestPushOfBrokenForms(t *testing.T) {
	const kind = "multipart/form-data; boundary=b"
	file := "--b\r\nContent-Disposition: form-data; name=\"package[package_file]\"; filename=\"a.deb\"\r\n"
	id := "--b\r\nContent-Disposition: form-data; name=\"package[distro_version_id]\"\r\n\r\n237\r\n"
	for _, tt := range []struct {
		name, contentType, body string
		status                  int
		want                    string
	}{
		{"no body", kind, "", 422, `{"package_file":["the file is empty"]}`},
		{"JSON", "application/json", "{}", 415, "send the package as multipart/form-data"},
		{"a form of another kind", "application/x-www-form-urlencoded", "a=b", 415, "curl -F"},
		{"no boundary", "multipart/form-data", file, 415, "curl -F"},
		{"no type", "", file, 415, "curl -F"},
		{"a wrong boundary", "multipart/form-data; boundary=c", file + "\r\nx\r\n" + id + "--b--\r\n", 400, "ends before its last boundary"},
		{"a wrong boundary of a large body", "multipart/form-data; boundary=c", file + "\r\n" + strings.Repeat("x\n", 1<<20), 400, "too much besides its file"},
		{"no end, file first", kind, file + "\r\nx\r\n" + id, 400, "ends before its last boundary"},
		{"no end, id first", kind, id + file + "\r\nx\r\n--b", 400, "ends before its last boundary"},
		{"no end of the file, file first", kind, file + "\r\nx", 400, "broke off"},
		{"no end of the file, id first", kind, id + file + "\r\nx", 400, "broke off"},
		{"a head without an end", kind, file, 400, "broke off after 0 bytes"},
		{"thousands of parts", kind, strings.Repeat("--b\r\nContent-Disposition: form-data; name=a\r\n\r\nx\r\n", 5000) + "--b--\r\n", 400, "more than 100 parts"},
		{"thousands of parts behind the file", kind, file + "\r\nx\r\n" + strings.Repeat("--b\r\nContent-Disposition: form-data; name=a\r\n\r\nx\r\n", 5000) + "--b--\r\n", 400, "more than 100 parts"},
		{"a large field", kind, "--b\r\nContent-Disposition: form-data; name=a\r\n\r\n" + strings.Repeat("x", 1<<20) + "\r\n" + id + file + "\r\nx\r\n--b--\r\n", 400, "too much besides its file"},
		{"a large field behind the file", kind, file + "\r\nx\r\n--b\r\nContent-Disposition: form-data; name=a\r\n\r\n" + strings.Repeat("x", 1<<20) + "\r\n" + id + "--b--\r\n", 400, "too much besides its file"},
		{"a large head", kind, "--b\r\nX: " + strings.Repeat("x", 1<<20) + "\r\n", 400, "too much besides its file"},
		{"many heads", kind, "--b\r\n" + strings.Repeat("X: x\r\n", 1<<18) + "\r\n", 400, "message too large"},
		{"a control character in the name", kind, strings.Replace(file, "a.deb", "a\x01.deb", 1) + "\r\nx\r\n--b--\r\n", 400, "malformed MIME header"},
		{"no end of a later head, id first", kind, id + file + "\r\nx\r\n--b\r\nContent-Disposition: form-data; name=a\r\n", 400, "ends before its last boundary"},
		{"a part without a name", kind, "--b\r\n\r\nx\r\n--b--\r\n", 400, "a part has no name"},
		{"an attachment", kind, "--b\r\nContent-Disposition: attachment; name=a; filename=a.deb\r\n\r\nx\r\n--b--\r\n", 400, "a part has no name"},
		{"a form within the form", kind, file + "Content-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\n\r\nx\r\n--c--\r\n\r\n--b--\r\n", 422, "a form within the form"},
		{"base64", kind, file + "Content-Transfer-Encoding: base64\r\n\r\neA==\r\n--b--\r\n", 422, "Content-Transfer-Encoding"},
		{"quoted-printable", kind, file + "Content-Transfer-Encoding: quoted-printable\r\n\r\n=78\r\n--b--\r\n", 422, "Content-Transfer-Encoding"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSite(t)
			res, body := s.post("pusher", pushPath, tt.contentType, tt.body)
			if res.StatusCode != tt.status || !strings.Contains(body, tt.want) {
				t.Errorf("got %d %.300s, want %d %s", res.StatusCode, body, tt.status, tt.want)
			}
			if left := s.left(); len(left) != 0 {
				t.Errorf("left: %v", left)
			}
		})
	}
	s := newSite(t)
	if res, _ := s.post("pusher", pushPath, kind, file, "Content-Encoding: gzip"); res.StatusCode != 415 {
		t.Errorf("compressed: got %d", res.StatusCode)
	}
}

func TestPushWithoutARight(t *testing.T) {
	kind, form := formOf(aFile, anID)
	s := newSite(t)
	for _, tt := range []struct {
		name, token, path string
		status            int
		want              string
	}{
		{"no token", "", pushPath, 401, `{"error":"Unauthenticated"}`},
		{"an unknown token", "x", pushPath, 401, `{"error":"Unauthenticated"}`},
		{"an unknown repository", "pusher", "/api/v1/repos/acme/none/packages.json", 404, `{"error":"not_found"}`},
		{"a private repository of another token", "pusher", "/api/v1/repos/acme/vault/packages.json", 404, `{"error":"not_found"}`},
		{"a public repository of another token", "other", pushPath, 404, `there is no repository \"acme/tools\" here that this token has any right in`},
		{"a token that may only change", "manager", pushPath, 403, `it needs the scope \"push\"`},
	} {
		if res, body := s.post(tt.token, tt.path, kind, form); res.StatusCode != tt.status || !strings.Contains(body, tt.want) {
			t.Errorf("%s: got %d %s, want %d %s", tt.name, res.StatusCode, body, tt.status, tt.want)
		}
	}
	for _, path := range []string{"/api/v1/repos/acme/tools/packages/contents.json", "/api/v1/repos/acme/tools/packages/contents"} {
		if res, body := s.post("pusher", path, kind, form); res.StatusCode != 422 || !strings.Contains(body, "source packages (.dsc) are not supported yet") {
			t.Errorf("%s: got %d %s", path, res.StatusCode, body)
		}
	}
	s.db.Close()
	if res, body := s.post("pusher", pushPath, kind, form); res.StatusCode != 503 || strings.Contains(body, "sql") {
		t.Errorf("without the catalog: got %d %s", res.StatusCode, body)
	}
	if left := s.left(); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}

func TestPushThatIsTooLarge(t *testing.T) {
	large := with(aFile, fileName, strings.Repeat("x", 1001))
	for order, parts := range map[string][]part{"file first": {large, anID}, "id first": {anID, large}} {
		s := newSiteWith(t, func(c *upload.Config) { c.Limits.MaxSize = 1000 })
		if res, body := s.push(parts); res.StatusCode != 413 || !strings.Contains(body, "larger than 1000 bytes") {
			t.Errorf("%s: got %d %s", order, res.StatusCode, body)
		}
		if left := s.left(); len(left) != 0 {
			t.Errorf("%s: left: %v", order, left)
		}
		if res, body := s.push([]part{with(aFile, fileName, strings.Repeat("x", 1000)), anID}, async); res.StatusCode != 201 {
			t.Errorf("%s: of the largest size: got %d %s", order, res.StatusCode, body)
		}
	}
	s := newSiteWith(t, func(c *upload.Config) { c.Limits.MaxSize = 1000 })
	if res, _ := s.push([]part{with(aFile, fileName, strings.Repeat("x", 3<<20)), anID}); res.StatusCode != 413 {
		t.Errorf("refused before the body: got %d", res.StatusCode)
	}
}

// A body that pauses, or whose connection breaks, leaves nothing.
func TestPushThatBreaksOff(t *testing.T) {
	const head = "POST " + pushPath + " HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer pusher\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: 100000\r\n\r\n"
	file := "--b\r\nContent-Disposition: form-data; name=\"package[package_file]\"; filename=\"a.deb\"\r\n\r\nxxxx"
	for name, body := range map[string]string{"in the file": file, "behind the file": file + "\r\n--b\r\nContent-Disposition: form-data; name=\"package[dis", "before the file": "--b\r\n"} {
		t.Run(name, func(t *testing.T) {
			s := newSiteWith(t, func(c *upload.Config) { c.Limits = upload.Limits{MinRate: 1000, Patience: 300 * time.Millisecond} })
			for _, closed := range []bool{false, true} {
				conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				conn.SetDeadline(time.Now().Add(time.Minute))
				io.WriteString(conn, head+body) //nolint:errcheck // the answer says it
				if closed {
					conn.(*net.TCPConn).CloseWrite()
				}
				res, err := http.ReadResponse(bufio.NewReader(conn), nil)
				want := http.StatusRequestTimeout
				if closed {
					want = http.StatusBadRequest
				}
				if err != nil || res.StatusCode != want {
					t.Errorf("closed %v: got %v, %v; want %d", closed, res, err, want)
				}
				if left := s.left(); len(left) != 0 {
					t.Errorf("closed %v: left: %v", closed, left)
				}
			}
		})
	}
}
