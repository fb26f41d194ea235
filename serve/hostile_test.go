package serve_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"repomill/schemas/catalog"
	"repomill/serve"
	"repomill/testdata/proctest"
)

// A byte that should have been encoded does not turn an encoded slash into a slash, nor move the end of a
// token.
func TestPathKeepsClientEncoding(t *testing.T) {
	b := newBucket()
	b[".repomill/acme/secret.json"] = privateSettings(catalog.Token{Name: "ci", SHA256: serve.TokenDigest("rmt_x")})
	s := newSite(t, b)
	const secretRPM = "acme/secret/el/9/x86_64/a^b.rpm"
	for _, tt := range []struct {
		name, target string
		want         int
	}{
		{"a caret as it is", "/acme/tools/el/9/x86_64/a^b.rpm", 302},
		{"an encoded slash beside a caret", "/acme%2Ftools/el/9/x86_64/a^b.rpm", 404},
		{"an encoded slash beside a caret, in lower case", "/acme/tools/el/9/x86_64/e1%2fa^b.rpm", 404},
		{"encoded dots beside a caret", "/acme/secret/%2e%2e/tools/el/9/x86_64/a^b.rpm", 404},
		{"an encoded slash beside a quote", `/acme%2Ftools/gpgkey"`, 404},
		{"an encoded slash beside a byte beyond ASCII", "/acme%2Ftools/gpgkey\xff", 404},
		{"an encoded token beside a caret", "/priv/%72mt_x/" + secretRPM, 302},
		{"a token that ends in an encoded slash", "/priv/rmt_x%2F" + secretRPM, 404}, // the token is "rmt_x/acme", and no file follows
		{"a token with a slash in it", "/priv/rmt_x%2Fy/" + secretRPM, 401},
		{"a token's folder, encoded", "/%70riv/rmt_x/" + secretRPM, 404},
	} {
		if resp, _ := raw(t, s.resolver, "GET", tt.target); resp.StatusCode != tt.want {
			t.Errorf("%s: got %d, %s, want %d", tt.name, resp.StatusCode, resp.Header.Get("Location"), tt.want)
		}
	}
}

// The query of a request has no effect on the signing parameters of the redirect.
func TestSigningParametersOfARequestAreIgnored(t *testing.T) {
	s := newSite(t, newBucket())
	want := s.locationOf(t, debKey)
	for _, query := range []string{
		"?Policy=eyJ9&Signature=x&Key-Pair-Id=K", "?Expires=9999999999", "?Key-Pair-Id=KEVIL&Key-Pair-Id=KEVIL2", "?Hash-Algorithm=SHA256",
		"??Policy=x", "?&&==", "?response-content-type=text/html", "?versionId=null", "?Policy=%0d%0aSet-Cookie:a=b", "?a;Policy=x", "?" + strings.Repeat("a=b&", 1000), "?%zz",
	} {
		for _, authority := range []string{"", "http://evil.example.org", "http://user:password@evil.example.org:81", "ftp://evil.example.org"} {
			resp, _ := raw(t, s.resolver, "GET", authority+"/"+debKey+query)
			if got := resp.Header.Get("Location"); resp.StatusCode != 302 || got != want {
				t.Errorf("%s%s: got %d, %s, want %s", authority, query, resp.StatusCode, got, want)
			}
		}
	}
	for _, target := range []string{"/" + debKey + "%3FPolicy=x", "/" + debKey + "&Policy=x", "/" + debKey + ";Policy=x", "/" + debKey + "#?Policy=x", "/" + debKey + "%23"} {
		if resp, _ := raw(t, s.resolver, "GET", target); resp.StatusCode != 404 {
			t.Errorf("%s: got %d, %s, want 404", target, resp.StatusCode, resp.Header.Get("Location"))
		}
	}
}

// exchange sends bytes over one connection and returns all that comes back until the server hangs up,
// which it must by itself.
func exchange(t *testing.T, server *httptest.Server, request string) string {
	t.Helper()
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(bufio.NewReader(conn))
	if err != nil {
		t.Errorf("%.80q: after %.40q: %v", request, answer, err)
	}
	return string(answer)
}

// If two servers may disagree about the end of a request, the bytes after it are not read as a request.
func TestBodyDoesNotSmuggleRequests(t *testing.T) {
	s := newSite(t, newBucket())
	const second = "GET /healthz HTTP/1.1\r\nHost: y\r\nConnection: close\r\n\r\n"
	for _, server := range []*httptest.Server{s.resolver, s.edge} {
		for _, tt := range []struct{ name, head, rest string }{
			{"a body", "GET %s HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n", "hello" + second},
			{"a body of a method that is refused", "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n", "hello" + second},
			{"chunks", "GET %s HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", "0\r\n\r\n" + second},
			{"chunks and a length", "GET %s HTTP/1.1\r\nHost: x\r\nContent-Length: 60\r\nTransfer-Encoding: chunked\r\n\r\n", "0\r\n\r\n" + second},
			{"chunks with extensions", "GET %s HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", "0;a=b\r\nTrailer: x\r\n\r\n" + second},
			{"chunks of HTTP/1.0, which has none", "GET %s HTTP/1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n", second},
			{"HTTP/1.0 that would stay", "GET %s HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", second},
			{"two lengths", "GET %s HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nContent-Length: 5\r\n\r\n", second},
			{"an unknown encoding", "GET %s HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n", second},
			{"two encodings", "GET %s HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n", second},
			{"a blank before the colon", "GET %s HTTP/1.1\r\nHost: x\r\nTransfer-Encoding : chunked\r\n\r\n", second},
		} {
			answer := exchange(t, server, fmt.Sprintf(tt.head, "/"+debKey)+tt.rest)
			if n := strings.Count(answer, "HTTP/1."); n != 1 {
				t.Errorf("%s: got %d answers:\n%s", tt.name, n, answer)
			}
		}
		for _, head := range []string{"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"} {
			if answer := exchange(t, server, head+second); strings.Count(answer, "HTTP/1.1 ") != 2 {
				t.Errorf("a request without a body is the last of its connection: %s", answer)
			}
		}
	}
}

// Requests with a mark in every place that a client fills: it comes back in no header, body or log line,
// and no line of the log is more than one.
func TestRequestTextIsEscaped(t *testing.T) {
	const mark = "evilmark"
	var out proctest.Output
	log := slog.New(slog.NewJSONHandler(&out, nil))
	s := newSiteWith(t, newBucket(), newKey(t), func(cfg *serve.ResolverConfig) { cfg.Log = log })
	forged := `%0A{"level":"ERROR","msg":"` + mark + `"}`
	for _, tt := range []struct{ name, target, header string }{
		{"a line of a log", "/acme/tools/gpgkey" + forged, "X: y"},
		{"a line of a log, as a repository", "/acme/" + forged + "/gpgkey", "X: y"},
		{"markup", "/acme/tools/%3Cscript%3E" + mark + "%3C/script%3E", "X: y"},
		{"markup, not encoded", "/<b>" + mark + "</b>", "X: y"},
		{"a header", "/acme/tools/gpgkey%0d%0aSet-Cookie:%20" + mark, "X: y"},
		{"terminal codes", "/%1b[31m" + mark, "X: y"},
		{"text from right to left", "/%e2%80%ae" + mark, "X: y"},
		{"a format", "/%25s%25n" + mark, "X: y"},
		{"an object key", "/.repomill/" + mark + ".json", "X: y"},
		{"the query", "/acme/tools/gpgkey?" + mark, "X: y"},
		{"the host", "/acme/tools/gpgkey", "Host: " + mark + ".example.org"},
		{"the referrer", "/acme/secret/gpgkey", "Referer: http://" + mark + "/"},
		{"the agent", "/acme/secret/gpgkey", "User-Agent: " + mark},
		{"the address", "/acme/secret/gpgkey", "X-Forwarded-For: " + mark},
		{"the token", "/acme/secret/gpgkey", basic(mark, mark)},
		{"a range", "/acme/tools/gpgkey", "Range: " + mark},
	} {
		for _, method := range []string{"GET", "POST", strings.ToUpper(mark)} {
			resp, body := raw(t, s.resolver, method, tt.target, tt.header)
			if answer := fmt.Sprint(resp.Status, resp.Header, body); strings.Contains(strings.ToLower(answer), mark) {
				t.Errorf("%s, %s: the answer has it: %s", tt.name, method, answer)
			}
			if got := out.String(); got != "" {
				t.Fatalf("%s, %s: the log has %s", tt.name, method, got)
			}
			before := s.log.String()
			resp, body = raw(t, s.edge, method, tt.target, tt.header)
			if answer := fmt.Sprint(resp.Status, resp.Header, body); strings.Contains(strings.ToLower(answer), mark) {
				t.Errorf("%s, %s: the edge's answer has it: %s", tt.name, method, answer)
			}
			for line := range strings.Lines(strings.TrimPrefix(s.log.String(), before)) { // with the path, which is ASCII on one line
				if !strings.HasPrefix(line, "time=") || strings.ContainsFunc(strings.TrimSuffix(line, "\n"), func(r rune) bool { return r < ' ' || r > '~' }) {
					t.Errorf("%s, %s: the edge's log has the line %q", tt.name, method, line)
				}
			}
		}
	}
}

// A line of the edge's log is JSON that says what was asked for and nothing else, however odd it was.
func TestEdgeLogHasOneObjectPerLine(t *testing.T) {
	var out bytes.Buffer
	h := serve.NewEdge(serve.EdgeConfig{Verifier: sayingNo{}, Objects: newBucket(), Log: slog.New(slog.NewJSONHandler(&out, nil)), Now: func() time.Time { return noon }})
	paths := []string{"/a\nb", "/a\"}{\"level\":\"ERROR", "/\xff\xfe", "/\u2028", "/" + strings.Repeat("\x01", 4000), "/a%b"}
	for _, path := range paths {
		r := httptest.NewRequest("GET", "/", nil)
		r.URL.Path = path
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
	n := 0
	for line := range bytes.Lines(out.Bytes()) {
		n++
		var l map[string]string
		if err := json.Unmarshal(line, &l); err != nil || l["level"] != "INFO" || len(l) != 5 || len(line) > 2048 {
			t.Errorf("%q: %v", line, err)
		}
	}
	if n != len(paths) {
		t.Errorf("%d lines for %d requests:\n%s", n, len(paths), out.String())
	}
}

// sayingNo is a verifier whose reasons hold what should not break a log.
type sayingNo struct{}

func (sayingNo) Verify(string, time.Time) (string, error) {
	return "", fmt.Errorf("refused\n%q", "\r\n\"")
}

// No log line contains a token, wherever the client sent it and however it is malformed.
func TestTokensAreNeverLogged(t *testing.T) {
	secret, digest := serve.NewToken()
	b := newBucket()
	b[".repomill/acme/secret.json"] = privateSettings(catalog.Token{Name: "ci", SHA256: digest})
	b[".repomill/acme/broken.json"] = "{"
	s := newSite(t, b)
	for _, key := range []string{secretKey, debKey, "acme/broken/gpgkey", "acme/nothing/gpgkey", "nothing"} {
		for _, target := range []string{
			"/priv/" + secret + "/" + key, "//priv/" + secret + "/" + key, "/PRIV/" + secret + "/" + key, "/%70riv/" + secret + "/" + key, "/priv%2F" + secret + "/" + key,
			"/x/priv/" + secret + "/" + key, "/priv/%72" + secret[1:] + "/" + key, "/priv/" + secret, "/" + secret + "/" + key, "/" + key + "?token=" + secret, "/" + key + "?" + secret,
			"/%72" + secret[1:] + "/" + key, "http://" + secret + "@x/" + key,
		} {
			for _, header := range []string{
				"X: y", basic(secret, ""), basic("x", secret), "Authorization: Bearer " + secret, "Authorization: Basic " + secret, "Authorization: " + secret,
				"Cookie: " + secret, "Referer: http://x/priv/" + secret + "/", "Host: " + secret, "Proxy-Authorization: Bearer " + secret,
			} {
				for _, server := range []*httptest.Server{s.resolver, s.edge} {
					resp, body := raw(t, server, "GET", target, header)
					if answer := fmt.Sprint(resp.Header, body); strings.Contains(answer, secret[1:]) {
						t.Errorf("%s, %s: the answer has the token: %s", target, header, answer)
					}
				}
			}
		}
	}
	if log := s.log.String(); strings.Contains(log, secret[1:]) || !strings.Contains(log, "refused") {
		t.Errorf("the log has the token, or nothing at all: %.3000s", log[max(0, strings.Index(log, secret[1:])-300):])
	}
}

// The log line of a fault of the bucket or of the signer does not contain the client's token.
func TestFaultLogOmitsTokens(t *testing.T) {
	var log proctest.Output
	now := func() time.Time { return noon }
	b := newBucket()
	h := serve.NewResolver(serve.ResolverConfig{
		Signer: brokenSigner{}, Settings: newSettings(b, slog.New(slog.NewTextHandler(&log, nil)), now), Log: slog.New(slog.NewTextHandler(&log, nil)), Now: now,
	})
	r := httptest.NewRequest("GET", "/priv/"+strings.ReplaceAll(goodToken, " ", "%20")+"/"+secretKey, nil)
	r.SetBasicAuth(goodToken, goodToken)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != http.StatusInternalServerError || !strings.Contains(log.String(), "no entropy") || strings.Contains(log.String(), "somebody") {
		t.Errorf("got %d, the log has %s", w.Code, log.String())
	}
}
