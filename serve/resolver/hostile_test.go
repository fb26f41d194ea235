package main

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// say sends bytes and returns what comes back until the resolver hangs up, or the first line of it at least.
func (p *process) say(t *testing.T, request string) string {
	t.Helper()
	conn := p.dial(t)
	defer conn.Close()
	go io.WriteString(conn, request) //nolint:errcheck // refused before its end, maybe
	answer, err := io.ReadAll(bufio.NewReader(conn))
	if err != nil && !strings.Contains(string(answer), "\r\n") {
		t.Errorf("%.60q: %v", request, err)
	}
	return string(answer)
}

// Requests are bounded, and malformed ones pass no check. The test sends raw bytes to the real program.
func TestHostileRequests(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put("acme/public/gpgkey", []byte("a key"))
	p := w.spawn(t, "127.0.0.1:0", nil)
	const path, rest = "/acme/public/gpgkey", "Host: evil.example.org\r\nConnection: close\r\n\r\n"
	line := func(target string) string { return "GET " + target + " HTTP/1.1\r\n" + rest }
	with := func(header string) string {
		return "GET " + path + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + header + "\r\n\r\n"
	}
	private := func(header string) string { return strings.Replace(with(header), "public", "private", 1) }
	for _, tt := range []struct {
		name, request string
		want          int
	}{
		{"a huge header", with("A: " + strings.Repeat("a", 64<<10)), 431},
		{"many headers", with(strings.Repeat("A: b\r\n", 10_000) + "A: b"), 431},
		{"a huge target", line("/" + strings.Repeat("a", 64<<10)), 431},
		{"a huge query", line(path + "?" + strings.Repeat("a", 64<<10)), 431},
		{"a huge host", strings.Replace(line(path), "evil", strings.Repeat("evil.", 13<<10), 1), 431},
		{"a huge cookie", with("Cookie: " + strings.Repeat("a", 1<<20)), 431},
		{"a token of a megabyte", private("Authorization: Bearer " + strings.Repeat("x", 1<<20)), 431},
		{"a long path", line("/acme/public/el/9/x86_64/" + strings.Repeat("a", 30_000) + ".rpm"), 404},
		{"many segments", line(strings.Repeat("/a", 10_000)), 404},
		{"many dots", line(strings.Repeat("/..", 8_000)), 404},
		{"two hosts", with("Host: y"), 400},
		{"no host", "GET " + path + " HTTP/1.1\r\n\r\n", 400},
		{"a host that is none", strings.Replace(with("A: b"), "Host: x", "Host: a b\"<evil>", 1), 400},
		{"an empty host", strings.Replace(with("A: b"), "Host: x", "Host:", 1), 302},
		{"HTTP/1.0", "GET " + path + " HTTP/1.0\r\n\r\n", 302},
		{"HTTP/1.9", strings.Replace(with("A: b"), "HTTP/1.1", "HTTP/1.9", 1), 302},
		{"HTTP/2 in words", strings.Replace(with("A: b"), "HTTP/1.1", "HTTP/2.0", 1), 505},
		{"HTTP/2 that was known before", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 405},
		{"HTTP/2 by upgrade", with("Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA"), 302},
		{"HTTP/0.9", "GET " + path + "\r\n", 400},
		{"not HTTP", "hello\r\n\r\n", 400},
		{"TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400},
		{"two lengths", with("Content-Length: 1\r\nContent-Length: 2"), 400},
		{"a negative length", with("Content-Length: -1"), 400},
		{"a length that is a list", with("Content-Length: 0, 0"), 400},
		{"an unknown encoding", with("Transfer-Encoding: xchunked"), 501},
		{"a blank before a colon", with("Transfer-Encoding : chunked"), 400},
		{"a line end in a header", with("A: b\revil: c"), 400},
		{"a NUL in a header", private("Authorization: Bearer \x00" + goodToken), 400},
		{"a name beyond ASCII", with("\xff: b"), 400},
		{"an expectation", with("Expect: <evil>"), 417},
		{"a body", with("Content-Length: 5") + "hello", 302},
		{"a chunk of more than there can be", with("Transfer-Encoding: chunked") + "fffffffffffffffff\r\nevil", 302},
		{"a tunnel", "CONNECT evil.example.org:443 HTTP/1.1\r\n" + rest, 405},
		{"a tunnel to a path", "CONNECT //evil.example.org/ HTTP/1.1\r\n" + rest, 405},
		{"an echo", "TRACE " + path + " HTTP/1.1\r\nCookie: evil\r\n" + rest, 405},
		{"options", "OPTIONS " + path + " HTTP/1.1\r\nOrigin: http://evil\r\n" + rest, 405},
		{"options of everything", "OPTIONS * HTTP/1.1\r\n" + rest, 405},
		{"a method that is disguised", "POST " + path + " HTTP/1.1\r\nX-HTTP-Method-Override: GET\r\n" + rest, 405},
		{"a method with a NUL", "G\x00T " + path + " HTTP/1.1\r\n" + rest, 400},
		{"a method with a tab", "GET\t" + path + " HTTP/1.1\r\n" + rest, 400},
		{"everything", line("*"), 404},
		{"nothing of another site", line("http://evil.example.org"), 404},
		{"another site's root", line("http://evil.example.org/"), 200},
		{"another site's path", line("http://evil.example.org" + path), 302},
		{"another site's path, for somebody", line("http://evil:evil@evil.example.org:81" + path), 302},
		{"another scheme", line("javascript:alert(1)"), 404},
		{"a URL without a scheme", line("evil.example.org" + path), 400},
		{"two slashes", line("//evil.example.org" + path), 404},
		{"three slashes", line("///evil.example.org"), 404},
		{"a slash and a backslash", line(`/\evil.example.org`), 404},
		{"a backslash", line(`\\evil.example.org`), 400},
		{"two slashes that lead back", line("//evil.example.org/%2f.."), 404},
		{"a fragment", line(path + "#evil"), 404},
		{"a parameter of a path", line(path + ";evil"), 404},
		{"a NUL", line(path + "\x00"), 400},
		{"a NUL, encoded", line(path + "%00"), 404},
		{"a line end, encoded", line(path + "%0d%0aSet-Cookie:%20evil=1"), 404},
		{"an encoding cut off", line(path + "%2"), 400},
		{"dots", line("/acme/public/../private/gpgkey"), 404},
		{"dots, encoded", line("/acme/public/%2e%2e/private/gpgkey"), 404},
		{"dots, encoded twice", line("/acme/public/%252e%252e/private/gpgkey"), 404},
		{"dots with too many bytes", line("/acme/public/%c0%ae%c0%ae/private/gpgkey"), 404},
		{"dots of another width", line("/acme/public/%ef%bc%8e%ef%bc%8e/private/gpgkey"), 404},
		{"dots with a parameter", line("/acme/public/..;/private/gpgkey"), 404},
		{"dots and a backslash", line(`/acme/public/..\private\gpgkey`), 404},
		{"an encoded slash", line("/acme/public%2fgpgkey"), 404},
		{"an encoded slash beside a caret", line("/acme%2fpublic/el/9/x86_64/a^b.rpm"), 404},
		{"settings", line("/.repomill/acme/public.json"), 404},
		{"settings, encoded", line("/%2Erepomill/acme/public.json"), 404},
		{"a private repository", private("A: b"), 401},
		{"a private repository, and a NUL for a name", private("Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("\x00:wrong"))), 401},
		{"another host for it", private("X-Forwarded-Host: localhost\r\nX-Forwarded-For: 127.0.0.1\r\nX-Original-URL: " + path), 401},
	} {
		t.Run(tt.name, func(t *testing.T) {
			answer := p.say(t, tt.request)
			if status := fmt.Sprintf(" %d ", tt.want); !strings.HasPrefix(answer, "HTTP/1.1"+status) && !strings.HasPrefix(answer, "HTTP/1.0"+status) {
				t.Errorf("got %.80q, want %d", answer, tt.want)
			}
			if strings.Contains(answer, "evil") || strings.Count(answer, "HTTP/1.") > 1 {
				t.Errorf("the answer has what was sent: %q", answer)
			}
			if location := locationIn(t, answer); (location != "") != (tt.want == 302) || tt.want == 302 && !strings.HasPrefix(location, w.edge.URL+"/acme/public/gpgkey?Policy=") {
				t.Errorf("it leads to %q", location)
			}
		})
	}
	if resp, _ := get(t, p.url+path); resp.StatusCode != http.StatusFound {
		t.Errorf("afterwards: got %d", resp.StatusCode)
	}
	if log := p.Stderr.String(); strings.Count(log, "\n") != 1 {
		t.Errorf("whoever likes can write to the log:\n%s", log)
	}
}

// locationIn finds the header in an answer.
func locationIn(t *testing.T, answer string) string {
	t.Helper()
	resp, err := http.ReadResponse(bufio.NewReader(strings.NewReader(answer)), nil)
	if err != nil {
		t.Errorf("%q: %v", answer, err)
		return ""
	}
	resp.Body.Close()
	return resp.Header.Get("Location")
}

// Operators' pages lead nowhere either, and say nothing of what they were asked.
func TestHostileRequestsToOperatorsPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.spawn(t, "127.0.0.1:0", nil)
	p.url = p.ops
	for target, want := range map[string]int{
		"//evil.example.org/%2e%2e/": 404, `/\evil.example.org/..//`: 404, "/metrics/../evil": 404, "/metrics/": 404, "//metrics": 404, "/%3Cevil%3E": 404, "/debug/pprof/": 404,
		"http://evil.example.org/healthz": 200, "/metrics?evil": 200, "*": 404,
	} {
		answer := p.say(t, "GET "+target+" HTTP/1.1\r\nHost: evil.example.org\r\nConnection: close\r\n\r\n")
		if !strings.HasPrefix(answer, fmt.Sprintf("HTTP/1.1 %d ", want)) || strings.Contains(answer, "evil") || strings.Contains(answer, "Location") {
			t.Errorf("%s: got %.300q, want %d", target, answer, want)
		}
	}
	for _, method := range []string{"POST", "OPTIONS", "TRACE", "CONNECT", "get"} {
		if answer := p.say(t, method+" /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"); !strings.HasPrefix(answer, "HTTP/1.1 405 ") {
			t.Errorf("%s: got %.80q, want 405", method, answer)
		}
	}
}

// However a token gets to the program, its log is without, and each line is one JSON object.
func TestI10NoTokenInTheLogOfTheProgram(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put(".repomill/acme/broken.json", []byte("{"))
	p := w.spawn(t, "127.0.0.1:0", nil, "--serve-through", "metadata")
	for _, key := range []string{"acme/private/gpgkey", "acme/private/el/9/x86_64/a-1.rpm", "acme/broken/gpgkey", "acme/nothing/gpgkey"} {
		for _, target := range []string{"/priv/" + goodToken + "/" + key, "/" + key + "?token=" + goodToken, "/" + goodToken + "/" + key, "//priv/" + goodToken + "/" + key} {
			for _, header := range []string{"X: y", bearer(goodToken), "Authorization: Basic " + goodToken, "Cookie: " + goodToken, "Referer: " + goodToken} {
				p.say(t, "GET "+target+" HTTP/1.1\r\nHost: "+url.PathEscape(goodToken)+"\r\nConnection: close\r\n"+header+"\r\n\r\n")
			}
		}
	}
	_, metrics := get(t, p.ops+"/metrics")
	for name, text := range map[string]string{"log": p.Stderr.String(), "metrics": metrics} {
		if strings.Contains(text, goodToken) {
			t.Errorf("the %s has the token:\n%s", name, text)
		}
	}
	for line := range strings.Lines(p.Stderr.String()) {
		if !json.Valid([]byte(line)) {
			t.Errorf("the log has the line %q", line)
		}
	}
	if !strings.Contains(p.Stderr.String(), "acme/broken") {
		t.Errorf("the log does not tell of the broken settings:\n%s", p.Stderr)
	}
}
