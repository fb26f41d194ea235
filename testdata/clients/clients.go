// Package clients shows that real clients and mirrors read indexes of full size: releases of 20,000 packages,
// whose index files are rows of gzip members. All of it is tests:
//
//	go test ./testdata/clients [-short] [-clients.binary PATH]
//
// With -short the releases have 2,000 packages. -clients.binary names a repomill that was built before.
//
// Nearly all packages are rows without a file of their own, put straight into the catalog; repomill reindex
// publishes them. A few real ones are pushed then, where members begin and end, so that clients can download
// them. What clients say is compared with the rows. Then one more package is pushed, which changes one member
// of each index (two if the index begins with a count), and clients that have the old indexes see it.
//
// A test that lacks its judge is skipped and says which.
//
// With -clients.roots, which make test-clients gives, whole systems in roots of their own are set up by the lines that
// repomill hint prints, or by an install script, and install from public and private repositories. Others are set up so, and then look for what is
// new while the keys that sign it change: of each kind of client it is known which of these it takes by itself.
package clients
