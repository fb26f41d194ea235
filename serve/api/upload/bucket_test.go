package upload_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"repomill/pipelines/objects"
	"repomill/schemas/catalog"
	"repomill/serve/api/upload"
	"repomill/testdata/gcstest"
)

// A staging bucket in the cloud is as a folder is, and has who pushed.
func TestUploadsToABucket(t *testing.T) {
	server := gcstest.Start(t)
	staging, err := objects.OpenStaging(t.Context(), server.URL("staging-bucket"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { staging.Close() })
	d := open(t, func(c *upload.Config) { c.Staging = staging })
	list := func() (all []catalog.Upload) {
		if err := staging.List(t.Context(), time.Now(), func(u catalog.Upload) { all = append(all, u) }); err != nil {
			t.Fatal(err)
		}
		return all
	}

	c := d.dial(t, head+"Content-Length: 20000000\n\n"+strings.Repeat("x", 10_000_000)) // more than a request of the bucket's
	if err := c.Conn.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if got := c.answer(t); got.status != 400 {
		t.Errorf("a body that breaks off: got %d %s", got.status, got.body)
	}
	if got := d.put(t, place, "bytes", "X-Checksum-Sha256: "+sum("other")); got.status != 422 {
		t.Errorf("another digest: got %d %s", got.status, got.body)
	}
	if all := list(); len(all) != 0 {
		t.Errorf("staged: %+v, want nothing", all)
	}

	first := d.put(t, place, "bytes", "Idempotency-Key: k", "Repomill-Job: https://ci.example/forged")
	for want, body := range map[int]string{202: "bytes", 422: "other"} {
		if got := d.put(t, place, body, "Idempotency-Key: k"); got.status != want {
			t.Errorf("%s again: got %d %s, want %d", body, got.status, got.body, want)
		}
	}
	all := list()
	if len(all) != 1 || all[0].Generation != first.report(t).Generation {
		t.Fatalf("staged: %+v, want %s", all, first.body)
	}
	r, by, err := staging.Open(t.Context(), all[0])
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	body, err := io.ReadAll(r)
	if want := (catalog.Pusher{User: "token push", Job: "https://ci.example/1"}); by != want || string(body) != "bytes" || err != nil {
		t.Errorf("got %q by %+v, %v; want it by %+v", body, by, err, want)
	}
	if got := d.call(t, http.MethodGet, pathOf(t, first.report(t)), nil); got.status != 202 {
		t.Errorf("asked: got %d %s", got.status, got.body)
	}
}
