// Package clients shows that real clients and mirrors read indexes of full size: releases of 20,000 packages,
// whose index files are rows of more than a hundred gzip members. All of it is tests:
//
//	go test ./testdata/clients [-short]
//
// With -short the releases have 2,000 packages. Nearly all packages are rows without a file of their own, put
// straight into the catalog; repomill reindex publishes them. A few real ones are pushed then, where members
// begin and end, so that clients can download them. What clients say is compared with the rows.
//
// A test that lacks its judge is skipped and says which.
package clients
