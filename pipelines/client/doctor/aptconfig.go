package doctor

import (
	"context"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// An aptConfig is apt's configuration: values by their names in lower case, such as "acquire::http::proxy".
type aptConfig map[string]string

// readAptConfig asks apt-config, where there is one for this root, and reads the files otherwise.
func (e *exam) readAptConfig(ctx context.Context) aptConfig {
	if e.root.dir == "/" {
		if program, err := exec.LookPath("apt-config"); err == nil {
			ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
			defer cancel()
			if out, err := exec.CommandContext(ctx, program, "dump").Output(); err == nil {
				return parseAptConfig(string(out))
			}
		}
	}
	all := aptConfig{}
	files, err := e.root.list("/etc/apt/apt.conf.d", "", ".conf")
	if err != nil {
		e.note(hidden("/etc/apt/apt.conf.d", err))
	}
	if _, err := e.root.stat("/etc/apt/apt.conf"); err == nil {
		files = append(files, "/etc/apt/apt.conf")
	}
	for _, file := range files {
		text, err := e.root.read(file)
		if err != nil {
			e.note(hidden(file, err))
			continue
		}
		for name, value := range parseAptConfig(string(text)) {
			all[name] = value
		}
	}
	return all
}

// parseAptConfig reads the language of apt.conf(5), of which apt-config dump prints the flat form.
func parseAptConfig(text string) aptConfig {
	all := aptConfig{}
	var scope, words []string // the blocks around, and what came since the last ";"
	end := func() {
		if len(words) == 2 {
			all[strings.ToLower(strings.Join(append(slices.Clone(scope), words[0]), "::"))] = words[1]
		}
		words = nil
	}
	for _, token := range aptTokens(text) {
		switch token {
		case ";":
			end()
		case "{":
			scope, words = append(scope, strings.Join(words, "")), nil
		case "}":
			end()
			scope = scope[:max(0, len(scope)-1)]
		default:
			words = append(words, strings.TrimPrefix(token, `"`))
		}
	}
	return all
}

// aptTokens cuts text into words, quoted strings (which keep the first quote) and the signs ; { }.
func aptTokens(text string) (tokens []string) {
	for text != "" {
		switch c := text[0]; {
		case c == '"':
			value, rest, _ := strings.Cut(text[1:], `"`)
			tokens, text = append(tokens, `"`+value), rest
		case c == '#', strings.HasPrefix(text, "//"):
			_, text, _ = strings.Cut(text, "\n")
		case strings.HasPrefix(text, "/*"):
			_, text, _ = strings.Cut(text, "*/")
		case strings.IndexByte(";{}", c) >= 0:
			tokens, text = append(tokens, text[:1]), text[1:]
		case strings.IndexByte(" \t\r\n", c) >= 0:
			text = text[1:]
		default:
			n := strings.IndexAny(text, " \t\r\n;{}\"")
			if n < 0 {
				n = len(text)
			}
			tokens, text = append(tokens, text[:n]), text[n:]
		}
	}
	return tokens
}

// of returns the setting of apt for a scheme and host, and its name. What is set for http is for https too, where https has
// none of its own.
func (c aptConfig) of(scheme, host, name string) (value, setting string) {
	schemes := []string{scheme}
	if scheme == "https" {
		schemes = append(schemes, "http")
	}
	if host != "" {
		for _, s := range schemes {
			setting = "Acquire::" + s + "::" + name + "::" + host
			if v := c[strings.ToLower(setting)]; v != "" {
				return v, setting
			}
		}
	}
	for _, s := range schemes {
		setting = "Acquire::" + s + "::" + name
		if v := c[strings.ToLower(setting)]; v != "" {
			return v, setting
		}
	}
	return "", ""
}
