package catalogdb_test

import (
	"sync/atomic"
	"testing"

	"repomill/testdata/faults"
)

// A fault is what becomes of a commit whose caller hears nothing.
type fault = faults.Fault

const (
	noFault = faults.None
	lost    = faults.Lost   // the server never saw it
	stored  = faults.Stored // the server did it
)

// A proxy forwards the connections of a catalog to its server, and breaks one at its next commit when a test asks for it.
type proxy struct {
	port   string
	next   atomic.Int32 // the fault of the next commit
	faults atomic.Int32 // that happened
}

func newProxy(t *testing.T, socket string) *proxy {
	t.Helper()
	p := &proxy{}
	p.port = faults.NewProxy(t, socket, func() fault {
		f := fault(p.next.Swap(int32(noFault)))
		if f != noFault {
			p.faults.Add(1)
		}
		return f
	}).Port
	return p
}
