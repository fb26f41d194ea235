// Package doctor examines a client host that has trouble installing: what the host's package manager is set up to read, whether
// it can be fetched as apt, dnf and zypper fetch it, and whether the keys of the host verify it. It reads only, and needs no root.
package doctor

import (
	"slices"
	"time"

	"repomill/schemas/layout"
)

// A Level says how bad a finding is.
type Level string

// The levels, the best first.
const (
	OK      Level = "ok"
	Warning Level = "warning" // works, and may not for long
	Problem Level = "problem" // keeps the host from installing
)

// A Finding is the result of one check. Its texts have no secret.
type Finding struct {
	Level  Level  `json:"level"`
	Check  string `json:"check"`        // what was looked at, in one word
	Detail string `json:"detail"`       // what was found
	Advice string `json:"do,omitempty"` // what to do about it
}

// A Hop is one request, and the answer.
type Hop struct {
	URL         string `json:"url"`              // without secrets
	Proxy       string `json:"proxy,omitempty"`  // without secrets
	Status      int    `json:"status,omitempty"` // 0: there was no answer
	Credentials bool   `json:"credentials"`      // they were sent
	Error       string `json:"error,omitempty"`
}

// An Examined is one entry of the host's configuration, and what was found.
type Examined struct {
	Place    string    `json:"place"`  // file and line; empty: the host has no entry
	Source   string    `json:"source"` // the entry in one line, without secrets
	Hops     []Hop     `json:"hops"`   // of the release file
	Findings []Finding `json:"findings"`
}

// A Report is all that was found on a host.
type Report struct {
	Version  string     `json:"version"`
	Time     time.Time  `json:"time"`
	URL      string     `json:"url,omitempty"` // what was asked about, without secrets
	Host     Host       `json:"host"`
	Findings []Finding  `json:"findings"` // of the host as a whole
	Sources  []Examined `json:"sources"`
}

// Options configure an examination.
type Options struct {
	Root    string           // of the host's files: "/", or a folder
	URL     string           // which entries to look for; empty: all that look like those of repomill or packagecloud
	Env     Proxies          // of the user
	Now     func() time.Time // the host's clock
	Timeout time.Duration    // of one request
	Table   *layout.Table
	Version string // of the program
}

// Proxies are the variables of the environment that package managers read.
type Proxies struct{ HTTP, HTTPS, No string }

// An exam is the state of one examination.
type exam struct {
	Options
	root    root
	host    Host
	apt     aptConfig
	logins  []login // of apt's auth.conf
	secrets secrets
	general []Finding
	fetched map[string]answer // files that several entries have in common, by URL and user
}

// Worst returns the level of the worst finding.
func (r Report) Worst() Level {
	worst := OK
	for _, f := range r.all() {
		if f.Level == Problem || worst == OK {
			worst = f.Level
		}
	}
	return worst
}

func (r Report) all() []Finding {
	all := slices.Clone(r.Findings)
	for _, s := range r.Sources {
		all = append(all, s.Findings...)
	}
	return all
}

func (e *exam) note(f ...Finding) { e.general = append(e.general, f...) }

func fine(check, detail string) Finding            { return Finding{OK, check, detail, ""} }
func warning(check, detail, advice string) Finding { return Finding{Warning, check, detail, advice} }
func problem(check, detail, advice string) Finding { return Finding{Problem, check, detail, advice} }
