package catalogdb

import (
	"context"
	"errors"
	"net"
	"os"
	"testing"
)

// Time that runs out while a transaction is repeated does not hide why it was repeated.
func TestWhatARepetitionIsForIsSaidWhenTimeRunsOut(t *testing.T) {
	db := openGroup(t)
	refused := errors.New("refused")
	db.remedy = func(err error) remedy {
		if errors.Is(err, refused) {
			return repeat
		}
		return none
	}
	missing := errors.New("no such package")
	for _, tt := range []struct {
		name         string
		second, want error
	}{
		{"the repetition is cut short", context.Canceled, refused},
		{"the repetition is cut short while it connects", &net.OpError{Op: "dial", Net: "unix", Err: os.ErrDeadlineExceeded}, refused},
		{"the repetition ends by itself, at the last moment", missing, missing},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		tries := 0
		err := db.retry(ctx, func() error {
			if tries++; tries == 1 {
				return refused
			}
			cancel()
			return tt.second
		})
		if !errors.Is(err, tt.want) || tries != 2 {
			t.Errorf("%s: got %v after %d tries, want %v", tt.name, err, tries, tt.want)
		}
		cancel()
	}
}
