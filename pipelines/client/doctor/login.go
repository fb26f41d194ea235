package doctor

import (
	"net/url"
	"strings"
)

// A login is what opens a private repository.
type login struct {
	machine        string // apt: [scheme://]host[:port][/path]
	user, password string
	from           string // where it was found
}

// readLogins reads the files where apt looks for tokens (apt_auth.conf(5)).
func (e *exam) readLogins() {
	files, err := e.root.list("/etc/apt/auth.conf.d", ".conf", "")
	if err != nil {
		e.note(hidden("/etc/apt/auth.conf.d", err))
	}
	if _, err := e.root.stat("/etc/apt/auth.conf"); err == nil {
		files = append([]string{"/etc/apt/auth.conf"}, files...)
	}
	for _, file := range files {
		text, err := e.root.read(file)
		if err != nil {
			e.note(hidden(file, err))
			continue
		}
		e.logins = append(e.logins, readNetrc(file, string(text))...)
	}
	for _, l := range e.logins {
		e.secrets.addLogin(l.user, l.password)
	}
}

func readNetrc(file, text string) (all []login) {
	var words []string
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(strings.TrimSpace(line), "#") {
			words = append(words, strings.Fields(line)...)
		}
	}
	for i := 0; i+1 < len(words); i += 2 {
		name, value := words[i], words[i+1]
		switch {
		case name == "machine":
			all = append(all, login{machine: value, from: file})
		case len(all) == 0:
		case name == "login":
			all[len(all)-1].user = value
		case name == "password":
			all[len(all)-1].password = value
		}
	}
	return all
}

// opens reports whether apt uses a login for a URL. Without a scheme it is for https alone.
func (l login) opens(u *url.URL) bool {
	scheme, rest, has := strings.Cut(l.machine, "://")
	if !has {
		scheme, rest = "https", l.machine
	}
	return scheme == u.Scheme && covers(rest, u)
}

// covers reports whether host[:port][/path] is that of a URL.
func covers(machine string, u *url.URL) bool {
	host, path, _ := strings.Cut(machine, "/")
	return (strings.EqualFold(host, u.Host) || strings.EqualFold(host, u.Hostname())) && strings.HasPrefix(u.Path, "/"+path)
}

// loginFor returns what a client sends with the first request for an entry; nil if it sends nothing. notes are about what it
// would send if it were written otherwise.
func (e *exam) loginFor(s source) (found *login, notes []Finding) {
	u, err := url.Parse(s.url)
	if err != nil {
		return nil, nil
	}
	if u.User != nil {
		password, _ := u.User.Password()
		return &login{user: u.User.Username(), password: password, from: strings.TrimSpace("the URL " + s.file)}, nil
	}
	switch s.client {
	case "apt":
		return e.aptLogin(s, u)
	case "dnf":
		if s.fields["username"] != "" {
			return &login{user: s.fields["username"], password: s.fields["password"], from: s.place()}, nil
		}
	case "zypper":
		return e.zypperLogin(u)
	}
	return nil, nil
}

func (e *exam) aptLogin(s source, u *url.URL) (found *login, notes []Finding) {
	at, err := url.Parse(s.pointer())
	if err != nil {
		return nil, nil
	}
	for i, l := range e.logins {
		if l.opens(at) {
			return &e.logins[i], nil
		}
	}
	for _, l := range e.logins {
		_, rest, has := strings.Cut(l.machine, "://")
		if !has {
			rest = l.machine
		}
		host, _, _ := strings.Cut(rest, "/")
		switch {
		case covers(rest, at):
			notes = append(notes, warning("token", "the token in "+l.from+" is not sent: its entry is for another scheme than "+u.Scheme, `write "machine `+u.Scheme+"://"+rest+`" there, or use https in the source`))
		case covers(host, at):
			notes = append(notes, warning("token", "the token in "+l.from+" is not sent: it is for "+rest, "check the path after the host there"))
		}
	}
	return nil, notes
}

// zypperLogin reads the file that the URL of an entry names.
func (e *exam) zypperLogin(u *url.URL) (found *login, notes []Finding) {
	name := u.Query().Get("credentials")
	if name == "" || strings.Contains(name, "/") {
		return nil, nil
	}
	file := "/etc/zypp/credentials.d/" + name
	text, err := e.root.read(file)
	if err != nil {
		return nil, []Finding{hidden(file, err)}
	}
	f := map[string]string{}
	for line := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(line, "=")
		f[strings.TrimSpace(key)] = strings.TrimSpace(value)
	}
	e.secrets.addLogin(f["username"], f["password"])
	return &login{user: f["username"], password: f["password"], from: file}, nil
}
