package cloudfront

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/feature/cloudfront/sign"
)

// parameters are the query parameters of a signed URL, by name, not decoded.
type parameters map[string]string

// parameterNames are the parameters that a signed URL may have. Others are refused: they have no meaning
// here, and are in neither the cache key nor the request to the bucket.
var parameterNames = []string{"Expires", "Policy", "Signature", "Key-Pair-Id", "Hash-Algorithm"}

// parseParameters reads a raw query. Values are not percent-decoded: none of them needs encoding.
func parseParameters(query string) (parameters, error) {
	if query == "" {
		return nil, refuse("the URL is not signed")
	}
	p := parameters{}
	for pair := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(pair, "=")
		if !slices.Contains(parameterNames, name) {
			return nil, refuse("a parameter is unknown") // its name is not logged: it may be a secret of another server
		}
		if _, ok := p[name]; ok {
			return nil, refuse("parameter %s is given twice", name)
		}
		if value == "" {
			return nil, refuse("parameter %s is empty", name)
		}
		p[name] = value
	}
	for _, name := range []string{"Signature", "Key-Pair-Id"} {
		if p[name] == "" {
			return nil, refuse("parameter %s is missing", name)
		}
	}
	if (p["Expires"] == "") == (p["Policy"] == "") {
		return nil, refuse("want either Expires or Policy")
	}
	return p, nil
}

// policy returns the bytes that the signature must cover: the custom policy that was sent, or the canned
// policy of resource. resource is a URL without bytes that JSON escapes.
func (p parameters) policy(resource string) ([]byte, error) {
	if custom := p["Policy"]; custom != "" {
		policy, err := decode(custom)
		if err != nil {
			return nil, refuse("the policy is not CloudFront's form of base64")
		}
		return policy, nil
	}
	expires, err := strconv.ParseInt(p["Expires"], 10, 64)
	if err != nil || strconv.FormatInt(expires, 10) != p["Expires"] {
		return nil, refuse("Expires %q is not a plain number of seconds", cut(p["Expires"]))
	}
	return fmt.Appendf(nil, `{"Statement":[{"Resource":"%s","Condition":{"DateLessThan":{"AWS:EpochTime":%d}}}]}`, resource, expires), nil
}

// permits returns an error unless a policy allows the URL resource at now. The caller has verified its signature.
func permits(policy []byte, resource string, now time.Time) error {
	dec := json.NewDecoder(bytes.NewReader(policy))
	dec.DisallowUnknownFields()
	var p sign.Policy
	if err := dec.Decode(&p); err != nil {
		return refuse("the policy cannot be read: %q", cut(err.Error()))
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) || len(p.Statements) != 1 {
		return refuse("the policy is not exactly one statement")
	}
	s := p.Statements[0]
	switch c := s.Condition; {
	case c.DateLessThan == nil:
		return refuse("the policy has no end")
	case !now.Before(c.DateLessThan.Time):
		return refuse("expired at %s", c.DateLessThan.UTC().Format(time.RFC3339))
	case c.DateGreaterThan != nil && !now.After(c.DateGreaterThan.Time):
		return refuse("not good until %s", c.DateGreaterThan.UTC().Format(time.RFC3339))
	case c.IPAddress != nil && c.IPAddress.SourceIP != "0.0.0.0/0":
		return refuse("the policy is for one address range, which is not supported here")
	case !match(s.Resource, resource):
		return refuse("the policy is for another URL")
	}
	return nil
}

// match reports whether s matches pattern: '*' matches any bytes, '?' one byte. The worst case takes time in
// proportion to the product of the lengths.
func match(pattern, s string) bool {
	star, tried := -1, 0 // the last '*', and how far into s it reaches
	i, j := 0, 0
	for j < len(s) {
		switch {
		case i < len(pattern) && pattern[i] == '*':
			star, tried = i, j
			i++
		case i < len(pattern) && (pattern[i] == '?' || pattern[i] == s[j]):
			i++
			j++
		case star >= 0:
			tried++
			i, j = star+1, tried
		default:
			return false
		}
	}
	return strings.Trim(pattern[i:], "*") == ""
}

// fromURL turns CloudFront's base64 into the standard one. Bytes that CloudFront never sends become invalid.
var fromURL = strings.NewReplacer("-", "+", "_", "=", "~", "/", "+", "!", "=", "!", "/", "!", "\r", "!", "\n", "!")

// decode reads CloudFront's form of base64, which has '-', '_' and '~' for '+', '=' and '/'.
func decode(s string) ([]byte, error) {
	return base64.StdEncoding.Strict().DecodeString(fromURL.Replace(s))
}
