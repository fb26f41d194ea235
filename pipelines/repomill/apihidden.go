package main

import (
	"context"
	"errors"
	"strings"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

// hiddenNames decides which names of repositories a report may have.
type hiddenNames struct {
	sees  func(catalog.Repository) bool // the caller has a right in it
	known map[catalog.Repository]bool   // whether it is hidden
}

// hide returns a text about a repository of. What it says of places in another repository is left out if that is private, and the caller
// does not see it, or if it is not there any more.
func (a apiStatus) hide(ctx context.Context, text string, other, of catalog.Repository) (string, error) {
	if other == (catalog.Repository{}) || other == of || a.hidden.sees(other) {
		return text, nil
	}
	hidden, known := a.hidden.known[other]
	if !known {
		s, err := a.db.Settings(ctx, other)
		if err != nil && !errors.Is(err, catalogdb.ErrNotFound) {
			return "", err
		}
		hidden = err != nil || s.Visibility != catalog.Public
		a.hidden.known[other] = hidden
	}
	if !hidden {
		return text, nil
	}
	return withoutPlaces(text, other), nil
}

// ofNames are the characters of names in places and keys.
const ofNames = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+~-%"

// withoutPlaces replaces the names of places in a repository.
func withoutPlaces(text string, r catalog.Repository) string {
	words := strings.Split(text, " ")
	for i, w := range words {
		at := strings.Index(w, r.String())
		if at < 0 {
			continue
		}
		after := w[at+len(r.String()):]
		end := strings.TrimLeft(after, ofNames+"/")
		if after == end || after[0] == '/' { // else the name is longer
			words[i] = w[:at] + "another repository" + end
		}
	}
	return strings.Join(words, " ")
}
