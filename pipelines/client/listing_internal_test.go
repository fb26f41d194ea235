package client

import (
	"fmt"
	"testing"
)

func TestNewestOf(t *testing.T) {
	var versions []string
	for i := range 12 {
		versions = append(versions, fmt.Sprintf("1.%d", i))
	}
	for _, tt := range []struct {
		n    int
		want string
	}{
		{1, "1.0"}, {2, "1.0, 1.1"}, {10, "1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7, 1.8, 1.9"},
		{12, "1.2, 1.3, 1.4, 1.5, 1.6, 1.7, 1.8, 1.9, 1.10, 1.11, and 2 more"},
	} {
		if got := newestOf(versions[:tt.n]); got != tt.want {
			t.Errorf("of %d: got %q, want %q", tt.n, got, tt.want)
		}
	}
}
