package main

import (
	"fmt"
	"path/filepath"

	"repomill/schemas/catalog"
)

// warnOfFolder says, of a repository in the data folder of repomill up that becomes private, that a web server which serves the folder
// itself opens it to all.
func (f catalogFlags) warnOfFolder(io stdio, was, now catalog.Settings) {
	if f.Catalog != "" || now.Visibility != catalog.Private || was.Visibility == catalog.Private {
		return
	}
	fmt.Fprintf(io.err, "note: %s is private for requests that pass repomill up; a web server that serves %s as files asks for no token, and opens it to all\n",
		now.Repository, filepath.Join(f.Data, "bucket"))
}
