// Package soak kills repomill at random times while packages are pushed, and reads all the time what clients see. It is one test:
//
//	go test -count=1 -v -timeout 90m ./testdata/soak -args -soak.kills 500
//
// It has two configurations at a time: files and SQLite (repomill up), and S3 and MySQL (two repomill workers, with
// Cloud Storage and Pub/Sub in front). The programs are ended with SIGKILL and started again at once. Some are frozen first, so that they
// wake up after others have continued. MariaDB and the S3 server are killed, too, and are down for up to 2.5 s; what was committed or
// stored stays. A worker may end by itself if it starts then, and a command may fail with the exit codes 3 and 4; both are tried again.
// Each release has its first package before that begins, so that every unreadable file is a fault.
//
// At the same time packages of both formats are pushed, repeated, pushed with other bytes under their names, as garbage, and
// over one another; some are withdrawn and restored, and indexes are rendered in whole. A reader fetches every pointer, its
// signature, its indexes and its packages, and checks what superseded pointers named; repomill check reads as well. They check
// the invariants of publishing: I1 (what a pointer names exists), I2 (revisions and dates rise, no package vanishes), I3 (each
// upload has one verdict), I4 (an identity keeps its bytes) and I8 (every pointer is signed). They also check the exit codes of
// all commands. Files beside a pointer, such as repomd.xml.asc, may be torn until 5 s after a restart. Collection is not part of
// it, because no object is old enough (--retention is 24 h at least); a test of package publish kills it half-way.
//
// The private repository is read as clients do: a resolver wants the token and redirects to a signed URL, and an edge verifies that. repomill up
// is both, and is killed; beside S3 a resolver of its own is killed, too. A read that meets none is repeated; a right token that opens nothing, a
// redirect that may be cached or leads elsewhere, and an answer without token or with another signature are violations.
//
// Real clients read along, one after the other, through a web server that is never down, and has the token: apt-get update and download of four codenames, dnf
// of three repositories. One that fails is a violation. All reads of each pointer are noted, of three readers at a time. In the end they
// must be linearizable: each state that was read was published, in the order in which the manifests name each other, none was read after
// a later one, or after the catalog had recorded that a later one is published.
//
// A release manager works in repositories of its own, one of them private, with commands that are killed, too: it pushes, promotes, moves, withdraws
// and restores with patterns, takes and deletes snapshots, rolls back, publishes and drops release trains, phases, applies rules of retention, deletes
// the repository and brings it back. It notes each state of each release before it asks for it. A reader checks that clients see these
// states in their order and nothing between two of them (promotions and moves may be seen in parts), that none comes back, that what a command has said is seen from then on, that what moves
// is never nowhere, and that a snapshot has what it had until its deletion begins (L1, L3). In the end the audit log has
// each operation once (L6). A long soak goes on killing until each of these was done.
//
// In the end, nothing may be lost: each upload has the verdict of its kind, clients see exactly the right packages, a reindex
// would change nothing, and another start writes nothing. A table shows the counts. Without -soak.kills there are 20 kills.
// -soak.seed repeats the random choices of a run, but not its times; -soak.binary names a repomill that was built before;
// -soak.dir keeps the files and the logs.
package soak
