package catalog_test

import (
	"strings"
	"testing"

	"repomill/schemas/catalog"
)

func TestPusherIsKeptPrintable(t *testing.T) {
	for _, tt := range []struct {
		fact       string
		give, want catalog.Pusher
	}{
		{"none", catalog.Pusher{}, catalog.Pusher{}},
		{"as it is", catalog.Pusher{User: "token ci of acme", Job: "https://ci.example/1?a=b"}, catalog.Pusher{User: "token ci of acme", Job: "https://ci.example/1?a=b"}},
		{"without what terminals obey", catalog.Pusher{User: "a\x1b[31m\u202eb\n\xff", Job: "\u009bx"}, catalog.Pusher{User: "a[31mb", Job: "x"}},
		{"no longer than columns are", catalog.Pusher{User: strings.Repeat("é", 80), Job: strings.Repeat("j", 9000)}, catalog.Pusher{User: strings.Repeat("é", 50), Job: strings.Repeat("j", 500)}},
	} {
		t.Run(tt.fact, func(t *testing.T) {
			if got := tt.give.Kept(); got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}
