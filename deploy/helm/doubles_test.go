package helm_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"

	"repomill/pipelines/objects/s3"
	"repomill/publish/sign"
	"repomill/schemas/layout"
	"repomill/serve"
	"repomill/serve/cloudfront"
	"repomill/testdata/gcstest"
	"repomill/testdata/mysqltest"
	"repomill/testdata/porttest"
	"repomill/testdata/pubsubtest"
	"repomill/testdata/s3test"
)

const keyPairID = "K2JCJMDEHXQW5F"

// Services are what the chart's pods connect to: protocol servers on loopback, and a CDN that checks signed URLs.
type services struct {
	staging, events, bucket, logs, catalog, public, cdn string

	tokens  *tokenService
	secrets map[string]map[string]string // what Secrets and ConfigMaps with these names have
}

func startServices(t testing.TB) *services {
	t.Helper()
	gcs, pubsub, store, database := gcstest.Start(t), pubsubtest.Start(t), s3test.Start(t), mysqltest.NewServer(t)
	gcs.Notify = func(payload []byte, attrs map[string]string) { pubsub.Publish(payload, attrs) }
	s := &services{staging: gcs.URL("acme-staging"), events: pubsub.URL("repomill"), bucket: store.URL("acme-packages"),
		public: "http://" + porttest.Free(t), tokens: startTokenService(t)}
	database.Exec(t, "CREATE USER mill@localhost IDENTIFIED BY 'geheim'", "GRANT ALL ON *.* TO mill@localhost")
	s.writeLog(t, store)
	s.catalog = strings.Replace(database.Database(t), "root@", "mill@", 1)
	urlKey := s.makeKeys(t)
	s.serveCDN(t, urlKey)
	return s
}

// writeLog writes a log of the CDN, of one download of the package that the test pushes and of its index.
func (s *services) writeLog(t testing.TB, store *s3test.Server) {
	t.Helper()
	s.logs = strings.Replace(store.URL("acme-logs"), "s3://acme-logs", "s3://acme-logs/cdn/", 1)
	var body strings.Builder
	for _, path := range []string{"/acme/tools/ubuntu/pool/jammy/main/h/hello/hello_1.0_amd64.deb", "/acme/tools/ubuntu/dists/jammy/InRelease"} {
		fmt.Fprintf(&body, `{"date":"%s","time":"21:57:10","x-edge-location":"FRA56-P4","sc-bytes":"7000","c-ip":"192.0.2.1","cs-method":"GET","cs(Host)":"d1.cloudfront.net",`+
			`"cs-uri-stem":"%s","sc-status":"200","cs(User-Agent)":"Debian%%20APT-HTTP/1.3%%20(2.4.5)","cs-uri-query":"-","sc-content-len":"6848","sc-range-start":"-","sc-range-end":"-"}`+"\n",
			time.Now().UTC().AddDate(0, 0, -1).Format(time.DateOnly), path)
	}
	bucket, key := "acme-logs", "cdn/E1.2026-11-29-21.json"
	if _, err := store.Client().PutObject(t.Context(), &awss3.PutObjectInput{Bucket: &bucket, Key: &key, Body: strings.NewReader(body.String())}); err != nil {
		t.Fatal(err)
	}
}

// makeKeys makes a signing key, one on standby, and a key that signs URLs.
func (s *services) makeKeys(t testing.TB) (urlKey []byte) {
	t.Helper()
	var private, public bytes.Buffer
	for _, name := range []string{"test signing key", "test standby key"} {
		signer, err := sign.Generate(name, sign.MinRSABits, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		key, err := signer.Private()
		if err != nil {
			t.Fatal(err)
		}
		public.Write(signer.Public())
		private.Write(key)
		private.WriteString("\n")
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	urlKey = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	s.secrets = map[string]map[string]string{
		"signing": {"signing-key.asc": private.String()}, "url-key": {"url-key.pem": string(urlKey)},
		"keyring": {"gpg.key": public.String()},
		"catalog": {"password": "geheim\n"}, "catalog-api": {"password": "geheim\n"}, "catalog-stats": {"password": "geheim\n"},
	}
	return urlKey
}

// serveCDN starts what plays CloudFront: it checks signed URLs and reads the bucket.
func (s *services) serveCDN(t testing.TB, urlKey []byte) {
	t.Helper()
	bucket, err := s3.OpenBucket(t.Context(), s.bucket)
	if err != nil {
		t.Fatal(err)
	}
	key, err := cloudfront.ParseKey(urlKey)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.cdn = "http://localhost:" + port(l.Addr().String()) // another host than the resolver's
	edge, err := url.Parse(s.cdn)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewUnstartedServer(serve.NewEdge(serve.EdgeConfig{
		Verifier: cloudfront.NewVerifier(edge, map[string]crypto.PublicKey{keyPairID: key.Public()}),
		Objects:  origin{bucket}, Log: slog.New(slog.DiscardHandler), Now: time.Now,
	}))
	srv.Listener.Close()
	srv.Listener = l
	srv.Start()
	t.Cleanup(srv.Close)
}

// An origin lets the CDN read small objects of S3.
type origin struct{ *s3.Bucket }

// Open implements serve.Objects.
func (o origin) Open(ctx context.Context, key string) (io.ReadSeekCloser, layout.Meta, error) {
	body, meta, err := o.Get(ctx, key)
	if err != nil {
		return nil, meta, err
	}
	defer body.Close()
	all, err := io.ReadAll(io.LimitReader(body, 64<<20))
	return nopCloser{bytes.NewReader(all)}, meta, err
}

type nopCloser struct{ io.ReadSeeker }

func (nopCloser) Close() error { return nil }
