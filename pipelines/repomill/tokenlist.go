package main

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"repomill/pipelines/client"
	"repomill/pipelines/command"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

type tokenListCmd struct {
	catalogFlags
	Target  string `arg:"" optional:"" help:"owner/name: those that open it, and those of the API that may call for it. Or owner. Without it, all."`
	Revoked bool   `help:"Also those of the API that were revoked."`
	JSON    bool   `name:"json" help:"Print one JSON object a line."`
}

// A listedReadToken is a read token as JSON.
type listedReadToken struct {
	Target catalog.Target  `json:"target"`
	Scopes []catalog.Scope `json:"scopes"`
	Opens  bool            `json:"opens_repository"`
	catalog.Token
}

// Run prints the tokens: those of repositories, in order, and those of the API.
func (c *tokenListCmd) Run(ctx context.Context, io stdio) error {
	var target catalog.Target
	if c.Target != "" {
		var err error
		if target, err = parseTarget(c.Target); err != nil {
			return err
		}
	}
	db, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer db.Close()
	settings, err := c.settings(ctx, db, target)
	if err != nil {
		return err
	}
	all, err := db.APITokens(ctx, c.Revoked)
	if err != nil {
		return command.Fault(err)
	}
	w := tabwriter.NewWriter(io.out, 0, 0, 2, ' ', 0)
	defer w.Flush()
	n := 0
	line := func(json any, fields ...string) {
		if c.JSON {
			printJSON(io, json)
			return
		}
		if n++; n == 1 {
			fmt.Fprintln(w, "NAME\tFOR\tSCOPE\tCREATED\tEXPIRES\tLAST USED")
		}
		for i := range fields {
			fields[i] = command.Printable(fields[i])
		}
		fmt.Fprintln(w, strings.Join(fields, "\t"))
	}
	for _, s := range settings {
		for _, t := range s.Tokens {
			r := s.Repository.Target()
			line(listedReadToken{r, []catalog.Scope{catalog.ScopeRead}, true, t}, t.Name, r.String(), "read", dateTime(&t.Created, ""), dateTime(t.Expires, "never"), "-")
		}
	}
	for _, t := range all {
		if !target.Covers(t.Target) && !t.Target.Covers(target) {
			continue
		}
		used := dateTime(t.LastUsed, "never")
		if t.Revoked != nil {
			used = "revoked " + dateTime(t.Revoked, "")
		}
		line(t, t.Name, t.Target.String(), "API: "+words(t.Scopes), dateTime(&t.Created, ""), dateTime(t.Expires, "never"), used)
	}
	switch {
	case n > 0 || c.JSON:
	case target.Owner == "":
		fmt.Fprintln(io.out, "there are no tokens yet")
	default:
		fmt.Fprintf(io.out, "%s has no tokens\n", target)
	}
	return nil
}

// settings returns the settings of the repositories of a target.
func (c *tokenListCmd) settings(ctx context.Context, db *catalogdb.DB, target catalog.Target) (of []catalog.Settings, err error) {
	if target.Name != "" {
		s, err := db.Settings(ctx, catalog.Repository(target))
		if err != nil {
			return nil, client.NotDeclared(ctx, db, catalog.Repository(target), err)
		}
		return []catalog.Settings{s}, nil
	}
	all, err := db.Repositories(ctx)
	if err != nil {
		return nil, command.Fault(err)
	}
	for _, s := range all {
		if target.Covers(s.Repository.Target()) {
			of = append(of, s)
		}
	}
	return of, nil
}

func words(scopes []catalog.Scope) string {
	text := make([]string, len(scopes))
	for i, s := range scopes {
		text[i] = string(s)
	}
	return strings.Join(text, " ")
}

func dateTime(t *time.Time, none string) string {
	if t == nil {
		return none
	}
	return t.Format(time.DateTime)
}
