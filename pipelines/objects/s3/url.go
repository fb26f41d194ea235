package s3

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"repomill/schemas/layout"
)

// A place is a parsed URL of a bucket.
type place struct {
	bucket    string
	prefix    string // of all keys; empty, or ending in a slash
	region    string // empty: from AWS's configuration
	endpoint  string // empty: Amazon's
	pathStyle bool
	profile   string // of the shared configuration; empty: the default one
}

const urlForm = "s3://bucket[/prefix]?region=R[&endpoint=URL][&path-style=true][&profile=NAME]"

func parseURL(rawURL string) (place, error) {
	u, err := url.Parse(rawURL)
	if err != nil { // the URL itself is not shown: it might hold a secret
		return place{}, errors.New("--bucket is not a URL; use " + urlForm)
	}
	if u.User != nil {
		return place{}, errors.New("--bucket: credentials do not belong into the URL; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile")
	}
	if u.Scheme != "s3" || u.Host == "" || u.Port() != "" || u.Fragment != "" {
		return place{}, fmt.Errorf("--bucket %q: use %s", layout.Shown(rawURL), urlForm)
	}
	at := place{bucket: u.Host}
	if prefix := strings.Trim(u.Path, "/"); prefix != "" {
		at.prefix = prefix + "/"
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return place{}, fmt.Errorf("--bucket %s: read the URL's parameters: %w", at, err)
	}
	for name, values := range query {
		if len(values) != 1 {
			return place{}, fmt.Errorf("--bucket %s: the URL has %s more than once", at, name)
		}
		if err := at.set(name, values[0]); err != nil {
			return place{}, fmt.Errorf("--bucket %s: %w", at, err)
		}
	}
	return at, nil
}

func (at *place) set(name, value string) (err error) {
	switch name {
	case "region":
		at.region = value
	case "profile":
		at.profile = value
	case "path-style":
		if at.pathStyle, err = strconv.ParseBool(value); err != nil {
			return fmt.Errorf("path-style=%s: use true or false", value)
		}
	case "endpoint":
		u, err := url.Parse(value)
		if err != nil || u.Host == "" || !slices.Contains([]string{"http", "https"}, u.Scheme) || u.User != nil {
			return errors.New("endpoint: use http://host:port or https://host:port, without credentials")
		}
		at.endpoint = value
	default:
		return fmt.Errorf("unknown parameter %q; use %s", name, urlForm)
	}
	return nil
}

// String returns the URL without its parameters.
func (at place) String() string { return strings.TrimSuffix("s3://"+at.bucket+"/"+at.prefix, "/") }

// options returns the options of AWS's configuration that the URL sets.
func (at place) options() []func(*config.LoadOptions) error {
	options := []func(*config.LoadOptions) error{config.WithHTTPClient(newHTTPClient())}
	if at.region != "" {
		options = append(options, config.WithRegion(at.region))
	} else if at.endpoint != "" {
		options = append(options, config.WithDefaultRegion("us-east-1")) // other stores seldom have regions
	}
	if at.profile != "" {
		options = append(options, config.WithSharedConfigProfile(at.profile))
	}
	return options
}

// apply sets the options of the client. A request that conflicts with a concurrent one (409) is retried, and one that is throttled for longer.
func (at place) apply(o *s3.Options) {
	if at.endpoint != "" {
		o.BaseEndpoint = aws.String(at.endpoint)
	}
	o.UsePathStyle = at.pathStyle
	o.Retryer = retry.AddWithErrorCodes(o.Retryer, codeConcurrent, "OperationAborted")
	bePatient(o)
	o.DisableLogOutputChecksumValidationSkipped = true // a store without checksums is not worth a log line
}
