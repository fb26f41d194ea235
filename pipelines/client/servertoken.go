package client

import (
	"bufio"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"repomill/pipelines/command"
)

// findToken returns the token for a server: that of the command line or the environment, of the user's configuration, or of
// the user's .netrc, where it is the login, as curl sends it.
func (c *Push) findToken(host string) (string, error) {
	if c.TokenFile != "" {
		return readToken(c.TokenFile)
	}
	if token := strings.TrimSpace(c.Token); token != "" {
		return token, checkToken("REPOMILL_TOKEN", token)
	}
	if dir, err := os.UserConfigDir(); err == nil {
		token, err := readToken(filepath.Join(dir, "repomill", "token"))
		if !errors.Is(err, fs.ErrNotExist) {
			return token, err
		}
	}
	if home, err := os.UserHomeDir(); err == nil {
		path := filepath.Join(home, ".netrc")
		text, err := os.ReadFile(path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", command.Usage("token: %w", err)
		}
		if token := netrcLogin(string(text), host); token != "" {
			return token, checkToken(path, token)
		}
	}
	return "", command.Usage("--server needs a token: name its file with --token-file, set REPOMILL_TOKEN, or put it into ~/.config/repomill/token; repomill token create makes one")
}

func readToken(path string) (string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", command.Usage("--token-file: %w", err)
	}
	token := strings.TrimSpace(string(text))
	return token, checkToken(path, token)
}

// checkToken refuses what cannot be a token. It is not shown.
func checkToken(from, token string) error {
	if token == "" || strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return command.Usage("%s has no token in it: it is one word, alone", from)
	}
	return nil
}

// netrcLogin returns the login of a host in the text of a .netrc file, or that of its default; empty if there is none.
func netrcLogin(text, host string) (login string) {
	words := bufio.NewScanner(strings.NewReader(withoutMacros(text)))
	words.Split(bufio.ScanWords)
	next := func() string { words.Scan(); return words.Text() }
	matched := false
	for words.Scan() {
		switch words.Text() {
		case "machine":
			matched = strings.EqualFold(next(), host)
		case "default":
			matched = true
		case "login":
			if word := next(); matched {
				return word
			}
		case "password", "account":
			next()
		}
	}
	return ""
}

// withoutMacros leaves out the macros of a .netrc file, each of which ends with an empty line, and its comments.
func withoutMacros(text string) string {
	var kept strings.Builder
	macro := false
	for line := range strings.Lines(text) {
		word := strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(word, "macdef"):
			macro = true
		case word == "":
			macro = false
		case !macro && !strings.HasPrefix(word, "#"):
			kept.WriteString(line)
		}
	}
	return kept.String()
}
