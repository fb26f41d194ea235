package gcstest

import "net/http"

// A Fault is what goes wrong with a request.
type Fault int

// The faults.
const (
	Lost      Fault = iota + 1 // the request is not carried out, and the connection breaks
	Stored                     // it is carried out, but the connection breaks before the answer
	Damaged                    // a bit of what is sent, or of what is answered to a GET, is flipped
	Cut                        // the connection breaks in the middle of the answer
	Stalled                    // the answer stops in its middle
	Forbidden                  // 403
	Unlisted                   // 403, as Google answers for an absent object without the permission to list
	Busy                       // 503
	Torn                       // of a chunk of an upload, a part arrives and is kept, then the connection breaks
)

func (f Fault) String() string {
	return [...]string{"none", "lost", "stored", "damaged", "cut", "stalled", "forbidden", "unlisted", "busy", "torn"}[f]
}

// status returns the code with which a fault refuses a request, or 0.
func (f Fault) status() int {
	switch f {
	case Forbidden, Unlisted:
		return http.StatusForbidden
	case Busy:
		return http.StatusServiceUnavailable
	}
	return 0
}

func (f Fault) message() string {
	switch f {
	case Unlisted:
		return "ci@test does not have storage.objects.list access to the Google Cloud Storage bucket. Permission 'storage.objects.list' denied on resource (or it may not exist)."
	case Forbidden:
		return "ci@test does not have access to the Google Cloud Storage object."
	}
	return "We encountered an internal error. Please try again."
}

type planned struct {
	fault Fault
	when  func(*http.Request) bool
	times int
}

// Fail makes something go wrong with the next requests, as often as said, for which when is true.
func (s *Server) Fail(f Fault, times int, when func(*http.Request) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, &planned{f, when, times})
}

// Pending returns how many planned faults have not happened.
func (s *Server) Pending() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, p := range s.faults {
		n += p.times
	}
	return n
}

// take returns what goes wrong with a request.
func (s *Server) take(r *http.Request) Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.faults {
		if p.times > 0 && p.when(r) {
			p.times--
			return p.fault
		}
	}
	return 0
}
