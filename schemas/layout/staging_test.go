package layout_test

import (
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

func TestParseStaging(t *testing.T) {
	for _, tt := range []struct {
		name, key string
		want      layout.Staged
	}{
		{"without a component", "acme/tools/ubuntu/jammy/hello_2.10-3_amd64.deb",
			layout.Staged{Repository: tools, Distribution: jammy.Distribution, File: "hello_2.10-3_amd64.deb"}},
		{"with a component", "acme/tools/ubuntu/jammy/contrib/hello.deb",
			layout.Staged{Repository: tools, Distribution: jammy.Distribution, Component: "contrib", File: "hello.deb"}},
		{"an RPM", "acme/tools/el/9/hello.rpm", layout.Staged{Repository: tools, Distribution: el9.Distribution, File: "hello.rpm"}},
		{"a distribution that is not in the table", "acme/tools/plan9/4/hello.rpm",
			layout.Staged{Repository: tools, Distribution: catalog.Distribution{OS: "plan9", Version: "4"}, File: "hello.rpm"}},
		{"names with all that is allowed", "a0._-/b/c/15.6/d-._/f",
			layout.Staged{Repository: catalog.Repository{Owner: "a0._-", Name: "b"}, Distribution: catalog.Distribution{OS: "c", Version: "15.6"}, Component: "d-._", File: "f"}},
		{"pushed", "acme/tools/ubuntu/jammy/@abcdefghijklmnopqrstuvwx27~hello.deb",
			layout.Staged{Repository: tools, Distribution: jammy.Distribution, ID: "abcdefghijklmnopqrstuvwx27", File: "hello.deb"}},
		{"pushed for a train", "acme/tools/ubuntu/jammy/@abcdefghijklmnopqrstuvwx27+19.5.0-rc+1~hello~rc1.deb",
			layout.Staged{Repository: tools, Distribution: jammy.Distribution, ID: "abcdefghijklmnopqrstuvwx27", Train: "19.5.0-rc+1", File: "hello~rc1.deb"}},
		{"a file name that begins with an at sign", "acme/tools/el/9/@x~hello.rpm", layout.Staged{Repository: tools, Distribution: el9.Distribution, File: "@x~hello.rpm"}},
		{"any file name", "acme/tools/el/9/é \x01\u202e\"$(rm).rpm", layout.Staged{Repository: tools, Distribution: el9.Distribution, File: "é \x01\u202e\"$(rm).rpm"}},
		{"as long as a name may be", strings.Repeat("a", 63) + "/tools/el/9/f",
			layout.Staged{Repository: catalog.Repository{Owner: strings.Repeat("a", 63), Name: "tools"}, Distribution: el9.Distribution, File: "f"}},
		{"as long as a key may be", "acme/tools/el/9/" + strings.Repeat("f", 984), layout.Staged{Repository: tools, Distribution: el9.Distribution, File: strings.Repeat("f", 984)}},
		{"a reserved owner as repository", "acme/api/el/9/f", layout.Staged{Repository: catalog.Repository{Owner: "acme", Name: "api"}, Distribution: el9.Distribution, File: "f"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, rej := layout.ParseStaging(tt.key)
			if rej != nil {
				t.Fatal(rej)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("staged (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseStagingRejects(t *testing.T) {
	long := strings.Repeat("x", 64)
	for _, tt := range []struct {
		name, key string
		want      catalog.Reason
		detail    string // part of it
	}{
		{"empty", "", catalog.BadPath, "owner/name/os/version"},
		{"no file", "acme/tools/ubuntu/jammy", catalog.BadPath, "owner/name/os/version"},
		{"a folder", "acme/tools/ubuntu/jammy/", catalog.BadPath, "a file name is missing"},
		{"a folder in a component", "acme/tools/ubuntu/jammy/main/", catalog.BadPath, "a file name is missing"},
		{"too deep", "acme/tools/ubuntu/jammy/main/x/hello.deb", catalog.BadPath, "owner/name/os/version"},
		{"a component with a slash", "acme/tools/ubuntu/jammy/pro/main/hello.deb", catalog.BadPath, `a component is one path segment, without a slash, such as "pro-main"`},
		{"parts that make no component", "acme/tools/ubuntu/jammy/" + strings.Repeat("\x0f", 600) + "/b/hello.deb", catalog.BadPath, "such as acme/tools/ubuntu/jammy/hello_1.0_amd64.deb"},
		{"parts that make too long a component", "acme/tools/ubuntu/jammy/" + long + "/b/hello.deb", catalog.BadPath, "such as acme/tools/ubuntu/jammy/hello_1.0_amd64.deb"},
		{"a pushed name in a wrong place", "acme/tools/" + layout.StagedName(layout.NewID(), "hello.deb"), catalog.BadPath, `path "acme/tools/hello.deb"`},
		{"a pushed name that is too deep", "acme/tools/ubuntu/jammy/main/x/" + layout.StagedName(layout.NewID(), "hello.deb"), catalog.BadPath, `path "acme/tools/ubuntu/jammy/main/x/hello.deb"`},
		{"a train without a name", "acme/tools/ubuntu/jammy/@abcdefghijklmnopqrstuvwx27+~hello.deb", catalog.BadPath, "not the name of a release train"},
		{"a train with a blank", "acme/tools/ubuntu/jammy/@abcdefghijklmnopqrstuvwx27+19 5~hello.deb", catalog.BadPath, "not the name of a release train"},
		{"a train without a file", "acme/tools/ubuntu/jammy/@abcdefghijklmnopqrstuvwx27+19.5~", catalog.BadPath, "not the name of a release train"},
		{"a train that does not end", "acme/tools/ubuntu/jammy/@abcdefghijklmnopqrstuvwx27+19.5.deb", catalog.BadPath, "not the name of a release train"},
		{"a service pack in capitals", "acme/tools/sles/15-SP6/hello.rpm", catalog.BadPath, "use sles/15.6"},
		{"a distribution in capitals", "acme/tools/Ubuntu/Jammy/hello.deb", catalog.BadPath, "use ubuntu/jammy"},
		{"a leading slash", "/acme/tools/ubuntu/jammy/hello.deb", catalog.BadPath, `owner ""`},
		{"a doubled slash", "acme/tools/ubuntu//hello.deb", catalog.BadPath, `version ""`},
		{"an empty component", "acme/tools/ubuntu/jammy//hello.deb", catalog.BadPath, `component ""`},
		{"capitals in the owner", "Acme/tools/ubuntu/jammy/hello.deb", catalog.BadPath, "lower-case"},
		{"capitals in the repository", "acme/Tools/ubuntu/jammy/hello.deb", catalog.BadPath, `repository "Tools"`},
		{"capitals in the os", "acme/tools/Ubuntu/jammy/hello.deb", catalog.BadPath, `os "Ubuntu"`},
		{"capitals in the version", "acme/tools/ubuntu/Jammy/hello.deb", catalog.BadPath, `version "Jammy"`},
		{"capitals in the component", "acme/tools/ubuntu/jammy/Main/hello.deb", catalog.BadPath, `component "Main"`},
		{"traversal", "acme/../ubuntu/jammy/hello.deb", catalog.BadPath, `repository ".."`},
		{"traversal as component", "acme/tools/ubuntu/jammy/../hello.deb", catalog.BadPath, `component ".."`},
		{"a blank", "ac me/tools/ubuntu/jammy/hello.deb", catalog.BadPath, `owner "ac me"`},
		{"a trailing newline", "acme/tools\n/ubuntu/jammy/hello.deb", catalog.BadPath, `repository "tools\n"`},
		{"a control character", "acme/tools/ubuntu/jam\x1bmy/hello.deb", catalog.BadPath, `version "jam\x1bmy"`},
		{"letters beyond ASCII", "acmé/tools/ubuntu/jammy/hello.deb", catalog.BadPath, "owner"},
		{"bytes that are no text", "acme/tools/ubuntu/jammy/\xff.deb", catalog.BadPath, `\xff.deb`},
		{"a long owner", long + "/tools/ubuntu/jammy/hello.deb", catalog.BadPath, "1 to 63"},
		{"a long key", "acme/tools/el/9/" + strings.Repeat("f", 985), catalog.BadPath, "owner/name/os/version"},
		{"a very long key", "acme/tools/el/9/" + strings.Repeat("\x01", 1<<20), catalog.BadPath, "owner/name/os/version"},
		{"a reserved owner", "api/tools/ubuntu/jammy/hello.deb", catalog.ReservedName, `owner "api"`},
		{"an owner of the probes", "healthz/tools/ubuntu/jammy/hello.deb", catalog.ReservedName, `owner "healthz"`},
		{"the instance's key", "gpg.key/tools/ubuntu/jammy/hello.deb", catalog.ReservedName, `owner "gpg.key"`},
		{"the folder of keys", "gpgkey/tools/ubuntu/jammy/hello.deb", catalog.ReservedName, `owner "gpgkey"`},
		{"a reserved os", "acme/tools/packages/jammy/hello.deb", catalog.ReservedName, `os "packages"`},
		{"the keys as os", "acme/tools/gpgkey/jammy/hello.deb", catalog.ReservedName, `os "gpgkey"`},
		{"a folder of DEB repositories as version", "acme/tools/ubuntu/dists/hello.deb", catalog.ReservedName, `version "dists"`},
		{"the pool as version", "acme/tools/ubuntu/pool/hello.deb", catalog.ReservedName, `version "pool"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, rej := layout.ParseStaging(tt.key)
			if rej == nil {
				t.Fatal("accepted")
			}
			if rej.Reason != tt.want || !strings.Contains(rej.Detail, tt.detail) {
				t.Errorf("got %v, want %s with %q", rej, tt.want, tt.detail)
			}
			checkDetail(t, rej)
		})
	}
}

// checkDetail fails unless people can read a detail and logs can hold it.
func checkDetail(t *testing.T, rej *catalog.Rejection) {
	t.Helper()
	if rej.Detail == "" || len(rej.Detail) > 2500 || strings.ContainsFunc(rej.Detail, func(r rune) bool { return !unicode.IsPrint(r) }) {
		t.Errorf("the detail of %d bytes cannot be shown: %.200q", len(rej.Detail), rej.Detail)
	}
}

func FuzzParseStaging(f *testing.F) {
	f.Add("acme/tools/ubuntu/jammy/main/hello.deb")
	f.Add("acme/tools/el/9/\xff")
	f.Add("/////")
	f.Add("acme/tools/el/9/@abcdefghijklmnopqrstuvwx27~hello.rpm")
	f.Add("acme/tools/el/9/@abcdefghijklmnopqrstuvwx27+19.5.0~hello.rpm")
	f.Fuzz(func(t *testing.T, key string) {
		s, rej := layout.ParseStaging(key)
		if rej != nil {
			checkDetail(t, rej)
			return
		}
		folder := s.Repository.String() + "/" + s.Distribution.String()
		if s.Component != "" {
			folder += "/" + s.Component
		}
		name := s.File
		if s.ID != "" {
			name = layout.StagedTrainName(s.ID, s.Train, s.File)
		}
		if got := folder + "/" + name; got != key {
			t.Errorf("%q is %+v, which is %q", key, s, got)
		}
		if strings.ContainsAny(folder, "\x00\n\\ %\"'$`") || strings.Contains(folder, "..") && layout.Hidden(folder) {
			t.Errorf("%q has a folder that needs quoting", key)
		}
	})
}
