package awsidentity

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// A metadata is Google's metadata server, as a source of ID tokens. Its protocol is one GET: Google's library for it would be
// most of the resolver.
type metadata struct{ host, audience string }

// The server is on the same machine. One that has just started may be late.
const (
	timeLimit = 5 * time.Second // of one request
	attempts  = 4
)

// pause is the time before the second request; each later one waits twice as long.
var pause = 500 * time.Millisecond

// maxToken bounds a token, in bytes.
const maxToken = 16 << 10

// GetIdentityToken returns a new ID token of the machine's service account.
func (m metadata) GetIdentityToken() ([]byte, error) {
	var last *metadataError
	for i := range attempts {
		if i > 0 {
			time.Sleep(pause << (i - 1))
		}
		token, err := m.get()
		if err == nil {
			return token, nil
		}
		if last = err; !err.passes() {
			break
		}
	}
	return nil, last
}

func (m metadata) get() ([]byte, *metadataError) {
	ctx, cancel := context.WithTimeout(context.Background(), timeLimit)
	defer cancel()
	at := url.URL{
		Scheme: "http", Host: m.host, Path: "/computeMetadata/v1/instance/service-accounts/default/identity",
		RawQuery: url.Values{"audience": {m.audience}, "format": {"full"}}.Encode(),
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil)
	if err != nil {
		return nil, &metadataError{host: m.host, err: err}
	}
	req.Header.Set("Metadata-Flavor", "Google")
	client := http.Client{Transport: &http.Transport{Proxy: nil, DisableKeepAlives: true}} // a proxy must not see the token
	resp, err := client.Do(req)
	if err != nil {
		return nil, &metadataError{host: m.host, err: err}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxToken))
	token := strings.TrimSpace(string(body))
	if err == nil && (resp.StatusCode != http.StatusOK || resp.Header.Get("Metadata-Flavor") != "Google" || strings.Count(token, ".") != 2) {
		err = fmt.Errorf("it answers %s", resp.Status)
	}
	if err != nil {
		return nil, &metadataError{host: m.host, status: resp.StatusCode, err: err}
	}
	return []byte(token), nil
}

// A metadataError says why there is no ID token.
type metadataError struct {
	host   string
	status int // 0 without an answer
	err    error
}

func (e *metadataError) Error() string {
	return fmt.Sprintf("ask Google's metadata server at %s for an ID token: %v", e.host, e.err)
}

func (e *metadataError) Unwrap() error { return e.err }

// passes reports whether another request may be answered.
func (e *metadataError) passes() bool {
	return e.status == 0 || e.status == http.StatusTooManyRequests || e.status >= http.StatusInternalServerError
}

func (e *metadataError) advice() string {
	switch {
	case e.status == 0:
		return "Google's metadata server does not answer; run this on a machine of Google, and let its network policy pass " + e.host + "; elsewhere leave out --aws-identity"
	case e.status == http.StatusNotFound:
		return "this machine or pod has no service account; give it the one that the role trusts"
	case e.passes():
		return "Google's metadata server is not ready; repeat it"
	}
	return "Google's metadata server gives no ID token; check that the service account exists and may be used here, and --aws-audience"
}
