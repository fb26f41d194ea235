// Package year lets a year pass in minutes, and demands that nothing grows in it but what is kept by design. It is one test:
//
//	go test -count=1 -v -timeout 3h ./testdata/year -args -year.days 365 -year.repositories 300 -year.uploads 150
//
// The test has a clock of its own (testing/synctest): what waits for the next day waits for nothing. The worker, its pipelines, all of
// its passes and the catalog are those of the product and go by that clock, SQLite's unixepoch included. The files of the published bucket
// are given the time of the day on which they were written.
//
// On each simulated day packages are pushed to repositories of both formats, some of them again, some with other bytes under their
// names, and junk; packages are withdrawn, and some come back; distributions keep their newest versions by rules of retention, and some
// repositories have snapshots by a rule. Then a worker runs once, as repomill worker --once does: it publishes, makes pages and
// snapshots, applies retention, cleans staging, collects superseded objects in two passes, each on another day, and forgets history.
//
// Once in a simulated month the rows of all tables are counted, the bytes of the database, the objects of bucket and staging, the heap,
// and what the worker needs for an upload and for publishes of one package. Each upload must have the verdict of its kind. In the end
// the last months are compared with those before: what is bounded by design and grew fails the test. What is kept for good is named in
// kept_test.go, with the reason.
//
// -year.history, -year.retention and -year.month are periods in days; a short year has short ones. -year.out is a folder for
// RESULTS.md and rows.svg, which are written at the end of each month.
package year
