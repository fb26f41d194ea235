// Package porttest finds addresses for servers that have to be given one.
package porttest

import (
	"fmt"
	"math/rand/v2"
	"net"
	"testing"
)

// Free returns a loopback address on which nothing listens. Its port is below those that Linux gives to connections and to
// listeners that ask for any: between now and the start of the server, only one who names this port can take it.
func Free(t testing.TB) string {
	t.Helper()
	var last error
	for range 100 {
		address := fmt.Sprintf("127.0.0.1:%d", 20_000+rand.IntN(10_000))
		l, err := net.Listen("tcp", address)
		if last = err; err == nil {
			l.Close()
			return address
		}
	}
	t.Fatal(last)
	return ""
}
