package api

import (
	"net"
	"net/http"
)

// LimitedByAddress keeps to the limits of a caller what has no caller yet: those of each network address. Behind a proxy that is
// the proxy's address, and the limit one for all.
func LimitedByAddress(l *Limits, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.RemoteAddr)
		if err != nil {
			host = r.RemoteAddr
		}
		if err := l.Request(Principal{ID: "address " + host}); err != nil {
			WriteError(w, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}
