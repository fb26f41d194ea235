package s3test

import (
	"io"
	"net/http"
	"sync/atomic"

	"golang.org/x/time/rate"
)

// A limiter answers to some requests that there are too many.
type limiter struct {
	requests *rate.Limiter
	refused  atomic.Int64
}

func (l *limiter) allow() bool {
	if l.requests.Allow() {
		return true
	}
	l.refused.Add(1)
	return false
}

// Limit lets so many requests a second through, from all clients together, and answers to others 503 SlowDown, as Amazon S3 does to
// those of a prefix that has more than it can serve. What is returned ends that and says how many were refused.
func (s *Server) Limit(perSecond int) (end func() (refused int)) {
	l := &limiter{requests: rate.NewLimiter(rate.Limit(perSecond), max(perSecond/10, 1))}
	s.limiter.Store(l)
	return func() int {
		s.limiter.CompareAndSwap(l, nil)
		return int(l.refused.Load())
	}
}

// slowDown answers like Amazon S3. The body of a request is read first: a connection whose client still sends would break.
func slowDown(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Expect") == "" {
		io.Copy(io.Discard, r.Body) //nolint:errcheck // a client that went away gets no answer
	}
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(http.StatusServiceUnavailable)
	if r.Method != http.MethodHead {
		io.WriteString(w, `<?xml version="1.0" encoding="UTF-8"?>`+"\n"+ //nolint:errcheck // the same
			`<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message><RequestId>test</RequestId></Error>`)
	}
}
