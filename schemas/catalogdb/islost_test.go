package catalogdb_test

import (
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/go-sql-driver/mysql"

	"repomill/schemas/catalogdb"
)

// A server that is stopped says so on some connections, and breaks others.
func TestIsLost(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want bool
	}{
		{mysql.ErrInvalidConn, true},
		{io.ErrUnexpectedEOF, true},
		{&mysql.MySQLError{Number: 1053, Message: "Server shutdown in progress"}, true},
		{&mysql.MySQLError{Number: 1927, Message: "Connection was killed"}, true},
		{&mysql.MySQLError{Number: 1146, Message: "Table 'x' doesn't exist"}, false},
		{errors.New("a signature is wrong"), false},
	} {
		if got := catalogdb.IsLost(fmt.Errorf("read rows: %w", tt.err)); got != tt.want {
			t.Errorf("%v: lost %v, want %v", tt.err, got, tt.want)
		}
	}
}
