// Package soak kills repomill at random, again and again, while packages keep coming, and reads all the time what
// clients see. All of it is one test:
//
//	go test -count=1 -v -timeout 90m ./testdata/soak -args -soak.kills 500
//
// It has two configurations at a time: files and SQLite (repomill up), and S3 and MySQL (two repomill workers, with
// Cloud Storage and Pub/Sub in front). Their servers live on; only the programs are ended, with SIGKILL, and started
// again at once. Some are frozen first, so that they wake up when others have gone on. Each release has its first
// package before that begins, so that nothing that cannot be read is excused.
//
// Meanwhile packages of both formats are pushed, again, with other bytes under their names, as garbage, and over one
// another; some are withdrawn and brought back, and indexes are regenerated. A reader fetches every pointer, its
// signature, its indexes and its packages, and keeps looking at what superseded pointers named; repomill check reads
// with it. What they demand are the invariants of publishing: I1 (what a pointer names is there), I2 (revisions
// and dates rise, no package vanishes), I3 (each upload has its one verdict), I4 (an identity keeps its bytes)
// and I8 (every pointer is signed); besides, every command of an operator ends as it should. Files beside a pointer,
// repomd.xml.asc among them, may be torn until 5 s after the restart. Collection is not in it: nothing is old enough
// (--retention is 24 h at least); publish's own test kills it half-way.
//
// In the end, nothing may be lost: each upload has the verdict that its kind must have, clients see exactly
// the packages that they should, a reindex would change nothing, and another start writes nothing. A table tells what
// was done. Without -soak.kills there are 20 kills. -soak.seed repeats the random choices of a run, though not
// its moments; -soak.binary names a repomill that was built before; -soak.dir keeps the files and the logs.
package soak
