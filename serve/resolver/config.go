package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"strings"

	"repomill/pipelines/command"
	"repomill/pipelines/objects/file"
	"repomill/pipelines/objects/s3"
	"repomill/serve"
	"repomill/serve/cloudfront"
)

// maxKeyFile bounds the key file, in bytes.
const maxKeyFile = 64 << 10

// A bucket is the published bucket, read only.
type bucket interface {
	serve.Bucket
	io.Closer
}

// openBucket opens the bucket of --bucket. Its errors carry an exit code.
func openBucket(ctx context.Context, cfg Config) (bucket, error) {
	scheme, path, _ := strings.Cut(cfg.Bucket, "://")
	switch scheme {
	case "s3":
		b, err := s3.OpenBucket(ctx, cfg.Bucket)
		if err != nil {
			return nil, command.Fault(err)
		}
		return b, nil
	case "file":
		if info, err := os.Stat(path); err != nil || !info.IsDir() { // file.OpenBucket would create it
			return nil, command.Fault(fmt.Errorf("--bucket file://%s: there is no such folder", path))
		}
		b, err := file.OpenBucket(cfg.Bucket)
		if err != nil {
			return nil, command.Fault(fmt.Errorf("--bucket: %w", err))
		}
		return b, nil
	default:
		return nil, command.Usage("--bucket: use s3://bucket?region=R or file:///path/to/folder")
	}
}

// newSigner reads the key of --key and returns a signer of URLs below --cdn.
func newSigner(cfg Config) (*cloudfront.Signer, error) {
	text, err := readKey(cfg.Key)
	if err != nil {
		return nil, err
	}
	key, err := cloudfront.ParseKey(text)
	if err != nil {
		return nil, command.Usage("--key %s: %w", cfg.Key, err)
	}
	cdn, err := siteURL("--cdn", cfg.CDN)
	if err != nil {
		return nil, err
	}
	signer, err := cloudfront.NewSigner(cdn, cfg.KeyPairID, key)
	if err != nil {
		return nil, command.Usage("--cdn or --key-pair-id: %w", err)
	}
	return signer, nil
}

func readKey(rawURL string) ([]byte, error) {
	path, ok := strings.CutPrefix(rawURL, "file://")
	if !ok || !strings.HasPrefix(path, "/") { // the value is not shown: it may be the key itself
		return nil, command.Usage("--key: use file:///path/to/key.pem")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, command.Usage("--key: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxKeyFile+1))
	if err == nil && len(text) > maxKeyFile {
		err = fmt.Errorf("more than %d bytes", maxKeyFile)
	}
	if err != nil {
		return nil, command.Usage("--key %s: %w", rawURL, err)
	}
	return text, nil
}

// check refuses a configuration that would redirect clients to a URL they cannot follow.
func (cfg Config) check() error {
	public, err := siteURL("--public-url", cfg.PublicURL)
	if err != nil {
		return err
	}
	cdn, err := siteURL("--cdn", cfg.CDN)
	if err != nil {
		return err
	}
	if public.Scheme == "https" && cdn.Scheme == "http" {
		return command.Usage("--cdn %s: apt refuses a redirect from https to http; use https://%s", cfg.CDN, cdn.Host)
	}
	if strings.EqualFold(public.Host, cdn.Host) || address(public) == address(cdn) {
		return command.Usage("--cdn %s has the host of --public-url: clients would come back here, or send their token to the bucket; use the distribution's own name", cfg.CDN)
	}
	addresses := []struct{ flag, value string }{{"--listen", cfg.Listen}, {"--ops-listen", cfg.OpsListen}}
	for _, a := range addresses {
		if _, _, err := net.SplitHostPort(a.value); err != nil && (a.flag == "--listen" || a.value != "") {
			return command.Usage("%s %q: use host:port, such as 127.0.0.1:8080", a.flag, a.value)
		}
	}
	if cfg.Grace < 0 {
		return command.Usage("--grace %v: use a duration such as 10s", cfg.Grace)
	}
	return nil
}

// address returns the host of a URL in lower case, and its port.
func address(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return strings.ToLower(strings.TrimSuffix(u.Hostname(), ".")) + ":" + port
}

// siteURL parses the URL in a flag: http or https, a host, and an optional path.
func siteURL(flag, raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err == nil && u.User != nil { // not shown: it may have a password
		return nil, command.Usage("%s: want no user or password in the URL", flag)
	}
	if err == nil && (u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.ForceQuery || u.Fragment != "") {
		err = errors.New("not a site")
	}
	if err != nil {
		return nil, command.Usage("%s %q: use https://NAME[:PORT]", flag, raw)
	}
	return u, nil
}
