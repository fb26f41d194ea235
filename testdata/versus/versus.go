// Package versus measures repomill beside its peers, in the same run and on the same packages. All of it
// is benchmarks:
//
//	go test -run '^$' -bench . -benchtime 1x -timeout 60m ./testdata/versus [-versus.full]
//
// Without -versus.full the repositories are small and all of it takes a few minutes; each benchmark can be had
// alone, with -bench NAME, and 1,000,000 packages with -versus.rows 1000000 (a quarter of an hour to make the
// rows). What counts is CPU time, user and system, of whole processes with the children that they waited for;
// wall time says more about who else was busy. Each figure is the median of -versus.runs, but for the largest
// package (of five) and reindexes of large releases (of one). A peer that is not installed is left out. A table
// of all figures is printed at the end.
//
// The peers are set up as their manuals say, for the least work that gives clients the same: two
// architectures, one component, indexes compressed with gzip only, no Contents, no databases for yum, and one
// OpenPGP signature (gpg, RSA-4096, a key without passphrase; what gpg-agent spends is not counted).
// createrepo_c stores no packages: cp -r of them, measured in the same run, is added to what a cold run takes of it.
// The bars are in the table, each met or not: shares of the CPU and the wall time of the peer that does the same
// work, and memory, latency and time of repomill alone. The bar of one more package beside aptly holds at each size
// of -versus.n.
// reprepro keeps one version of a name, and so indexes a sixth less than the others. What is compared with a
// cold run is the same files for all. One more package and a reindex find the repository made from rows at
// repomill, those of RPM for one architecture as createrepo_c has them in one folder. repomill does more than the
// peers: it makes every file durable, keeps a row and a verdict of each upload, and serves clients.
package versus
