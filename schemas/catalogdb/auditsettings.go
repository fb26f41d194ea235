package catalogdb

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"repomill/schemas/catalog"
)

// cloned returns settings of which a change of the original changes nothing.
func cloned(s catalog.Settings) catalog.Settings {
	s.Tokens, s.PackageKeys, s.RequireSigned = slices.Clone(s.Tokens), slices.Clone(s.PackageKeys), slices.Clone(s.RequireSigned)
	s.Retention = slices.Clone(s.Retention)
	if s.Keyring != nil {
		k := *s.Keyring
		s.Keyring = &k
	}
	if s.Snapshots != nil {
		rule := *s.Snapshots
		s.Snapshots = &rule
	}
	return s
}

// settingsCreated returns the entries for a new repository.
func settingsCreated(s catalog.Settings) []catalog.AuditEntry {
	details := []string{string(s.Visibility)}
	for _, part := range settingsParts {
		if part.name != "visibility" && part.of(s) != part.of(catalog.Settings{}) {
			details = append(details, part.name+" "+part.of(s))
		}
	}
	entry := catalog.AuditEntry{Action: catalog.ActionRepoCreate, Target: s.Repository.String(), Detail: strings.Join(details, ", ")}
	return append([]catalog.AuditEntry{entry}, tokensChanged(catalog.Settings{Repository: s.Repository}, s)...)
}

// settingsParts are the settings that change, in words, but for tokens.
var settingsParts = []struct {
	name string
	of   func(catalog.Settings) string
}{
	{"visibility", func(s catalog.Settings) string { return string(s.Visibility) }},
	{"description", func(s catalog.Settings) string {
		if s.Description == "" {
			return "none"
		}
		return strconv.Quote(s.Description)
	}},
	{"package keys", func(s catalog.Settings) string {
		var ids []string
		for _, k := range s.PackageKeys {
			ids = append(ids, k.ID)
		}
		return orNone(ids)
	}},
	{"signatures required of", func(s catalog.Settings) string {
		var formats []string
		for _, f := range s.RequireSigned {
			formats = append(formats, string(f))
		}
		return orNone(formats)
	}},
	{"payloads verified", func(s catalog.Settings) string { return cmp.Or(string(s.VerifyPayload), "default") }},
	{"keyring package", func(s catalog.Settings) string {
		switch {
		case s.Keyring == nil || !s.Keyring.On:
			return "off"
		case s.Keyring.Version == "":
			return "on"
		}
		return "on, version " + s.Keyring.Version
	}},
	{"retention", func(s catalog.Settings) string {
		var sets []string
		for _, r := range s.Retention {
			sets = append(sets, r.String())
		}
		return cmp.Or(strings.Join(sets, " | "), "none")
	}},
	{"snapshots", func(s catalog.Settings) string { return s.Snapshots.String() }},
}

func orNone(words []string) string {
	if len(words) == 0 {
		return "none"
	}
	return strings.Join(words, " ")
}

// settingsChanged returns the entries for a change of settings: one for all that is set, and one for each token.
func settingsChanged(before, after catalog.Settings) []catalog.AuditEntry {
	var details []string
	for _, part := range settingsParts {
		if was, is := part.of(before), part.of(after); was != is {
			details = append(details, fmt.Sprintf("%s: %s, was %s", part.name, is, was))
		}
	}
	entries := tokensChanged(before, after)
	if len(details) == 0 && len(entries) == 0 { // such as another text of a package key
		details = []string{"package keys or keyring package renewed"}
	}
	if len(details) > 0 {
		entries = append(entries, catalog.AuditEntry{Action: catalog.ActionRepoSet, Target: after.Repository.String(), Detail: strings.Join(details, "; ")})
	}
	return entries
}

// tokensChanged returns the entries for the read tokens that were made and revoked.
func tokensChanged(before, after catalog.Settings) (entries []catalog.AuditEntry) {
	for _, t := range after.Tokens {
		if !hasToken(before, t) {
			entries = append(entries, readTokenEntry(catalog.ActionTokenCreate, after.Repository, t))
		}
	}
	for _, t := range before.Tokens {
		if !hasToken(after, t) {
			entries = append(entries, readTokenEntry(catalog.ActionTokenRevoke, after.Repository, t))
		}
	}
	return entries
}

func hasToken(s catalog.Settings, t catalog.Token) bool {
	return slices.ContainsFunc(s.Tokens, func(o catalog.Token) bool { return o.SHA256 == t.SHA256 && o.Name == t.Name })
}

func readTokenEntry(action catalog.Action, r catalog.Repository, t catalog.Token) catalog.AuditEntry {
	return tokenEntry(action, r.Target(), t.Name, "opens the repository for reading", t.Expires)
}

// tokenEntry returns the entry for a token that was made or revoked.
func tokenEntry(action catalog.Action, target catalog.Target, name, rights string, expires *time.Time) catalog.AuditEntry {
	detail := name
	if action == catalog.ActionTokenCreate {
		detail += ": " + rights
		if expires != nil {
			detail += ", until " + expires.UTC().Format(time.RFC3339)
		}
	}
	return catalog.AuditEntry{Action: action, Target: target.String(), Detail: detail}
}
