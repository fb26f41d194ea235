package s3_test

import (
	"fmt"
	"sync/atomic"
	"testing"

	"repomill/pipelines/objects/objectstest"
	"repomill/pipelines/objects/s3"
	"repomill/testdata/s3test"
)

func TestS3Bucket(t *testing.T) {
	t.Parallel()
	server := s3test.Start(t)
	var n atomic.Int64
	objectstest.TestBucket(t, func(t *testing.T) objectstest.Bucket {
		return openBucket(t, server.URL(fmt.Sprintf("bucket-%d", n.Add(1))))
	})
}

func openBucket(t *testing.T, url string) *s3.Bucket {
	t.Helper()
	b, err := s3.OpenBucket(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}
