package oidc

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// claims are the members of an ID token's payload.
type claims map[string]json.RawMessage

// registered are the claims that decide about a token. A payload in which a name differs from one of these in case
// alone is refused: readers of JSON disagree about which one counts.
var registered = []string{"iss", "sub", "aud", "exp", "nbf", "iat", "jti"}

// parseClaims reads a payload: one JSON object, without repeated names.
func parseClaims(payload []byte) (claims, error) {
	dec := json.NewDecoder(bytes.NewReader(payload))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, errors.New("the payload of the ID token is not a JSON object")
	}
	all := claims{}
	for dec.More() {
		t, err := dec.Token()
		if err != nil {
			return nil, err
		}
		name, _ := t.(string) // a name, or else Token fails
		if _, twice := all[name]; twice {
			return nil, fmt.Errorf("the ID token has the claim %q twice", name)
		}
		if slices.ContainsFunc(registered, func(r string) bool { return r != name && strings.EqualFold(r, name) }) {
			return nil, fmt.Errorf("the ID token has a claim %q, which may be taken for another one", name)
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return nil, err
		}
		all[name] = value
	}
	if _, err := dec.Token(); err != nil {
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("the payload of the ID token has more than one JSON value")
	}
	return all, nil
}

// fit reports whether all patterns are met, and returns the name of the first claim that fails.
func (c claims) fit(patterns map[string]string) (missed string, ok bool) {
	for _, name := range slices.Sorted(maps.Keys(patterns)) {
		pattern := patterns[name]
		if !slices.ContainsFunc(texts(c[name]), func(v string) bool { return matches(pattern, v) }) {
			return name, false
		}
	}
	return "", len(patterns) > 0
}

// text returns a claim that has one text; "" for any other.
func (c claims) text(name string) string {
	if t := texts(c[name]); len(t) == 1 && !isArray(c[name]) {
		return t[0]
	}
	return ""
}

var integer = regexp.MustCompile(`\A-?(?:0|[1-9][0-9]{0,38})\z`)

// texts returns the texts of a claim that patterns are compared with: a string; true or false; an integer as it is
// written; and of an array those of each element, without arrays in it. An object, null or a fraction has none.
func texts(value json.RawMessage) []string {
	value = bytes.TrimSpace(value)
	if !isArray(value) {
		if t, ok := scalar(value); ok {
			return []string{t}
		}
		return nil
	}
	var elements []json.RawMessage
	if json.Unmarshal(value, &elements) != nil {
		return nil
	}
	var all []string
	for _, e := range elements {
		if t, ok := scalar(e); ok {
			all = append(all, t)
		}
	}
	return all
}

func isArray(value json.RawMessage) bool { return bytes.HasPrefix(bytes.TrimSpace(value), []byte("[")) }

func scalar(value json.RawMessage) (string, bool) {
	value = bytes.TrimSpace(value)
	switch s := string(value); {
	case s == "true", s == "false", integer.MatchString(s):
		return s, true
	case strings.HasPrefix(s, `"`):
		var t string
		err := json.Unmarshal(value, &t)
		return t, err == nil
	}
	return "", false
}
