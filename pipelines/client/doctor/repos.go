package doctor

import (
	"path"
	"regexp"
	"runtime"
	"strings"
)

// A section is one of a file of dnf, yum or zypper.
type section struct {
	name   string
	line   int
	values map[string]string // a value of several lines has newlines
}

// readSections reads a .repo file or dnf.conf: a line that is indented goes on with the value before it.
func readSections(text string) (all []section) {
	n, last := 0, ""
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimRight(line, " \t\r\n")
		bare := strings.TrimSpace(line)
		switch {
		case bare == "" || bare[0] == '#' || bare[0] == ';':
		case line[0] == '[':
			name, _, _ := strings.Cut(line[1:], "]")
			all, last = append(all, section{name, n, map[string]string{}}), ""
		case len(all) == 0:
		case (line[0] == ' ' || line[0] == '\t') && last != "":
			all[len(all)-1].values[last] += "\n" + bare
		default:
			name, value, _ := strings.Cut(bare, "=")
			last = strings.ToLower(strings.TrimSpace(name))
			all[len(all)-1].values[last] = strings.TrimSpace(value)
		}
	}
	return all
}

// readRepos returns the entries of the .repo files in a folder.
func (e *exam) readRepos(client, dir string) (all []source) {
	files, err := e.root.list(dir, ".repo")
	if err != nil {
		e.note(hidden(dir, err))
	}
	for _, file := range files {
		text, err := e.root.read(file)
		if err != nil {
			e.note(hidden(file, err))
			continue
		}
		for _, sec := range readSections(string(text)) {
			v := sec.values
			e.secrets.addLogin(v["username"], v["password"])
			e.secrets.add(v["proxy_password"])
			for _, base := range strings.FieldsFunc(v["baseurl"], func(c rune) bool { return c == '\n' || c == ' ' || c == ',' }) {
				all = append(all, source{file: file, line: sec.line, client: client, id: sec.name, fields: v,
					disabled: v["enabled"] != "" && !truth(v["enabled"]), url: e.expand(base)})
			}
		}
	}
	return all
}

// truth reads a value of dnf that is yes or no.
func truth(s string) bool {
	switch strings.ToLower(s) {
	case "1", "yes", "true", "on", "enabled":
		return true
	}
	return false
}

var variable = regexp.MustCompile(`\$\{?([A-Za-z_][A-Za-z0-9_]*)\}?`)

// expand puts in what the variables in a URL are on this host, as far as that is known.
func (e *exam) expand(text string) string {
	return variable.ReplaceAllStringFunc(text, func(v string) string {
		name := variable.FindStringSubmatch(v)[1]
		for _, dir := range []string{"/etc/dnf/vars", "/etc/yum/vars", "/etc/zypp/vars.d"} {
			if value, err := e.root.read(path.Join(dir, name)); err == nil {
				first, _, _ := strings.Cut(string(value), "\n")
				return strings.TrimSpace(first)
			}
		}
		arch := runtime.GOARCH
		if known, ok := rpmArch[arch]; ok {
			arch = known
		}
		switch name {
		case "basearch", "arch":
			return arch
		case "releasever", "releasever_major":
			if major, _, _ := strings.Cut(e.host.release, "."); strings.HasPrefix(e.host.Distribution, "el/") || name == "releasever_major" {
				return major
			}
			return e.host.release
		}
		return v
	})
}
