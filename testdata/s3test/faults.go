package s3test

import (
	"net/http"
	"strings"

	"repomill/testdata/faults"
)

// A Fault is a way in which a request fails: the connection breaks before there is an answer.
type Fault = faults.Fault

// The two ways in which a request fails: the server never saw it, or has done what was asked.
const (
	Lost   = faults.Lost
	Stored = faults.Stored
)

// The operations that can fail, in S3's words.
const (
	PutObject               = "PutObject"
	UploadPart              = "UploadPart" // and UploadPartCopy
	CreateMultipartUpload   = "CreateMultipartUpload"
	CompleteMultipartUpload = "CompleteMultipartUpload"
	DeleteObject            = "DeleteObject"
	Read                    = "Read" // of an object: GetObject, HeadObject
)

// Always makes a fault last until it is healed.
const Always = -1

type fault struct {
	operation, suffix string
	fault             Fault
	times             int
	broke             int // requests so far
	then              func()
}

// Fail makes the next requests of an operation fail whose path ends in suffix: so many of them, or [Always].
// The SDK repeats a request that failed: a fault of one time is one that it meets by itself. What is
// returned ends the fault and says how many requests were still to fail, which is 0 for [Always].
func (s *Server) Fail(operation, suffix string, f Fault, times int) (heal func() (left int)) {
	planned := s.fail(operation, suffix, f, times, func() {})
	return func() (left int) {
		left, _ = s.heal(planned)
		return left
	}
}

// Break makes all requests of an operation fail whose path ends in suffix. What is returned ends that and says
// how many it broke.
func (s *Server) Break(operation, suffix string, f Fault) (heal func() (broke int)) {
	planned := s.fail(operation, suffix, f, Always, func() {})
	return func() (broke int) {
		_, broke = s.heal(planned)
		return broke
	}
}

// FailThen makes one request fail, and calls then before the client gets the answer.
func (s *Server) FailThen(operation, suffix string, f Fault, then func()) {
	s.fail(operation, suffix, f, 1, then)
}

func (s *Server) fail(operation, suffix string, f Fault, times int, then func()) *fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	planned := &fault{operation: operation, suffix: suffix, fault: f, times: times, then: then}
	s.faults = append(s.faults, planned)
	return planned
}

// heal ends a fault and returns how many requests were still to fail and how many it broke.
func (s *Server) heal(f *fault) (left, broke int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	left, f.times = max(f.times, 0), 0
	return left, f.broke
}

// takeFault returns what is to go wrong with a request, and what is to happen then.
func (s *Server) takeFault(r *http.Request) (Fault, func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	operation := operationOf(r)
	if s.served == nil {
		s.served = map[string]int{}
	}
	s.served[operation+" "+r.URL.Path]++
	for _, f := range s.faults {
		if f.times != 0 && f.operation == operation && strings.HasSuffix(r.URL.Path, f.suffix) {
			if f.times > 0 {
				f.times--
			}
			f.broke++
			return f.fault, f.then
		}
	}
	return faults.None, nil
}

func operationOf(r *http.Request) string {
	q := r.URL.Query()
	switch {
	case r.Method == http.MethodGet || r.Method == http.MethodHead:
		return Read
	case r.Method == http.MethodPut && q.Has("partNumber"):
		return UploadPart
	case r.Method == http.MethodPut:
		return PutObject
	case r.Method == http.MethodDelete && !q.Has("uploadId"):
		return DeleteObject
	case r.Method == http.MethodPost && q.Has("uploads"):
		return CreateMultipartUpload
	case r.Method == http.MethodPost && q.Has("uploadId"):
		return CompleteMultipartUpload
	}
	return ""
}
