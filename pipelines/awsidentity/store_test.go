package awsidentity_test

import (
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"regexp"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"repomill/pipelines/awsidentity"
	store "repomill/pipelines/objects/s3"
	"repomill/testdata/awstest"
)

var accessKey = regexp.MustCompile(`Credential=([^/]+)/`)

// A machine of Google opens a bucket of Amazon: metadata server, STS, S3.
func TestABucketIsOpenedWithTheRole(t *testing.T) {
	emulator, err := url.Parse(awstest.Emulator(t, "s3,sts,iam"))
	if err != nil {
		t.Fatal(err)
	}
	var seen sync.Map // access keys
	proxy := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(emulator)
		r.Out.Host = r.In.Host
		if key := accessKey.FindStringSubmatch(r.In.Header.Get("Authorization")); key != nil {
			seen.Store(key[1], true)
		}
	}})
	t.Cleanup(proxy.Close)
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL": proxy.URL, "AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull, "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_ACCESS_KEY_ID": "operator", "AWS_SECRET_ACCESS_KEY": "operator",
	} {
		t.Setenv(name, value)
	}
	operator, err := config.LoadDefaultConfig(t.Context(), config.WithRegion("us-east-1"))
	if err != nil {
		t.Fatal(err)
	}
	client := s3.NewFromConfig(operator, func(o *s3.Options) { o.UsePathStyle = true })
	if _, err := client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("acme-packages")}); err != nil {
		t.Fatal(err)
	}
	seen.Clear()
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "")

	m := awstest.StartMetadata(t)
	flags := awsidentity.Flags{AWSIdentity: awsidentity.Google, AWSAudience: "sts.amazonaws.com", AWSRole: "arn:aws:iam::000000000000:role/repomill-ops-serve", MetadataHost: m.Host}
	bucket, err := store.OpenBucket(flags.Use(t.Context()), "s3://acme-packages?region=us-east-1&path-style=true")
	if err != nil {
		t.Fatal(err)
	}
	defer bucket.Close()
	if got := <-m.Audiences; got != "sts.amazonaws.com" {
		t.Errorf("the token is for %q", got)
	}
	var keys []string
	seen.Range(func(key, _ any) bool { keys = append(keys, key.(string)); return true })
	if len(keys) != 1 || keys[0] == "operator" {
		t.Errorf("S3 was asked with the keys %q; want the role's", keys)
	}
	t.Run("not without a metadata server", func(t *testing.T) {
		flags.MetadataHost = "127.0.0.1:1"
		if _, err := store.OpenBucket(flags.Use(t.Context()), "s3://acme-packages?region=us-east-1&path-style=true"); err == nil {
			t.Error("the bucket is opened")
		}
	})
}
