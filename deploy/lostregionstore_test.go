package deploy_test

import (
	"bytes"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"

	"repomill/pipelines/objects"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
	"repomill/testdata/proctest"
	"repomill/testdata/s3test"
)

// replicate copies the objects that match from the primary as they are now, in the order of their keys or the opposite one, and stops
// before the first whose key has a text in it, if the text is not empty.
func (d *lostRegion) replicate(backwards bool, stop string, match func(key string) bool) {
	d.t.Helper()
	var keys []string
	pages := awss3.NewListObjectsV2Paginator(d.s3.Client(), &awss3.ListObjectsV2Input{Bucket: aws.String("acme-packages")})
	for pages.HasMorePages() {
		page, err := pages.NextPage(d.t.Context())
		if err != nil {
			d.t.Fatal(err)
		}
		for _, o := range page.Contents {
			keys = append(keys, aws.ToString(o.Key))
		}
	}
	if backwards {
		slices.Reverse(keys)
	}
	for _, key := range keys {
		if stop != "" && strings.Contains(key, stop) {
			return
		}
		if !match(key) {
			continue
		}
		got, err := d.s3.Client().GetObject(d.t.Context(), &awss3.GetObjectInput{Bucket: aws.String("acme-packages"), Key: &key})
		if err != nil {
			d.t.Fatal(err)
		}
		body, err := io.ReadAll(got.Body)
		if err != nil {
			d.t.Fatal(err)
		}
		got.Body.Close() //nolint:errcheck // it was read
		d.put(key, body)
	}
}

// staged returns the bytes of the staged object whose name ends so.
func (d *lostRegion) staged(name string) (body []byte) {
	d.t.Helper()
	staging, err := objects.OpenStaging(d.t.Context(), d.staging)
	if err != nil {
		d.t.Fatal(err)
	}
	defer staging.Close() //nolint:errcheck // it was read
	err = staging.List(d.t.Context(), time.Now(), func(u catalog.Upload) {
		if !strings.HasSuffix(u.Object, name) {
			return
		}
		in, _, err := staging.Open(d.t.Context(), u)
		if err != nil {
			d.t.Fatal(err)
		}
		defer in.Close()
		if body, err = io.ReadAll(in); err != nil {
			d.t.Fatal(err)
		}
	})
	if err != nil || len(body) == 0 {
		d.t.Fatalf("staging has no %s: %v", name, err)
	}
	return body
}

// put stores an object of the replica.
func (d *lostRegion) put(key string, body []byte) {
	d.t.Helper()
	object := layout.ObjectOf(key)
	if _, err := d.far.Client().PutObject(d.t.Context(), &awss3.PutObjectInput{Bucket: aws.String("acme-packages-replica"), Key: &key, Body: bytes.NewReader(body),
		ContentType: &object.ContentType, CacheControl: &object.CacheControl}); err != nil {
		d.t.Fatal(err)
	}
}

// settle waits until the primary has the last file of the install scripts of repositories, which follow a publish.
func (d *lostRegion) settle(repositories ...string) {
	d.t.Helper()
	for _, r := range repositories {
		key := "install/repositories/" + r + "/ubuntu/jammy/config_file.list"
		proctest.Eventually(d.t, key+" is published", func() bool {
			_, err := d.s3.Client().HeadObject(d.t.Context(), &awss3.HeadObjectInput{Bucket: aws.String("acme-packages"), Key: &key})
			return err == nil
		})
	}
}

// state returns the ETags of all objects of the replica.
func (d *lostRegion) state() map[string]string {
	d.t.Helper()
	all := map[string]string{}
	pages := awss3.NewListObjectsV2Paginator(d.far.Client(), &awss3.ListObjectsV2Input{Bucket: aws.String("acme-packages-replica")})
	for pages.HasMorePages() {
		page, err := pages.NextPage(d.t.Context())
		if err != nil {
			d.t.Fatal(err)
		}
		for _, o := range page.Contents {
			all[aws.ToString(o.Key)] = aws.ToString(o.ETag) + o.LastModified.String()
		}
	}
	return all
}

// lose makes every request to the primary fail until heal is called.
func (d *lostRegion) lose() (heal func()) {
	var heals []func() int
	for _, operation := range []string{s3test.Read, s3test.PutObject, s3test.UploadPart, s3test.CreateMultipartUpload, s3test.CompleteMultipartUpload, s3test.DeleteObject} {
		heals = append(heals, d.s3.Break(operation, "", s3test.Lost))
	}
	return func() {
		for _, heal := range heals {
			heal()
		}
	}
}
