package layout_test

import (
	"strings"
	"testing"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

const digest = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"

func TestVariantsAreInFileNames(t *testing.T) {
	v := layout.VariantOf(digest)
	deb := catalog.Package{Repository: tools, Distribution: catalog.Distribution{OS: "ubuntu", Version: "jammy"}, Component: "main", Format: catalog.DEB,
		Name: "hello", Version: "1:2.10", Arch: "amd64", Variant: v}
	rpm := catalog.Package{Repository: tools, Distribution: catalog.Distribution{OS: "el", Version: "9"}, Format: catalog.RPM,
		Name: "hello", Version: "2.10-1.el9", Arch: "x86_64", Variant: v}
	for _, tt := range []struct{ got, want string }{
		{layout.PoolKey(deb), "acme/tools/ubuntu/pool/jammy/main/h/hello/e1/hello_2.10_amd64.5891b5b522d5df086d0ff0b110fbd9d2.deb"},
		{layout.RPMKey(rpm, "x86_64"), "acme/tools/el/9/x86_64/hello-2.10-1.el9.x86_64.5891b5b522d5df086d0ff0b110fbd9d2.rpm"},
	} {
		if tt.got != tt.want {
			t.Errorf("got %s, want %s", tt.got, tt.want)
		}
		plain, cut := layout.CutVariant(tt.got)
		if want := strings.Replace(tt.want, "."+v, "", 1); plain != want || cut != v {
			t.Errorf("%s is %s and %q, want %s and %q", tt.got, plain, cut, want, v)
		}
		if ref, ok := layout.Parse(tt.got); !ok || ref.Key != tt.got {
			t.Errorf("got %+v, %v, want the key %s", ref, ok, tt.got)
		}
	}
	for _, file := range []string{"packages/ubuntu/jammy/hello_2.10_amd64." + v + ".deb/download", "packages/el/9/hello-2.10-1.el9.x86_64." + v + ".rpm/download.rpm"} {
		if ref, ok := layout.Parse("acme/tools/" + file); !ok || !strings.HasSuffix(ref.Key, "/"+strings.Split(file, "/")[3]) || strings.Contains(ref.Key, "/"+v+"/") {
			t.Errorf("%s: got %+v, %v", file, ref, ok)
		}
	}
}

func TestOtherNamesHaveNoVariant(t *testing.T) {
	for _, name := range []string{
		"hello_1.0_amd64.deb", "hello-1.0-1.x86_64.rpm", "hello_1.0_amd64." + digest[:31] + ".deb", "hello_1.0_amd64." + digest[:33] + ".deb",
		"hello_1.0_amd64." + strings.ToUpper(digest[:32]) + ".deb", "hello_1.0_amd64." + digest[:32] + ".txt", "." + digest[:32] + ".deb", digest[:32] + ".deb", "",
	} {
		if plain, v := layout.CutVariant(name); plain != name || v != "" {
			t.Errorf("%q: got %q and %q", name, plain, v)
		}
	}
}

func TestStagedNamesSayIfAbsent(t *testing.T) {
	id := layout.NewID()
	for _, tt := range []struct {
		name, file, train string
		absent            bool
	}{
		{layout.StagedIfAbsentName(id, "hello_1.0_amd64.deb"), "hello_1.0_amd64.deb", "", true},
		{layout.StagedIfAbsentName(id, strings.Repeat("x", 300)+".deb"), "", "", true},
		{layout.StagedName(id, "hello_1.0_amd64.deb"), "hello_1.0_amd64.deb", "", false},
		{layout.StagedName(id, "!~hello.deb"), "!~hello.deb", "", false},
		{layout.StagedTrainName(id, "19.5", "hello.deb"), "hello.deb", "19.5", false},
	} {
		got, file := layout.CutID(tt.name)
		key := "acme/tools/el/9/" + tt.name
		if got != id || tt.file != "" && file != tt.file || layout.TrainOf(key) != tt.train || layout.IsIfAbsent(key) != tt.absent || len(tt.name+".json") > 255 {
			t.Errorf("%s: got the ID %q, the file %q, the train %q, %v, %d bytes", tt.name, got, file, layout.TrainOf(key), layout.IsIfAbsent(key), len(tt.name))
		}
	}
	for _, plain := range []string{"hello.deb", "@" + id + "!hello.deb", "@" + id + "!", "!~hello.deb", "@" + id + "!~"} {
		if layout.IsIfAbsent(plain) {
			t.Errorf("%q says that it is for an absent package", plain)
		}
	}
}
