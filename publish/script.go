package publish

import (
	"bytes"
	_ "embed"
	"encoding/base64"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"repomill/publish/sign"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// The constant parts of the install scripts.
var (
	//go:embed scripts/common.sh
	scriptCommon string
	//go:embed scripts/deb.sh
	scriptDEB string
	//go:embed scripts/rpm.sh
	scriptRPM string
)

// script renders the script that sets a host up for the packages of one format. It is a function of settings and keys: no
// request has a part in it. All of it is one function, which the last line calls, so that a download that breaks off runs
// nothing: not even without its arguments, because the brace before the call has to be closed.
func (c clientFiles) script(s catalog.Settings, f catalog.Format) ([]byte, error) {
	name := "script.deb.sh"
	body := scriptDEB
	if f == catalog.RPM {
		name, body = "script.rpm.sh", scriptRPM
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "#!/bin/sh\n# sets a system up for packages of %s; --help says more\ninstall_repository() {\n", s.Repository)
	c.scriptSettings(&b, s, name)
	c.scriptDistributions(&b, s, f)
	if f == catalog.RPM {
		c.scriptRepoFile(&b, s)
	} else if err := c.scriptKeys(&b, s); err != nil {
		return nil, err
	}
	b.WriteString(scriptCommon + body + "}\n{ install_repository \"$@\"; }\n")
	return b.Bytes(), nil
}

func (c clientFiles) scriptSettings(b *bytes.Buffer, s catalog.Settings, script string) {
	private := ""
	if s.Visibility != catalog.Public {
		private = "yes"
	}
	set := func(name, value string) { fmt.Fprintf(b, "%s=%s\n", name, quoted(value)) }
	set("script", script)
	set("repository", s.Repository.String())
	set("name", layout.SourceName(s.Repository))
	set("url", c.publicURL)
	set("private", private)
	set("ours", entryPattern(c.publicURL, s.Repository))
}

// entryPattern returns an extended regular expression of awk that matches, in small letters, the URLs of a repository in every
// layout, with and without a token.
func entryPattern(publicURL string, r catalog.Repository) string {
	_, site, _ := strings.Cut(strings.ToLower(publicURL), "://")
	return `https?://([^/@ \t]*@)?` + literal(site) + `(/priv/[^/ \t]+)?/` + literal(r.String()) + `([/ \t]|$)`
}

var special = regexp.MustCompile(`[^a-z0-9/:_-]`)

// literal returns an expression that matches a text of printable characters.
func literal(s string) string {
	return special.ReplaceAllStringFunc(s, func(c string) string {
		if c == "^" || c == `\` {
			return `\` + c
		}
		return "[" + c + "]"
	})
}

// scriptDistributions writes the function that knows a distribution by any name of it, as systems have it.
func (c clientFiles) scriptDistributions(b *bytes.Buffer, s catalog.Settings, f catalog.Format) {
	table := c.table
	var all []string
	b.WriteString("known() {\ncase $1 in\n")
	for _, ds := range s.Offered().Distributions {
		if ds.Format != f {
			continue
		}
		d := ds.Distribution
		all = append(all, d.String())
		distro, rej := table.Lookup(d)
		if rej != nil { // it was in the table of a worker once
			distro = layout.Distro{Distribution: d}
		}
		fmt.Fprintf(b, "%s) distro_os=%s distro_version=%s ", patterns(distro.SystemNames()), quoted(d.OS), quoted(d.Version))
		if f == catalog.RPM {
			fmt.Fprintf(b, "client=%s ;;\n", quoted(string(distro.Client)))
			continue
		}
		fmt.Fprintf(b, "components=%s architectures=%s ;;\n", quoted(strings.Join(ds.Components, " ")), quoted(strings.Join(ds.Architectures, " ")))
	}
	b.WriteString("*) return 1 ;;\nesac\n}\n")
	fmt.Fprintf(b, "distributions=%s\n", quoted(strings.Join(all, " ")))
}

// patterns returns names as a pattern of case; a "*" at the end stays one.
func patterns(names []string) string {
	all := slices.Clone(names)
	for i, n := range all {
		if before, ok := strings.CutSuffix(n, "*"); ok {
			all[i] = quoted(before) + "*"
		} else {
			all[i] = quoted(n)
		}
	}
	return strings.Join(all, " | ")
}

// scriptKeys writes the function that prints the public keys, and where they are kept: where the keyring package has them,
// armoured, or else in a file of the script's own that the oldest apt reads, too. apt finds the token by the machine.
func (c clientFiles) scriptKeys(b *bytes.Buffer, s catalog.Settings) error {
	var fingerprints []string
	for _, k := range c.keys.out {
		fingerprints = append(fingerprints, k.Fingerprint)
	}
	fmt.Fprintf(b, "machine=%s\n", quoted(c.machine(s.Repository)))
	fmt.Fprintf(b, "fingerprints=%s\n", quoted(strings.Join(fingerprints, ", ")))
	if s.Keyring != nil && s.Keyring.On {
		fmt.Fprintf(b, "keyring=%s\npublic_keys() {\ncat <<'KEYS'\n%s\nKEYS\n}\n",
			quoted(layout.KeyringPath(s.Repository, catalog.DEB)), bytes.TrimSuffix(c.keys.public, []byte("\n")))
		return nil
	}
	raw, err := sign.PublicPackets(c.keys.public)
	if err != nil {
		return fmt.Errorf("read the public keys: %w", err)
	}
	fmt.Fprintf(b, "keyring=%s\npublic_keys() {\nbase64 -d <<'KEYS'\n", quoted(layout.ScriptKeyringPath(s.Repository)))
	text := base64.StdEncoding.EncodeToString(raw)
	for line := range slices.Chunk([]byte(text), 76) {
		fmt.Fprintf(b, "%s\n", line)
	}
	b.WriteString("KEYS\n}\n")
	return nil
}

// scriptRepoFile writes the function that prints the .repo file for the distribution that was found, with what gives a
// client the token.
func (c clientFiles) scriptRepoFile(b *bytes.Buffer, s catalog.Settings) {
	found := catalog.Distribution{OS: "@os", Version: "@version"}
	text := string(c.repo(s, found))
	text = strings.NewReplacer(`\`, `\\`, "$", `\$`, "`", "\\`",
		"/@os/@version", "/${distro_os}/${distro_version}", "\nenabled=", "${query}\n${lines}enabled=").Replace(text)
	fmt.Fprintf(b, "repo_file() {\ncat <<REPO\n# %s, by $script\n%sREPO\n}\n", s.Repository, text)
}

// quoted returns a word of a shell.
func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
