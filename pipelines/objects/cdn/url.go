package cdn

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"

	"repomill/schemas/layout"
)

const urlForm = "cloudfront://DISTRIBUTIONID[?region=R][&endpoint=URL]"

// distributionPattern matches the IDs of CloudFront distributions.
var distributionPattern = regexp.MustCompile(`^[A-Z0-9]{1,64}$`)

// A place is a parsed URL of a CDN.
type place struct {
	distribution string
	region       string // in which requests are signed; CloudFront has one for the whole world
	endpoint     string // empty: Amazon's
}

func parseURL(rawURL string) (place, error) {
	u, err := url.Parse(rawURL)
	if err != nil || u.User != nil { // not shown: it might hold a secret
		return place{}, errors.New("--invalidate: use " + urlForm + ", without credentials")
	}
	if u.Scheme != "cloudfront" || !distributionPattern.MatchString(u.Host) || u.Path != "" && u.Path != "/" {
		return place{}, fmt.Errorf("--invalidate %q: use %s", layout.Shown(rawURL), urlForm)
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return place{}, fmt.Errorf("--invalidate: read the URL's parameters: %w", err)
	}
	at := place{distribution: u.Host, region: "us-east-1"}
	for name, values := range query {
		value := values[len(values)-1]
		switch name {
		case "region":
			at.region = value
		case "endpoint":
			e, err := url.Parse(value)
			if err != nil || e.Host == "" || e.User != nil || !slices.Contains([]string{"http", "https"}, e.Scheme) {
				return place{}, errors.New("--invalidate: endpoint: use http://host:port or https://host:port, without credentials")
			}
			at.endpoint = value
		default:
			return place{}, fmt.Errorf("--invalidate: unknown parameter %q; use %s", name, urlForm)
		}
	}
	return at, nil
}
