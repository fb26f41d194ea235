package upload_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"repomill/schemas/catalog"
	"repomill/serve/api"
	"repomill/serve/api/upload"
)

func TestAnUploadIsStagedWhole(t *testing.T) {
	d := open(t, nil)
	got := d.put(t, place, "bytes")
	u := d.checkOne(t, "bytes")
	r := got.report(t)
	if got.status != 202 || r.State != "staged" || r.SHA256 != sum("bytes") || r.Size != 5 || r.Object != u.Object || r.Generation != u.Generation {
		t.Errorf("got %d %+v, want 202 and %+v", got.status, r, u)
	}
	if want := "https://packages.example/api/v1/uploads/" + r.ID; r.URL != want || got.header.Get("Location") != want {
		t.Errorf("got the URL %s and Location %s, want %s", r.URL, got.header.Get("Location"), want)
	}
	if !strings.HasPrefix(u.Object, "acme/tools/ubuntu/jammy/@") || !strings.HasSuffix(u.Object, "~hello_1.0_amd64.deb") {
		t.Errorf("staged as %s", u.Object)
	}
	if again := d.put(t, place, "bytes").report(t); again.ID == r.ID {
		t.Error("a second push is the first")
	}
	if all := d.staged(t); len(all) != 2 {
		t.Errorf("staged: %+v, want two", all)
	}
}

func TestUploadsThatAreRefused(t *testing.T) {
	d := open(t, func(c *upload.Config) { c.Limits.MaxSize = 1000 })
	const up = "/api/v1/upload/"
	for _, tt := range []struct {
		name    string
		path    string
		headers []string
		status  int
		body    string // part of it
		reason  string
	}{
		{"without a token", place, []string{"Authorization: "}, 401, "needs a token", ""},
		{"with an unknown token", place, []string{"Authorization: Bearer x"}, 401, "not known here", ""},
		{"with a token that may read", place, []string{"Authorization: Bearer read"}, 403, `needs the scope \"push\"`, ""},
		{"with a token of another owner", place, []string{"Authorization: Bearer other"}, 404, `no repository \"acme/tools\" here`, ""},
		{"to a repository of another owner", up + "other/tools/ubuntu/jammy/a.deb", nil, 404, `no repository \"other/tools\" here`, ""},
		{"to a distribution that is misspelt", up + "acme/tools/ubuntu/jamy/a.deb", nil, 422, `{"distribution":["distribution ubuntu/jamy is not in the table; did you mean ubuntu/jammy?"]}`, "unknown-distribution"},
		{"of another format", up + "acme/tools/el/9/a.deb", nil, 422, "el/9 takes rpm", "wrong-format"},
		{"without a file name", up + "acme/tools/ubuntu/jammy/", nil, 422, "no file name at its end", "bad-path"},
		{"without a slash for curl", up + "acme/tools/ubuntu/jammy", nil, 422, "end the URL with a slash", "bad-path"},
		{"without a slash after the component", up + "acme/tools/ubuntu/jammy/main", nil, 422, "if it is a component, end the URL with a slash", "bad-path"},
		{"with parts too many", up + "acme/tools/ubuntu/jammy/a/b/c.deb", nil, 422, "a component is one path segment", "bad-path"},
		{"with a folder up", up + "acme/tools/ubuntu/jammy/%2e%2e/c.deb", nil, 422, `component \"..\"`, "bad-path"},
		{"with an encoded slash", up + "acme/tools/ubuntu/jammy/..%2Fc.deb", nil, 422, "no encoded slash", "bad-path"},
		{"with an encoded slash in the owner", up + "acme%2Ftools/ubuntu/jammy/x/c.deb", nil, 422, "no encoded slash", "bad-path"},
		{"with an empty part", up + "acme/tools//jammy/c.deb", nil, 422, `os \"\"`, "bad-path"},
		{"in capitals", up + "Acme/tools/ubuntu/jammy/c.deb", nil, 422, `owner \"Acme\"`, "bad-path"},
		{"of a reserved owner", up + "api/tools/ubuntu/jammy/c.deb", nil, 422, "reserved", "reserved-name"},
		{"with a hidden name", up + "acme/tools/ubuntu/jammy/.c.deb", nil, 422, "begin with a dot", "bad-path"},
		{"with a control character", up + "acme/tools/ubuntu/jammy/c%0a.deb", nil, 422, "printable", "bad-path"},
		{"with a zero byte", up + "acme/tools/ubuntu/jammy/c%00.deb", nil, 422, "printable", "bad-path"},
		{"in no UTF-8", up + "acme/tools/ubuntu/jammy/c%ff.deb", nil, 422, "printable", "bad-path"},
		{"that is a part", place, []string{"Content-Range: bytes 0-4/10"}, 400, "without Content-Range", ""},
		{"that is compressed", place, []string{"Content-Encoding: gzip"}, 415, "without Content-Encoding", ""},
		{"with a digest that cannot be read", place, []string{"X-Checksum-Sha256: 00"}, 422, `"digest"`, ""},
		{"with another digest", place, []string{"X-Checksum-Sha256: " + sum("other")}, 422, "the file that arrived has the SHA-256 " + sum("bytes"), ""},
		{"with a wait that cannot be read", place + "?wait=long", nil, 422, `"wait"`, ""},
		{"with a key that is too long", place, []string{"Idempotency-Key: " + strings.Repeat("x", 300)}, 422, "at most 255", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := d.put(t, tt.path, "bytes", tt.headers...)
			if got.status != tt.status || !strings.Contains(got.body, tt.body) || got.header.Get("Repomill-Reason") != tt.reason {
				t.Errorf("got %d %s %s; want %d with %q, %s", got.status, got.header.Get("Repomill-Reason"), got.body, tt.status, tt.body, tt.reason)
			}
			if strings.Contains(got.body, "@") {
				t.Errorf("the answer has the ID of the push: %s", got.body)
			}
			d.checkNothing(t)
		})
	}
	for _, method := range []string{"GET", "POST", "DELETE", "MOVE"} {
		if got := d.call(t, method, place, nil); got.status != 405 || got.header.Get("Allow") != "PUT" {
			t.Errorf("%s: got %d, Allow %s", method, got.status, got.header.Get("Allow"))
		}
	}
	d.checkNothing(t)
}

func TestTooLargeAndEmpty(t *testing.T) {
	d := open(t, func(c *upload.Config) { c.Limits.MaxSize = 1000 })
	chunked := struct{ io.Reader }{strings.NewReader(strings.Repeat("x", 1001))}
	for name, got := range map[string]reply{
		"declared": d.put(t, place, strings.Repeat("x", 1001)),
		"chunked":  d.call(t, http.MethodPut, place, chunked),
	} {
		if got.status != 413 || !strings.Contains(got.body, "1000 bytes") {
			t.Errorf("%s: got %d %s, want 413 with the limit", name, got.status, got.body)
		}
	}
	if got := d.put(t, place, ""); got.status != 422 || got.header.Get("Repomill-Reason") != "empty" {
		t.Errorf("empty: got %d %s", got.status, got.body)
	}
	d.checkNothing(t)
	if got := d.put(t, place, strings.Repeat("x", 1000)); got.status != 202 {
		t.Errorf("as large as it may be: got %d %s", got.status, got.body)
	}
}

func TestAChunkedBodyIsTaken(t *testing.T) {
	d := open(t, nil)
	if got := d.call(t, http.MethodPut, place, struct{ io.Reader }{strings.NewReader("bytes")}); got.status != 202 {
		t.Errorf("got %d %s", got.status, got.body)
	}
	d.checkOne(t, "bytes")
}

const head = "PUT " + place + " HTTP/1.1\nHost: x\nAuthorization: Bearer push\n"

func TestABodyThatBreaksOffLeavesNothing(t *testing.T) {
	d := open(t, nil)
	for name, request := range map[string]string{
		"of a known length": head + "Content-Length: 100000\n\nbegin",
		"in chunks":         head + "Transfer-Encoding: chunked\n\n5\nbegin\n",
		"in a bad chunk":    head + "Transfer-Encoding: chunked\n\n5\nbeginning\n",
	} {
		t.Run(name, func(t *testing.T) {
			c := d.dial(t, request)
			if err := c.Conn.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
				t.Fatal(err)
			}
			if got := c.answer(t); got.status != 400 || !strings.Contains(got.body, "broke off") {
				t.Errorf("got %d %s", got.status, got.body)
			}
			d.checkNothing(t)
		})
	}
}

func TestABodyThatIsSlowIsBrokenOff(t *testing.T) {
	d := open(t, func(c *upload.Config) { c.Limits = upload.Limits{MinRate: 1000, Patience: time.Second} })
	t.Run("if it pauses", func(t *testing.T) {
		c := d.dial(t, head+"Content-Length: 100000\n\nbegin")
		if got := c.answer(t); got.status != 408 || !strings.Contains(got.body, "at least 1000 a second") {
			t.Errorf("got %d %s", got.status, got.body)
		}
	})
	t.Run("if it drips", func(t *testing.T) {
		c := d.dial(t, head+"Content-Length: 100000\n\n")
		stop := make(chan struct{})
		go func() {
			for {
				select {
				case <-stop:
					return
				case <-time.After(20 * time.Millisecond):
					io.WriteString(c, "x") //nolint:errcheck // it is broken off
				}
			}
		}()
		if got := c.answer(t); got.status != 408 {
			t.Errorf("got %d %s", got.status, got.body)
		}
		close(stop)
	})
	d.checkNothing(t)
	t.Run("and not if it is fast enough for as long as it takes", func(t *testing.T) {
		c := d.dial(t, head+"Content-Length: 10000\n\n")
		for range 10 { // which is longer than its patience
			time.Sleep(120 * time.Millisecond)
			if _, err := io.WriteString(c, strings.Repeat("x", 1000)); err != nil {
				t.Fatal(err)
			}
		}
		if got := c.answer(t); got.status != 202 {
			t.Errorf("got %d %s", got.status, got.body)
		}
		d.checkOne(t, strings.Repeat("x", 10000))
	})
}

// A client that asks first is answered before it sends the body.
func TestRefusedBeforeTheBody(t *testing.T) {
	d := open(t, func(c *upload.Config) { c.Limits.MaxSize = 1000 })
	for name, want := range map[string]struct {
		request string
		status  int
	}{
		"too large":      {head + "Content-Length: 1001\nExpect: 100-continue\n\n", 413},
		"a wrong place":  {strings.Replace(head, "jammy", "jamy", 1) + "Content-Length: 5\nExpect: 100-continue\n\n", 422},
		"a wrong token":  {strings.Replace(head, "push", "x", 1) + "Content-Length: 5\nExpect: 100-continue\n\n", 401},
		"a right upload": {head + "Content-Length: 5\nExpect: 100-continue\n\n", 100},
	} {
		if got := d.dial(t, want.request).answer(t); got.status != want.status {
			t.Errorf("%s: got %d %s, want %d", name, got.status, got.body, want.status)
		}
	}
}

// A brokenStaging fails.
type brokenStaging struct {
	upload.Staging
	stat, create error
}

func (b brokenStaging) Stat(ctx context.Context, object string) (catalog.Upload, error) {
	if b.stat != nil {
		return catalog.Upload{}, b.stat
	}
	return b.Staging.Stat(ctx, object)
}

func (b brokenStaging) Create(ctx context.Context, object string, body io.Reader, by catalog.Pusher) (catalog.Upload, error) {
	if b.create != nil {
		io.CopyN(io.Discard, body, 2) //nolint:errcheck // what a disk has room for
		return catalog.Upload{}, b.create
	}
	return b.Staging.Create(ctx, object, body, by)
}

func TestStagingThatDoesNotWork(t *testing.T) {
	secret := errors.New("gs://secret-bucket: no route to host")
	for _, tt := range []struct {
		name         string
		stat, create error
		room         func() (int64, error)
		status       int // before the body, if it is not in create
	}{
		{"it is down", secret, nil, nil, 503},
		{"it goes down", nil, secret, nil, 503},
		{"the disk fills up", nil, fmt.Errorf("write secret: %w", syscall.ENOSPC), nil, 507},
		{"the quota is used up", nil, fmt.Errorf("write secret: %w", syscall.EDQUOT), nil, 507},
		{"the disk is full", nil, nil, func() (int64, error) { return 64<<20 + 4, nil }, 507},
		{"the disk cannot be asked", nil, nil, func() (int64, error) { return 0, secret }, 503},
		{"the disk has room for it", nil, nil, func() (int64, error) { return 64<<20 + 5, nil }, 202},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := open(t, func(c *upload.Config) { c.Staging, c.Room = brokenStaging{c.Staging, tt.stat, tt.create}, tt.room })
			got := d.put(t, place, "bytes")
			if got.status != tt.status || strings.Contains(got.body, "secret") {
				t.Errorf("got %d %s, want %d", got.status, got.body, tt.status)
			}
			if tt.status == 202 {
				return
			}
			d.checkNothing(t)
			if tt.create == nil {
				if got := d.dial(t, head+"Content-Length: 5\nExpect: 100-continue\n\n").answer(t); got.status != tt.status {
					t.Errorf("before the body: got %d, want %d", got.status, tt.status)
				}
			}
		})
	}
}

// A body whose size was not said, or others at the same time, may take the room that was there before.
func TestRoomIsLookedAtWhileABodyArrives(t *testing.T) {
	for _, tt := range []struct {
		fact   string
		left   int64 // of what was free, when the body is on its way
		status int
	}{
		{"it stays", 128 << 20, 202},
		{"it goes", 64<<20 - 1, 507},
	} {
		t.Run(tt.fact, func(t *testing.T) {
			var asked atomic.Bool
			d := open(t, func(c *upload.Config) {
				c.Room = func() (int64, error) {
					if asked.Swap(true) {
						return tt.left, nil
					}
					return 1 << 30, nil
				}
			})
			body := struct{ io.Reader }{strings.NewReader(strings.Repeat("x", 1<<20+1))} // whose size is not known
			if got := d.call(t, http.MethodPut, place, body); got.status != tt.status {
				t.Errorf("got %d %s, want %d", got.status, got.body, tt.status)
			}
			if tt.status != 202 {
				d.checkNothing(t)
			}
		})
	}
}

func TestUploadsAtATime(t *testing.T) {
	d := open(t, func(c *upload.Config) {
		c.Gate.Limits = api.NewLimits(api.LimitConfig{UploadsPerToken: 1, Uploads: 2}, time.Now)
	})
	const begun = "Content-Length: 5\nExpect: 100-continue\n\n"
	wait := func(request string) *raw {
		c := d.dial(t, request)
		if got := c.answer(t); got.status != 100 {
			t.Fatalf("got %d %s", got.status, got.body)
		}
		return c
	}
	first := wait(head + begun)
	if got := d.put(t, place, "bytes"); got.status != 429 || got.header.Get("Retry-After") == "" || !strings.Contains(got.body, "this token has too many") {
		t.Errorf("a second of one token: got %d %s", got.status, got.body)
	}
	wait(strings.Replace(head, "Bearer push", "Bearer push2", 1) + begun)
	if got := d.put(t, "/api/v1/upload/other/x/ubuntu/jammy/a.deb", "bytes", "Authorization: Bearer other"); got.status != 503 {
		t.Errorf("a third: got %d %s", got.status, got.body)
	}
	io.WriteString(first, "bytes") //nolint:errcheck // the answer says it
	if got := first.answer(t); got.status != 202 {
		t.Errorf("the first: got %d %s", got.status, got.body)
	}
	if got := d.put(t, place, "bytes"); got.status != 202 {
		t.Errorf("after it: got %d %s", got.status, got.body)
	}
}
