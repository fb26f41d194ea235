package main_test

import (
	"context"
	"os"

	main "repomill/pipelines/repomill"
	"repomill/serve/api"
)

// The callers of the tests' API. The program of the tests is itself, with this table in the place of the catalog's tokens.
var testCallers = tableOf{
	"push-tools": {ID: "t1", Name: "token push-tools", Grants: []api.Grant{{Right: api.Push, Owner: "acme"}, {Right: api.Read, Owner: "acme"}}},
	"read-tools": {ID: "t2", Name: "token read-tools", Grants: []api.Grant{{Right: api.Read, Owner: "acme"}}},
	"push-other": {ID: "t3", Name: "token push-other", Grants: []api.Grant{{Right: api.Push, Owner: "other"}}},
}

// A tableOf callers knows them by their credential.
type tableOf map[string]api.Principal

// Authenticate implements [api.Authenticator].
func (t tableOf) Authenticate(_ context.Context, credential string) (api.Principal, error) {
	p, ok := t[credential]
	if !ok {
		return p, api.ErrUnknownCredential
	}
	return p, nil
}

// asProgram is set for a process of the tests that is to be the program.
const asProgram = "REPOMILL_TEST_AS_PROGRAM"

// beProgram ends this process as the program, if it is to be that.
func beProgram() {
	if os.Getenv(asProgram) != "" {
		os.Exit(main.RunWithCallers(os.Args[1:], testCallers))
	}
}
