package stats

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/schemas/catalog"
)

const deb = "/acme/tools/ubuntu/pool/jammy/main/h/hello/hello_1.0-7_amd64.deb"

// day is 2026-11-29.
var day = time.Date(2026, 11, 29, 0, 0, 0, 0, time.UTC).Unix() / 86400

// w3cFields are the fields of CloudFront's standard logs, in their order.
const w3cFields = "#Version: 1.0\n#Fields: date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status cs(Referer) cs(User-Agent) cs-uri-query cs(Cookie) x-edge-result-type x-edge-request-id x-host-header cs-protocol cs-bytes time-taken x-forwarded-for ssl-protocol ssl-cipher x-edge-response-result-type cs-protocol-version fle-status fle-encrypted-fields c-port time-to-first-byte x-edge-detailed-result-type sc-content-type sc-content-len sc-range-start sc-range-end\n"

// edge returns a line of CloudFront: its bytes, path, status, agent, length and range.
func edge(sent, path, status, agent, length, first, last string) string {
	return strings.Join([]string{"2026-11-29", "21:57:10", "FRA56-P4", sent, "192.0.2.100", "GET", "d111111abcdef8.cloudfront.net", path, status, "-", agent,
		"Expires=1&Signature=x&Key-Pair-Id=K1", "-", "Hit", "SOX4xwn4XV6Q4rgb7XiVGOHms_BGlTAC4KyHmureZmBNrjGdRLiNIQ==", "packages.acme.example", "https", "23", "0.001", "-",
		"TLSv1.3", "TLS_AES_128_GCM_SHA256", "Hit", "HTTP/2.0", "-", "-", "11040", "0.001", "Hit", "application/vnd.debian.binary-package", length, first, last}, "\t") + "\n"
}

func nginx(request, rest string) string {
	return `192.0.2.7 - - [29/Nov/2026:21:57:10 +0000] "` + request + `" ` + rest + "\n"
}

const apt = `"-" "Debian APT-HTTP/1.3 (2.4.9)"`

// shown is what tests compare of the counts of a log: each row as a text, and its ends.
func shown(res result) map[string][]catalog.End {
	all := map[string][]catalog.End{}
	for r, n := range res.rows {
		text := strings.Join([]string{string(r.Kind), r.Key, r.Client, r.Release, r.Country, r.Legacy}, " ")
		if r.Kind != "" {
			text = strings.Join([]string{string(r.Kind), r.Owner + "/" + r.Name, r.OS + "/" + r.Version, r.Client, r.Legacy}, " ")
		}
		all[strings.Join(strings.Fields(text), " ")] = n.largest
	}
	return all
}

func TestLinesOfServersAreRead(t *testing.T) {
	hello := func(more string) string { return strings.TrimSpace(deb[1:] + " " + more) }
	for _, tt := range []struct {
		fact, log string
		want      map[string][]catalog.End
	}{
		{"nginx combined", nginx("GET "+deb+"?Expires=1 HTTP/1.1", "200 3290 "+apt), map[string][]catalog.End{hello("apt 2.4.9"): {{Byte: 3290, Count: 1}}}},
		{"the edge behind the resolver's host", nginx("GET /.edge"+deb+" HTTP/1.1", "200 3290 "+apt), map[string][]catalog.End{hello("apt 2.4.9"): {{Byte: 3290, Count: 1}}}},
		{"Apache with a virtual host, a user and no bytes", "packages.acme.example:443 192.0.2.7 - ci [29/Nov/2026:21:57:10 +0000] \"GET " + deb + " HTTP/1.1\" 200 - " + apt + "\n",
			map[string][]catalog.End{hello("apt 2.4.9"): {{Byte: 0, Count: 1}}}},
		{"lines that end as on Windows", strings.ReplaceAll(nginx("GET "+deb+" HTTP/1.1", "200 3290 "+apt), "\n", "\r\n"), map[string][]catalog.End{hello("apt 2.4.9"): {{Byte: 3290, Count: 1}}}},
		{"a part with its range", nginx("GET "+deb+" HTTP/1.1", "206 290 "+apt+` "bytes 3000-3289/3290"`), map[string][]catalog.End{hello("apt 2.4.9"): {{Byte: 3290, Count: 1}}}},
		{"a part that broke off", nginx("GET "+deb+" HTTP/1.1", "206 100 "+apt+` "bytes 3000-3289/3290"`), map[string][]catalog.End{hello("apt 2.4.9"): {{Byte: 3100, Count: 1}}}},
		{"a token in the path is not kept", nginx("GET /priv/rmt_secret"+deb+" HTTP/1.1", "200 3290 "+apt), map[string][]catalog.End{hello("apt 2.4.9 token-in-path"): {{Byte: 3290, Count: 1}}}},
		{"a plus sign that is encoded", nginx("GET /acme/tools/ubuntu/pool/jammy/main/h/hello/hello_1.0%2b1_amd64.deb HTTP/1.1", "200 3290 "+apt),
			map[string][]catalog.End{"acme/tools/ubuntu/pool/jammy/main/h/hello/hello_1.0+1_amd64.deb apt 2.4.9": {{Byte: 3290, Count: 1}}}},
		{"a redirect of an old URL", nginx("GET /acme/tools/packages/ubuntu/jammy/hello_1.0-7_amd64.deb/download HTTP/1.1", `302 0 "-" "curl/7.88.1"`),
			map[string][]catalog.End{"redirect acme/tools ubuntu/jammy curl direct-download": {{Count: 1}}}},
		{"an index that is there, and one that has not changed", nginx("GET /acme/tools/ubuntu/dists/jammy/InRelease HTTP/1.1", "200 900 "+apt) + nginx("GET /acme/tools/ubuntu/dists/jammy/InRelease HTTP/1.1", "304 0 "+apt),
			map[string][]catalog.End{"metadata acme/tools ubuntu/jammy apt": {{Count: 2}}}},
		{"an install script, and a configuration by names in the query",
			nginx("GET /install/repositories/acme/tools/script.deb.sh HTTP/1.1", `200 900 "-" "curl/7.88.1"`) + nginx("GET /install/repositories/acme/tools/config_file.list?os=ubuntu&dist=jammy HTTP/1.1", `200 900 "-" "curl/7.88.1"`),
			map[string][]catalog.End{"install acme/tools / curl": {{Count: 1}}, "install acme/tools ubuntu/jammy curl install-query": {{Count: 1}}}},
		{"CloudFront's W3C format", w3cFields + edge("3700", deb, "200", "Debian%20APT-HTTP/1.3%20(2.4.9)", "3290", "-", "-"), map[string][]catalog.End{hello("apt 2.4.9"): {{Byte: 3290, Count: 1}}}},
		{"CloudFront's legacy format, which encodes twice", w3cFields + edge("3700", strings.ReplaceAll(deb, "1.0-7", "1.0%252B7"), "200", "ZYpp%252017.31.2%2520(curl%25207.79.1)", "3290", "-", "-"),
			map[string][]catalog.End{strings.ReplaceAll(deb[1:], "1.0-7", "1.0+7") + " zypper 17.31.2": {{Byte: 3290, Count: 1}}}},
		{"CloudFront: less was sent than the length", w3cFields + edge("1000", deb, "200", "curl/7.88.1", "3290", "-", "-"), map[string][]catalog.End{hello("curl 7.88.1"): {{Byte: 0, Count: 1}}}},
		{"CloudFront: the last part", w3cFields + edge("700", deb, "206", "curl/7.88.1", "290", "3000", "3289"), map[string][]catalog.End{hello("curl 7.88.1"): {{Byte: 3290, Count: 1}}}},
		{"CloudFront: a first part", w3cFields + edge("700", deb, "206", "curl/7.88.1", "290", "0", "289"), map[string][]catalog.End{hello("curl 7.88.1"): {{Byte: 290, Count: 1}}}},
		{"CloudFront's JSON format with countries",
			`{"date":"2026-11-29","time":"21:57:10","x-edge-location":"FRA56-P4","sc-bytes":"3700","c-ip":"192.0.2.100","cs-method":"GET","cs(Host)":"d1.cloudfront.net","cs-uri-stem":"` + strings.ReplaceAll(deb, "/", `\/`) +
				`","sc-status":"200","cs(User-Agent)":"libdnf%20(Rocky%20Linux%209.2;%20generic;%20Linux.x86_64)","cs-uri-query":"-","sc-content-len":3290,"sc-range-start":"-","sc-range-end":"-","c-country":"DE"}` + "\n",
			map[string][]catalog.End{hello("dnf DE"): {{Byte: 3290, Count: 1}}}},
	} {
		t.Run(tt.fact, func(t *testing.T) {
			res, err := read(t.Context(), strings.NewReader(tt.log), 0, true)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, shown(res)); diff != "" {
				t.Errorf("rows (-want +got):\n%s", diff)
			}
			for r := range res.rows {
				if r.Day != day {
					t.Errorf("day %d, want %d", r.Day, day)
				}
			}
			if res.lines.Malformed != 0 || res.end != int64(len(tt.log)) {
				t.Errorf("%+v, read up to %d of %d", res.lines, res.end, len(tt.log))
			}
		})
	}
}

func TestLinesThatAreNotDownloads(t *testing.T) {
	good := nginx("GET "+deb+" HTTP/1.1", "200 3290 "+apt)
	get := func(path string) string { return nginx("GET "+path+" HTTP/1.1", "200 3290 "+apt) }
	other, failed, bots, malformed := catalog.LogLines{Lines: 1, Other: 1}, catalog.LogLines{Lines: 1, Failed: 1}, catalog.LogLines{Lines: 1, Bots: 1}, catalog.LogLines{Lines: 1, Malformed: 1}
	for _, tt := range []struct {
		fact, line string
		want       catalog.LogLines
	}{
		{"HEAD", nginx("HEAD "+deb+" HTTP/1.1", "200 0 "+apt), other},
		{"POST", nginx("POST "+deb+" HTTP/1.1", "200 3290 "+apt), other},
		{"a redirect of a current URL", nginx("GET "+deb+" HTTP/1.1", "302 0 "+apt), failed},
		{"not modified", nginx("GET "+deb+" HTTP/1.1", "304 0 "+apt), failed},
		{"not found", nginx("GET "+deb+" HTTP/1.1", "404 10 "+apt), failed},
		{"forbidden", nginx("GET "+deb+" HTTP/1.1", "403 10 "+apt), failed},
		{"a key", get("/acme/tools/gpgkey"), other},
		{"an index", get("/acme/tools/ubuntu/dists/jammy/main/binary-amd64/Packages.gz"), other},
		{"settings", get("/.repomill/acme/tools.json"), other},
		{"a path that leads up", get("/acme/tools/../tools/ubuntu/pool/jammy/main/h/hello/hello_1.0-7_amd64.deb"), other},
		{"the same, encoded", get("/acme/tools/%2e%2e/tools/ubuntu/pool/jammy/main/h/hello/hello_1.0-7_amd64.deb"), other},
		{"an encoded slash", get("/acme%2Ftools/ubuntu/pool/jammy/main/h/hello/hello_1.0-7_amd64.deb"), other},
		{"an encoded slash, twice", get("/acme%252Ftools/ubuntu/pool/jammy/main/h/hello/hello_1.0-7_amd64.deb"), other},
		{"an encoding that is cut off", get(deb + "%2"), other},
		{"an encoded zero byte", get(strings.ReplaceAll(deb, "hello_", "hello%00_")), other},
		{"a URL in place of a path", get("http://packages.acme.example" + deb), other},
		{"TLS on a plain port", nginx(`\x16\x03\x01\x02\x00\x01`, `400 150 "-" "-"`), other},
		{"a crawler", nginx("GET "+deb+" HTTP/1.1", `200 3290 "-" "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"`), bots},
		{"a health check", nginx("GET "+deb+" HTTP/1.1", `200 3290 "-" "ELB-HealthChecker/2.0"`), bots},
		{"an audit of this product", nginx("GET "+deb+" HTTP/1.1", `200 3290 "-" "repomill/1.0"`), bots},

		{"a line that is cut off", good[:len(good)-12] + "\n", malformed},
		{"a line that is cut off in its request", good[:70] + "\n", malformed},
		{"an empty request", nginx("", "400 0 "+apt), other},
		{"bytes that are no text", "\xff\xfe\x80\x81 \x01\x02\x03\n", malformed},
		{"a zero byte", good[:20] + "\x00" + good[20:], malformed},
		{"a status of two digits", nginx("GET "+deb+" HTTP/1.1", "20 3290 "+apt), malformed},
		{"a status that is no number", nginx("GET "+deb+" HTTP/1.1", "2x0 3290 "+apt), malformed},
		{"negative bytes", nginx("GET "+deb+" HTTP/1.1", "200 -3290 "+apt), malformed},
		{"bytes beyond all numbers", nginx("GET "+deb+" HTTP/1.1", "200 99999999999999999999999 "+apt), malformed},
		{"a day that does not exist", strings.Replace(good, "29/Nov", "31/Nov", 1), malformed},
		{"a year that is too early", strings.Replace(good, "/2026", "/1970", 1), malformed},
		{"a line that is too long", nginx("GET "+deb+"?"+strings.Repeat("x", 100<<10)+" HTTP/1.1", "200 3290 "+apt), malformed},
		{"a line that is longer than a block", nginx("GET "+deb+"?"+strings.Repeat("x", 3<<20)+" HTTP/1.1", "200 3290 "+apt), malformed},
		{"a line of the other format", `{"date":"2026-11-29"}` + "\n", malformed},
	} {
		t.Run(tt.fact, func(t *testing.T) {
			for where, log := range map[string]string{"before": tt.line + good, "after": good + tt.line} {
				if where == "before" && strings.HasPrefix(tt.line, "{") {
					continue // then it is a log of that format
				}
				res, err := read(t.Context(), strings.NewReader(log), 0, true)
				if err != nil {
					t.Fatal(err)
				}
				want := tt.want
				want.Lines++ // the good one
				if diff := cmp.Diff(want, res.lines); diff != "" {
					t.Errorf("%s a good line (-want +got):\n%s", where, diff)
				}
				if diff := cmp.Diff(map[string][]catalog.End{deb[1:] + " apt 2.4.9": {{Byte: 3290, Count: 1}}}, shown(res)); diff != "" {
					t.Errorf("%s a good line (-want +got):\n%s", where, diff)
				}
			}
		})
	}
}

// Clients choose their user names, referers and agents. Servers escape quotes in them.
func TestClientsCannotForgeLines(t *testing.T) {
	forged := `[01/Jan/2030:00:00:00 +0000] \x22GET ` + deb + ` HTTP/1.1\x22 200 3290 \x22-\x22 \x22curl/1.0\x22`
	apache := strings.ReplaceAll(forged, `\x22`, `\"`)
	for fact, line := range map[string]string{
		"in the user name, as nginx escapes it":    `192.0.2.7 - x ` + forged + ` [29/Nov/2026:21:57:10 +0000] "GET /acme/tools/gpgkey HTTP/1.1" 404 3 "-" "x"`,
		"in the user name, as Apache escapes it":   `192.0.2.7 - x ` + apache + ` [29/Nov/2026:21:57:10 +0000] "GET /acme/tools/gpgkey HTTP/1.1" 404 3 "-" "x"`,
		"in the referer":                           `192.0.2.7 - - [29/Nov/2026:21:57:10 +0000] "GET /acme/tools/gpgkey HTTP/1.1" 404 3 "` + apache + `" "x"`,
		"in the agent":                             `192.0.2.7 - - [29/Nov/2026:21:57:10 +0000] "GET /acme/tools/gpgkey HTTP/1.1" 404 3 "-" "` + apache + `"`,
		"in the path":                              `192.0.2.7 - - [29/Nov/2026:21:57:10 +0000] "GET /x` + apache + ` HTTP/1.1" 404 3 "-" "x"`,
		"with a backslash at the end of a referer": `192.0.2.7 - - [29/Nov/2026:21:57:10 +0000] "GET /acme/tools/gpgkey HTTP/1.1" 404 3 "\\" "` + apache + `"`,
	} {
		res, err := read(t.Context(), strings.NewReader(line+"\n"), 0, true)
		if err != nil || len(res.rows) > 0 || res.lines != (catalog.LogLines{Lines: 1, Failed: 1}) {
			t.Errorf("%s: counted %v, %+v, %v", fact, shown(res), res.lines, err)
		}
	}
}

func TestHostileLinesOfCloudFront(t *testing.T) {
	good := edge("3700", deb, "200", "curl/7.88.1", "3290", "-", "-")
	object := `{"date":"2026-11-29","time":"21:57:10","sc-bytes":"3700","cs-method":"GET","cs-uri-stem":"` + deb + `","sc-status":"200","cs(User-Agent)":"curl/7.88.1","sc-content-len":"3290"}`
	for fact, log := range map[string]string{
		"a column too few":       w3cFields + good[:strings.LastIndexByte(good, '\t')] + "\n",
		"a column too many":      w3cFields + strings.TrimSuffix(good, "\n") + "\tx\n",
		"a date with blanks":     w3cFields + strings.Replace(good, "2026-11-29", "2026-11-29 ", 1),
		"a length of no number":  w3cFields + edge("3700", deb, "200", "curl/7.88.1", "x", "-", "-"),
		"an object cut off":      object[:90] + "\n",
		"an object in an object": strings.Replace(object, `"200"`, `{"a":200}`, 1) + "\n",
		"a name twice":           strings.Replace(object, `"time"`, `"sc-status":"404","time"`, 1) + "\n",
		"a name that is missing": strings.Replace(object, `"cs-method":"GET",`, ``, 1) + "\n",
		"text behind the object": object + object + "\n",
		"a text that never ends": strings.Replace(object, `"3290"}`, `"3290\"}`, 1) + "\n",
	} {
		res, err := read(t.Context(), strings.NewReader(log), 0, true)
		if err != nil || len(res.rows) > 0 || res.lines != (catalog.LogLines{Lines: 1, Malformed: 1}) {
			t.Errorf("%s: counted %v, %+v, %v", fact, shown(res), res.lines, err)
		}
	}
	if res, err := read(t.Context(), strings.NewReader(object+"\n"), 0, true); err != nil || len(res.rows) != 1 {
		t.Errorf("the object itself: counted %v, %v", shown(res), err)
	}
	if _, err := read(t.Context(), strings.NewReader(strings.Replace(w3cFields, " sc-content-len", "", 1)+good), 0, true); err == nil || !strings.Contains(err.Error(), "sc-content-len") {
		t.Errorf("a log without the length of answers: %v", err)
	}
}

func TestClientsOfAgents(t *testing.T) {
	for agent, want := range map[string]client{
		"Debian APT-HTTP/1.3 (2.4.9)":                                         {family: "apt", version: "2.4.9"},
		"Debian APT-HTTP/1.3 (1.2.32ubuntu0.2)":                               {family: "apt", version: "1.2.32"},
		"Ubuntu APT-HTTP/1.3 (0.8.16~exp12ubuntu10.17)":                       {family: "apt", version: "0.8.16"},
		"Debian APT-HTTP/1.3 (2.9.8) non-interactive":                         {family: "apt", version: "2.9.8"},
		"libdnf (CentOS Linux 8; generic; Linux.x86_64)":                      {family: "dnf"},
		"libdnf (Rocky Linux 9.2; generic; Linux.x86_64)":                     {family: "dnf"},
		"urlgrabber/3.10 yum/3.4.3":                                           {family: "yum", version: "3.4.3"},
		"ZYpp 17.31.2 (curl 7.79.1) openSUSE-Leap-15.4-x86_64":                {family: "zypper", version: "17.31.2"},
		"curl/7.19.4 (i386-portbld-freebsd7.2) libcurl/7.19.4 OpenSSL/0.9.8k": {family: "curl", version: "7.19.4"},
		"Wget/1.24.5":                  {family: "wget", version: "1.24.5"},
		"Artifactory/7.55.10 75510900": {family: "artifactory", version: "7.55.10"},
		"python-requests/2.31.0":       {family: "python"},
		"Mozilla/5.0 (X11; Linux x86_64; rv:120.0) Gecko/20100101 Firefox/120.0":  {family: "browser"},
		"Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)": {family: "other", bot: true},
		"kube-probe/1.29":                   {family: "other", bot: true},
		"-":                                 {family: "none"},
		"":                                  {family: "none"},
		"someone@example.org":               {family: "other"},
		"curl/99999999.1":                   {family: "curl"},
		"curl/<script>alert(1)</script>":    {family: "curl"},
		"Wget/" + strings.Repeat("1", 9000): {family: "wget"},
	} {
		if got := classify(agent); got != want {
			t.Errorf("%.60q: got %+v, want %+v", agent, got, want)
		}
	}
}

// What a file has after decompression is counted from a byte on, and a line that may still grow is left.
func TestLogsAreReadFromAByteOn(t *testing.T) {
	var log strings.Builder
	for range 30_000 { // more than two blocks
		log.WriteString(nginx("GET "+deb+" HTTP/1.1", "200 3290 "+apt))
	}
	line := log.Len() / 30_000
	for _, tt := range []struct {
		from, lines int
		add         string
	}{{0, 30_000, ""}, {0, 30_000, "192.0.2.7 - "}, {line, 29_999, ""}, {line * 10_000, 20_000, ""}, {line * 29_999, 1, "x"}, {line * 30_000, 0, ""}} {
		res, err := read(t.Context(), strings.NewReader(log.String()+tt.add), int64(tt.from), false)
		if err != nil || res.lines.Lines != int64(tt.lines) || res.end != int64(log.Len()) {
			t.Errorf("from %d: %d lines up to %d, %v; want %d up to %d", tt.from, res.lines.Lines, res.end, err, tt.lines, log.Len())
		}
	}
	if _, err := read(t.Context(), strings.NewReader(log.String()[:line]), int64(line*2), false); err == nil {
		t.Error("a log that is shorter than what was counted of it is not an error")
	}
}

func TestDigestsOfLinesHaveNoAddressAndNoUser(t *testing.T) {
	const rest = ` [29/Nov/2026:21:57:10 +0000] "GET /acme/tools/gpgkey HTTP/1.1" 200 1 "-" "curl/8"`
	want := lineDigest([]byte("192.0.2.7 - -" + rest))
	for _, line := range []string{"192.0.2.8 - -" + rest, "packages.acme.example:443 192.0.2.7 - -" + rest, "192.0.2.7 - rmt_secret" + rest} {
		if got := lineDigest([]byte(line)); got != want {
			t.Errorf("%s: %s, want %s", line, got, want)
		}
	}
	if lineDigest([]byte("192.0.2.7 - -"+rest+"x")) == want {
		t.Error("another line has the same digest")
	}
}
