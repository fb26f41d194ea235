package main

import (
	"context"

	"repomill/pipelines/client"
	"repomill/schemas/catalogdb"
)

// Flags that commands here share with those of package client.
type (
	catalogFlags struct{ client.CatalogFlags }
	clientFlags  = client.ClientFlags
)

// open opens the catalog, which must exist and answer.
func (f catalogFlags) open(ctx context.Context) (*catalogdb.DB, error) { return f.Open(ctx) }

func printJSON(io stdio, v any) { client.PrintJSON(io.out, v) }
