package stats

import (
	"bytes"
	"regexp"
	"strings"
)

// A client is what is kept of a User-Agent: a family of the table, and a version if it has one.
type client struct {
	family, version string
	bot             bool
}

// families are the rules for clients, in order: a User-Agent that contains mark, in any case, is of the family. Its version is what
// follows version, if that has the form of one.
var families = []struct{ mark, family, version string }{
	{"apt-cacher-ng", "apt-cacher-ng", "apt-cacher-ng/"},
	{"apt-http/", "apt", "("}, // Debian APT-HTTP/1.3 (2.4.9): the method's version, and then that of apt
	{"apt-curl/", "apt", "("},
	{"debian apt", "apt", "("},
	{"libdnf", "dnf", "libdnf/"}, // libdnf (Rocky Linux 9.2; generic; Linux.x86_64): it gives that of the system alone
	{"dnf/", "dnf", "dnf/"},
	{"dnf5", "dnf", "dnf5/"},
	{"yum/", "yum", " yum/"}, // urlgrabber/3.10 yum/3.4.3
	{"urlgrabber/", "yum", ""},
	{"zypp", "zypper", "zypp "}, // ZYpp 17.31.2 (curl 7.79.1) openSUSE-Leap-15.4-x86_64
	{"packagekit", "packagekit", "packagekit/"},
	{"aptly/", "aptly", "aptly/"},
	{"artifactory/", "artifactory", "artifactory/"},
	{"nexus/", "nexus", "nexus/"},
	{"pulpcore/", "pulp", "pulpcore/"},
	{"ansible", "ansible", ""},
	{"chef", "chef", ""},
	{"puppet", "puppet", ""},
	{"curl/", "curl", "curl/"},
	{"wget", "wget", "wget/"},
	{"aria2/", "aria2", "aria2/"},
	{"python", "python", ""},
	{"go-http-client", "go", ""},
	{"java/", "java", ""},
	{"apache-httpclient", "java", ""},
	{"mozilla/", "browser", ""},
}

// The families of clients that the table does not have.
const (
	otherClient = "other"
	noClient    = "none" // without a User-Agent
)

// bots are parts of the User-Agents of programs that fetch without a user: they look for pages, watch whether a server answers, or
// are the checks of this product.
var bots = []string{
	"bot", "crawl", "spider", "slurp", "scrap", "facebookexternalhit", "preview", "archiver", "headless", "lighthouse",
	"healthcheck", "health-check", "kube-probe", "googlehc", "uptime", "pingdom", "statuscake", "monitor", "blackbox", "prometheus", "nagios", "check_http", "zabbix", "datadog",
	"zgrab", "masscan", "nmap", "nuclei", "nikto", "censys", "expanse", "internetmeasurement", "scan", "sqlmap",
	"repomill",
}

// clientVersion is the form of versions that are kept. Longer ones and other texts are left out: what clients send is not stored.
var clientVersion = regexp.MustCompile(`^[0-9]{1,4}(?:\.[0-9]{1,4}){0,3}`)

// versionOf returns the version that a text begins with.
func versionOf(s string) string {
	v := clientVersion.FindString(s)
	if rest := s[len(v):]; rest != "" && '0' <= rest[0] && rest[0] <= '9' { // a longer number
		return ""
	}
	return v
}

// classify returns what is kept of a User-Agent.
func classify(agent string) client {
	s := strings.ToLower(strings.TrimSpace(agent))
	if s == "" || s == "-" {
		return client{family: noClient}
	}
	for _, b := range bots {
		if strings.Contains(s, b) {
			return client{family: otherClient, bot: true}
		}
	}
	for _, f := range families {
		if !strings.Contains(s, f.mark) {
			continue
		}
		c := client{family: f.family}
		if _, rest, ok := strings.Cut(s, f.version); ok && f.version != "" {
			c.version = versionOf(rest)
		}
		return c
	}
	return client{family: otherClient}
}

// The bounds of a table of clients. Beyond them, User-Agents are classified each time, and versions are left out.
const (
	maxAgents   = 50_000
	maxVersions = 1_000 // of all families
)

// clients numbers the clients of a log.
type clients struct {
	byAgent  map[string]int32
	byClient map[client]int32
	all      []client
}

func newClients() *clients {
	return &clients{byAgent: map[string]int32{}, byClient: map[client]int32{}}
}

// of returns the number of the client of a User-Agent.
func (t *clients) of(agent []byte) int32 {
	if n, ok := t.byAgent[string(agent)]; ok {
		return n
	}
	c := classify(string(unescapeAgent(agent)))
	if _, ok := t.byClient[c]; !ok && len(t.all) >= maxVersions {
		c.version = ""
	}
	n, ok := t.byClient[c]
	if !ok {
		n = int32(len(t.all))
		t.byClient[c] = n
		t.all = append(t.all, c)
	}
	if len(t.byAgent) < maxAgents {
		t.byAgent[string(agent)] = n
	}
	return n
}

// unescapeAgent undoes the percent-encoding of CloudFront, which may be twofold; agents of other logs have none.
func unescapeAgent(agent []byte) []byte {
	for range 2 {
		if !bytes.Contains(agent, []byte("%2")) { // a blank, a parenthesis, a slash or the percent sign itself
			break
		}
		plain, ok := unescape(nil, agent)
		if !ok {
			break
		}
		agent = plain
	}
	return agent
}
