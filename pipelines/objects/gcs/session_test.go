package gcs_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"net/http"
	"strings"
	"testing"
	"time"

	"repomill/schemas/catalog"
	"repomill/testdata/gcstest"
)

// declare returns what a sender says of some bytes.
func declare(body string) catalog.Declared {
	sum := sha256.Sum256([]byte(body))
	crc := binary.BigEndian.AppendUint32(nil, crc32.Checksum([]byte(body), crc32.MakeTable(crc32.Castagnoli)))
	return catalog.Declared{Size: int64(len(body)), SHA256: hex.EncodeToString(sum[:]), CRC32C: base64.StdEncoding.EncodeToString(crc),
		Until: time.Now().Add(time.Hour).Truncate(time.Second)}
}

// sendTo sends all of a body to the URL of a session, without credentials.
func sendTo(t *testing.T, url, body string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, url, strings.NewReader(body))
	must(t, err)
	req.Header.Set("Content-Range", fmt.Sprintf("bytes 0-%d/%d", len(body)-1, len(body)))
	resp, err := http.DefaultClient.Do(req)
	must(t, err)
	resp.Body.Close()
	return resp.StatusCode
}

func TestSessions(t *testing.T) {
	t.Parallel()
	by := catalog.Pusher{User: "token push", Job: "https://ci.example/1"}
	for _, tt := range []struct {
		name   string
		change func(*catalog.Declared)
		status int
		reason catalog.Reason // of the worker
	}{
		{"as declared", func(*catalog.Declared) {}, 200, ""},
		{"without a CRC32C", func(d *catalog.Declared) { d.CRC32C = "" }, 200, ""},
		{"another CRC32C", func(d *catalog.Declared) { d.CRC32C = "AAAAAA==" }, 400, ""},
		{"another size", func(d *catalog.Declared) { d.Size++ }, 400, ""},
		{"another SHA-256", func(d *catalog.Declared) { d.SHA256 = declare("other").SHA256 }, 200, catalog.BadDigest},
		{"too late", func(d *catalog.Declared) { d.Until = time.Now().Add(-time.Hour) }, 200, catalog.Late},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, _ := start(t)
			d := declare("hello")
			tt.change(&d)
			url, err := s.Begin(t.Context(), staged, d, by)
			must(t, err)
			if got := sendTo(t, url, "hello"); got != tt.status {
				t.Errorf("sent: got %d, want %d", got, tt.status)
			}
			u, err := s.Stat(t.Context(), staged)
			if (err == nil) != (tt.status == 200) {
				t.Fatalf("stat: %v", err)
			}
			if err != nil {
				return
			}
			body, who, err := read(t, s, u)
			rej, _ := errors.AsType[*catalog.Rejection](err)
			switch {
			case who != by:
				t.Errorf("read: it is said to be by %v", who)
			case tt.reason != "" && (rej == nil || rej.Reason != tt.reason || !strings.Contains(rej.Detail, "push it again")):
				t.Errorf("read: got %v, want %s", err, tt.reason)
			case tt.reason == "" && (err != nil || body != "hello"):
				t.Errorf("read: got %q, %v", body, err)
			}
			d.CRC32C, d.Until = declare("hello").CRC32C, d.Until.UTC().Truncate(time.Second)
			if got, err := s.Declared(t.Context(), u); got != d || err != nil {
				t.Errorf("declared: got %+v, %v; want %+v", got, err, d)
			}
		})
	}
}

// Google enforces the size that was declared; if it did not, the worker would.
func TestASessionOfAnotherSizeIsNotRead(t *testing.T) {
	t.Parallel()
	s, server := start(t)
	metadata := map[string]string{"repomill-sha256": declare("hello").SHA256, "repomill-size": "4", "repomill-until": "2999-01-01T00:00:00Z"}
	server.Create(gcstest.Object{Bucket: s.Name(), Name: staged, Metadata: metadata}, []byte("hello"))
	u, err := s.Stat(t.Context(), staged)
	must(t, err)
	_, _, err = read(t, s, u)
	if rej, ok := errors.AsType[*catalog.Rejection](err); !ok || rej.Reason != catalog.BadDigest || !strings.Contains(rej.Detail, "has 5 bytes, but 4 were declared") {
		t.Errorf("got %v", err)
	}
}

func TestASessionIsForAFreeName(t *testing.T) {
	t.Parallel()
	s, _ := start(t)
	url, err := s.Begin(t.Context(), staged, declare("hello"), catalog.Pusher{})
	must(t, err)
	first := put(t, s, staged, "first", catalog.Pusher{})
	if got := sendTo(t, url, "hello"); got != http.StatusPreconditionFailed {
		t.Errorf("got %d, want 412", got)
	}
	checkBody(t, s, first, "first")
	if d, err := s.Declared(t.Context(), first); d != (catalog.Declared{}) || err != nil {
		t.Errorf("an upload without a session: got %+v, %v", d, err)
	}
	if _, err := s.Begin(t.Context(), "a\nb", declare("hello"), catalog.Pusher{}); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("a name that cannot be: got %v", err)
	}
}

func TestSessionsThatCannotBegin(t *testing.T) {
	t.Parallel()
	s, server := start(t)
	begin := func(want string, is error) {
		t.Helper()
		url, err := s.Begin(t.Context(), staged, declare("hello"), catalog.Pusher{})
		if url != "" || err == nil || !strings.Contains(err.Error(), want) || is != nil && !errors.Is(err, is) {
			t.Errorf("got %q, %v; want %s", url, err, want)
		}
	}
	always := func(*http.Request) bool { return true }
	server.Fail(gcstest.Forbidden, 1, always)
	begin("grant storage.objects.create on the bucket", fs.ErrPermission)
	server.Fail(gcstest.Lost, 2, always) // the second: a connection that was used before is tried again
	s.SetStall(5 * time.Second)
	begin("the store cannot be reached", nil)
}
