package sign_test

import (
	"testing"

	"repomill/publish/sign"
)

func TestDescribeNamesTheUser(t *testing.T) {
	for _, tt := range []struct {
		fact  string
		users []string
		usage string
		want  string
	}{
		{"the only user ID", []string{"acme <releases@acme.example>"}, "sign", "acme <releases@acme.example>"},
		{"the one that is marked as primary", []string{"a first", "b second"}, "sign", "b second"},
		{"a key that may not sign", []string{"acme"}, "cert", "acme"},
	} {
		t.Run(tt.fact, func(t *testing.T) {
			t.Parallel()
			home := gpgHome(t)
			gpg(t, home, nil, "--quick-gen-key", tt.users[0], "ed25519", tt.usage, "never")
			for _, user := range tt.users[1:] {
				gpg(t, home, nil, "--quick-add-uid", fingerprint(t, home), user)
				gpg(t, home, nil, "--quick-set-primary-uid", fingerprint(t, home), user)
			}
			armored := gpg(t, home, nil, "--armor", "--export")
			for range 3 { // the same each time
				all, err := sign.Describe(armored)
				if err != nil || len(all) != 1 || all[0].User != tt.want || all[0].Fingerprint != fingerprint(t, home) {
					t.Errorf("%+v, %v; want one of %q", all, err, tt.want)
				}
			}
		})
	}
}
