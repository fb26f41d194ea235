package doctor

import (
	"regexp"
	"slices"
	"strings"
)

// readSources returns all entries of the host, also disabled ones.
func (e *exam) readSources() (all []source) {
	lists, err := e.root.list("/etc/apt/sources.list.d", ".list", ".sources")
	if err != nil {
		e.note(hidden("/etc/apt/sources.list.d", err))
	}
	if _, err := e.root.stat("/etc/apt/sources.list"); err == nil {
		lists = append([]string{"/etc/apt/sources.list"}, lists...)
	}
	for _, file := range lists {
		text, err := e.root.read(file)
		switch {
		case err != nil:
			e.note(hidden(file, err))
		case !aptReads(file):
			e.note(warning("files", file+" is ignored by apt because of its name", "rename it: letters, digits, '-', '_' and '.' only"))
		case strings.HasSuffix(file, ".sources"):
			all = append(all, readDeb822(file, string(text))...)
		default:
			all = append(all, readList(file, string(text))...)
		}
	}
	all = append(all, e.readRepos("dnf", "/etc/yum.repos.d")...)
	all = append(all, e.readRepos("zypper", "/etc/zypp/repos.d")...)
	for _, s := range all {
		e.secrets.addURL(s.url)
	}
	return all
}

var aptName = regexp.MustCompile(`^[A-Za-z0-9_.-]+$`)

// aptReads reports whether apt reads a file of this name (run-parts of apt, GetListOfFilesInDir).
func aptReads(file string) bool {
	return aptName.MatchString(file[strings.LastIndexByte(file, '/')+1:])
}

// readList reads one-line entries (sources.list(5)). A line that was made a comment, as upgrades of Ubuntu do, is disabled.
func readList(file, text string) (all []source) {
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimSpace(line)
		bare := strings.TrimLeft(line, "# ")
		if s, ok := readListLine(bare); ok {
			s.file, s.line, s.disabled = file, n, bare != line
			all = append(all, s)
		}
	}
	return all
}

func readListLine(line string) (s source, ok bool) {
	s.client, s.options = "apt", map[string]string{}
	kind, rest := line, ""
	if i := strings.IndexAny(line, " \t"); i >= 0 {
		kind, rest = line[:i], line[i:]
	}
	if s.kind = kind; s.kind != "deb" && s.kind != "deb-src" {
		return s, false
	}
	rest = strings.TrimSpace(rest)
	if options, after, is := strings.Cut(rest, "]"); is && strings.HasPrefix(rest, "[") {
		for _, option := range strings.Fields(options[1:]) {
			name, value, _ := strings.Cut(option, "=")
			s.set(strings.TrimRight(name, "+-"), strings.ReplaceAll(value, ",", " "))
		}
		rest = after
	}
	rest, _, _ = strings.Cut(rest, "#")
	f := strings.Fields(rest)
	if len(f) < 2 || !strings.Contains(f[0], "://") {
		return s, false
	}
	s.url, s.suite, s.components = f[0], f[1], f[2:]
	return s, true
}

// set sets an option by its name in either form of entry.
func (s *source) set(name, value string) {
	switch name = strings.ToLower(name); name {
	case "arch", "architectures":
		s.architectures = strings.Fields(value)
	case "signed-by":
		if strings.Contains(value, "-----BEGIN") {
			s.inline = value
			return
		}
		s.signedBy = strings.FieldsFunc(value, func(c rune) bool { return c == ' ' || c == ',' || c == '\n' || c == '\t' })
	default:
		s.options[name] = strings.TrimSpace(value)
	}
}

// readDeb822 reads stanzas (sources.list(5), "DEB822-STYLE FORMAT"), an entry for each URI and suite.
func readDeb822(file, text string) (all []source) {
	fields, first, last := map[string]string{}, 0, ""
	end := func() {
		all = append(all, stanzaSources(file, first, fields)...)
		fields, first, last = map[string]string{}, 0, ""
	}
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimRight(line, "\r\n")
		switch {
		case strings.HasPrefix(line, "#"):
		case strings.TrimSpace(line) == "":
			end()
		case line[0] == ' ' || line[0] == '\t':
			if line = line[1:]; line == "." || strings.TrimSpace(line) == "." { // an empty line of a key
				line = ""
			}
			fields[last] += "\n" + line
		default:
			name, value, _ := strings.Cut(line, ":")
			last = strings.ToLower(strings.TrimSpace(name))
			fields[last] = strings.TrimSpace(value)
			if first == 0 {
				first = n
			}
		}
	}
	end()
	return all
}

func stanzaSources(file string, line int, fields map[string]string) (all []source) {
	if fields["uris"] == "" {
		return nil
	}
	off := slices.Contains([]string{"no", "false", "0", "off", "without", "disable"}, strings.ToLower(fields["enabled"]))
	for _, kind := range strings.Fields(fields["types"]) {
		for _, u := range strings.Fields(fields["uris"]) {
			for _, suite := range strings.Fields(fields["suites"]) {
				s := source{file: file, line: line, client: "apt", disabled: off, kind: kind, url: u, suite: suite,
					components: strings.Fields(fields["components"]), options: map[string]string{}}
				for name, value := range fields {
					s.set(name, value)
				}
				all = append(all, s)
			}
		}
	}
	return all
}
