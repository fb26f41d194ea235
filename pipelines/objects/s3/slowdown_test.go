package s3_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"repomill/pipelines/objects/s3"
	"repomill/schemas/layout"
	"repomill/testdata/s3test"
)

// A store that serves fewer requests than are asked for makes writers slower, and none fails.
func TestSlowDown(t *testing.T) {
	t.Parallel()
	server := s3test.Start(t)
	b, err := s3.OpenBucket(t.Context(), server.URL("slow"))
	if err != nil {
		t.Fatal(err)
	}
	const perSecond, writers, each = 30, 12, 4
	end := server.Limit(perSecond)
	var wg sync.WaitGroup
	start := time.Now()
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				key := fmt.Sprintf("acme/tools/el/9/aarch64/hello-%d-%d.noarch.rpm", w, i)
				if err := b.Create(t.Context(), layout.ObjectOf(key), strings.NewReader(key)); err != nil {
					t.Errorf("%s after %v: %v", key, time.Since(start), err)
				}
				if _, err := b.Stat(t.Context(), key); err != nil { // HEAD, whose answer has no code of an error
					t.Errorf("%s after %v: %v", key, time.Since(start), err)
				}
			}
		})
	}
	wg.Wait()
	refused := end()
	t.Logf("%d writes and reads in %v, %d requests refused", writers*each, time.Since(start), refused)
	if refused == 0 {
		t.Error("the store refused no request")
	}
}
