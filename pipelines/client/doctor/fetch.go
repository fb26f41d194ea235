package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"
)

// maxHops is how many redirects dnf follows (librepo, handle.c); apt follows 10.
const maxHops = 6

// maxBody bounds what is read of a release file or key, in bytes: apt reads no more.
const maxBody = 10_000_000

// An answer is what a client gets for a URL.
type answer struct {
	body   []byte
	status int // of the last hop; 0: none
	hops   []Hop
	skew   time.Duration // how far the server's clock is ahead of the host's; of the first hop that has a Date
	dated  bool          // some hop has a Date
	last   *url.URL
	err    error // of the last hop
}

// ok reports whether there is a body.
func (a answer) ok() bool { return a.err == nil && a.status == http.StatusOK }

// redirected reports whether the last hop is at another host than the first.
func (a answer) redirected() bool { return len(a.hops) > 1 }

// What redirects no client follows.
var (
	errDowngrade = errors.New("it redirects from https to http, which apt refuses")
	errScheme    = errors.New("it redirects to a URL that is neither http nor https")
)

// fetch fetches a URL as a client does: through its proxy, with its token for the first host alone, following redirects.
func (e *exam) fetch(ctx context.Context, s source, raw string, l *login) (a answer) {
	key := raw + "\x00" + s.client
	if l != nil {
		key += "\x00" + l.user + "\x00" + l.password
	}
	if known, ok := e.fetched[key]; ok {
		return known
	}
	defer func() { e.fetched[key] = a }()
	at, err := url.Parse(raw)
	if err != nil || at.Host == "" {
		a.err = errors.New("the URL cannot be read")
		return a
	}
	at.User = nil
	first := at
	for n := 0; ; n++ {
		send := l
		if at.Host != first.Host || at.Scheme != first.Scheme {
			send = nil
		}
		next := e.hop(ctx, &a, s, at, send)
		switch {
		case next == nil:
			return a
		case n == maxHops:
			a.err = fmt.Errorf("more than %d redirects", maxHops)
			return a
		case at.Scheme == "https" && next.Scheme == "http":
			a.err = errDowngrade
			return a
		}
		at = next
	}
}

// hop sends one request and returns where it redirects to; nil if it does not.
func (e *exam) hop(ctx context.Context, a *answer, s source, at *url.URL, l *login) (next *url.URL) {
	h := Hop{URL: shown(at.String()), Credentials: l != nil}
	a.last, a.status, a.body = at, 0, nil
	defer func() {
		if a.err != nil {
			h.Error = a.err.Error()
		}
		a.hops = append(a.hops, h)
	}()
	p, err := e.proxyFor(s, at)
	if err != nil {
		a.err = err
		return nil
	}
	if p.url != nil {
		h.Proxy = shown(p.url.String()) + " (" + p.from + ")"
	}
	ctx, cancel := context.WithTimeout(ctx, e.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil)
	if err != nil {
		a.err = errors.New("the URL cannot be read")
		return nil
	}
	req.Header.Set("User-Agent", "repomill-doctor")
	req.Header.Set("Accept-Encoding", "identity")
	if l != nil {
		req.SetBasicAuth(l.user, l.password)
	}
	sent := e.Now()
	resp, err := e.transport(s, p).RoundTrip(req)
	if err != nil {
		a.err = fault{err, at.Hostname(), p}
		return nil
	}
	defer resp.Body.Close()
	h.Status, a.status = resp.StatusCode, resp.StatusCode
	if date, err := http.ParseTime(resp.Header.Get("Date")); err == nil && !a.dated {
		age, _ := strconv.Atoi(resp.Header.Get("Age")) //nolint:errcheck // 0: no cache answers
		a.dated, a.skew = true, date.Add(time.Duration(age)*time.Second).Sub(sent.Truncate(time.Second))
	}
	if slices.Contains([]int{301, 302, 303, 307, 308}, resp.StatusCode) {
		next, err := resp.Location()
		if err != nil {
			a.err = errors.New("it redirects to nowhere")
			return nil
		}
		e.secrets.addURL(next.String())
		if next.Scheme != "http" && next.Scheme != "https" {
			a.err = errScheme
			return nil
		}
		return next
	}
	if a.body, err = io.ReadAll(io.LimitReader(resp.Body, maxBody)); err != nil {
		a.err = fault{err, at.Hostname(), p}
	}
	return nil
}

// transport is used once: clients differ in proxy and certificates.
func (e *exam) transport(s source, p proxy) http.RoundTripper {
	dialer := &net.Dialer{Timeout: e.Timeout}
	t := &http.Transport{DialContext: dialer.DialContext, DisableKeepAlives: true, TLSHandshakeTimeout: e.Timeout,
		ResponseHeaderTimeout: e.Timeout, TLSClientConfig: &tls.Config{RootCAs: e.certificates(s), Time: e.Now}}
	if p.url != nil {
		t.Proxy = http.ProxyURL(p.url)
	}
	return t
}

// bundles are the files with the certificates that a host trusts.
var bundles = []string{"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem",
	"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", "/etc/ssl/cert.pem"}

// certificates returns what a client trusts for an entry; nil means those of this machine.
func (e *exam) certificates(s source) *x509.CertPool {
	pool := x509.NewCertPool()
	if text, err := e.root.read(e.bundle(s)); err == nil && pool.AppendCertsFromPEM(text) {
		return pool
	}
	return nil
}

// bundle returns the file of certificates of an entry: the one that is set, or the host's; "" if there is none.
func (e *exam) bundle(s source) string {
	if set, _ := e.bundleSet(s); set != "" {
		return set
	}
	for _, file := range bundles {
		if _, err := e.root.stat(file); err == nil {
			return file
		}
	}
	return ""
}

// bundleSet returns the file that the configuration names, and where.
func (e *exam) bundleSet(s source) (file, where string) {
	if s.client == "apt" {
		u, err := url.Parse(s.url)
		if err != nil {
			return "", ""
		}
		return e.apt.of("https", u.Hostname(), "CaInfo")
	}
	return s.fields["sslcacert"], s.place()
}
