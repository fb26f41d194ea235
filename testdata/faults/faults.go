// Package faults makes every write of a store and every commit of a database fail, in both ways, and reads
// afterwards what clients see. Its tests drive the real pipelines. What others need of it is here: the
// two faults, which the S3 server of package s3test knows too, and a proxy that loses the commits of a MySQL server.
package faults

// A Fault is a way in which a write fails.
type Fault int32

// The ways in which a write fails: the caller gets an error, and nothing was stored, or everything was.
const (
	None Fault = iota
	Lost
	Stored
)

// String returns the fault as a word.
func (f Fault) String() string { return [...]string{"no fault", "lost", "stored"}[f] }
