package layout

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"repomill/schemas/catalog"
)

// DefaultComponent is the component of a DEB package whose staging key names none.
const DefaultComponent = "main"

// MaxStagingKey is the longest staging key in bytes: the limit of object stores, less ".results/" and ".json" of its verdict.
const MaxStagingKey = 1000

// Incoming is where an upload lies in staging while its place is not known yet: under a hidden name that is not listed.
const Incoming = ".incoming/"

// IncomingTime is the age from which on an upload that still lies there was left by a process that ended.
const IncomingTime = 24 * time.Hour

// A Staged is a parsed staging key.
type Staged struct {
	Repository   catalog.Repository
	Distribution catalog.Distribution // as written; look it up in a [Table]
	Component    string               // as written; empty if the key names none
	ID           string               // of the push; empty for a file that was copied into staging
	Train        string               // the release train of its owner that it is pushed for; empty for none
	Embargo      bool                 // nothing may show it before the train is published
	File         string               // the uploader's name for it: shown, never trusted
}

// ParseStaging reads a staging key, owner/name/os/version/[component/]file, whose last part may be a [StagedName]. An upload under
// embargo has the key of [EmbargoedStaging].
func ParseStaging(key string) (Staged, *catalog.Rejection) {
	if open, embargo := CutEmbargo(key); embargo {
		return parseEmbargoed(key, open)
	}
	return parseOpen(key)
}

// parseEmbargoed reads the staging key of an upload under embargo. Without a train it would never be published, and without an ID
// its key could be guessed.
func parseEmbargoed(key, open string) (Staged, *catalog.Rejection) {
	at, rej := parseOpen(open)
	at.Embargo = true
	switch {
	case rej != nil:
		return at, rej
	case len(key) > MaxStagingKey:
		return at, &catalog.Rejection{Reason: catalog.BadPath, Detail: fmt.Sprintf("path %.200q is too long", ShownStaging(key))}
	case at.ID == "" || at.Train == "":
		return at, &catalog.Rejection{Reason: catalog.BadPath, Detail: "an upload under embargo is for a release train: use repomill push --train NAME --embargo"}
	}
	return at, nil
}

func parseOpen(key string) (Staged, *catalog.Rejection) {
	p := strings.Split(key, "/")
	if len(p) < 5 || len(p) > 6 || len(key) > MaxStagingKey || !utf8.ValidString(key) {
		return Staged{}, &catalog.Rejection{Reason: catalog.BadPath, Detail: fmt.Sprintf("path %.200q: use owner/name/os/version/[component/]file", ShownStaging(key)) + placeAdvice(p)}
	}
	s := Staged{
		Repository:   catalog.Repository{Owner: p[0], Name: p[1]},
		Distribution: catalog.Distribution{OS: p[2], Version: p[3]},
	}
	s.ID, s.Train, s.File = cutStaged(p[len(p)-1])
	if rej := CheckRepository(s.Repository); rej != nil {
		return s, rej
	}
	if rej := checkDistributionName(s.Distribution); rej != nil {
		rej.Detail += lowerCase(s.Distribution)
		return s, rej
	}
	if len(p) == 6 {
		s.Component = p[4]
		if rej := CheckComponent(s.Component); rej != nil {
			return s, rej
		}
	}
	if misspelledTrain(s.File) {
		return s, &catalog.Rejection{Reason: catalog.BadPath, Detail: fmt.Sprintf("file name %.200q: what is between + and ~ is not the name of a release train; use letters, digits and any of . - _ +", s.File)}
	}
	if s.File == "" {
		return s, &catalog.Rejection{Reason: catalog.BadPath, Detail: fmt.Sprintf("path %.200q ends in a slash: a file name is missing", key)}
	}
	return s, nil
}

// placeAdvice ends the rejection of a path that has too few or too many parts: with a component that would do in the
// place of several parts, where they make one, else with an example.
func placeAdvice(parts []string) string {
	if len(parts) > 6 {
		if component := strings.Join(parts[4:len(parts)-1], "-"); CheckComponent(component) == nil {
			return fmt.Sprintf("; a component is one path segment, without a slash, such as %q", component)
		}
	}
	return ", such as acme/tools/ubuntu/jammy/hello_1.0_amd64.deb"
}
