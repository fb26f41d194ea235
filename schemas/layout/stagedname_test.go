package layout_test

import (
	"path"
	"strings"
	"testing"
	"unicode/utf8"

	"repomill/schemas/layout"
)

func TestCutID(t *testing.T) {
	const id = "abcdefghijklmnopqrstuvwx27"
	for _, tt := range []struct{ fact, name, id, file string }{
		{"a pushed file", "@" + id + "~hello.deb", id, "hello.deb"},
		{"a pushed file whose own name begins with an ID", "@" + id + "~@" + id + "~hello.deb", id, "@" + id + "~hello.deb"},
		{"a pushed file of one letter", "@" + id + "~f", id, "f"},
		{"a plain name", "hello.deb", "", "hello.deb"},
		{"a name that begins with an at sign", "@hello~1.deb", "", "@hello~1.deb"},
		{"an ID that is a letter short", "@" + id[1:] + "~hello.deb", "", "@" + id[1:] + "~hello.deb"},
		{"an ID that is a letter too long", "@a" + id + "~hello.deb", "", "@a" + id + "~hello.deb"},
		{"an ID in capitals", "@" + strings.ToUpper(id) + "~hello.deb", "", "@" + strings.ToUpper(id) + "~hello.deb"},
		{"a digit that no ID has", "@" + id[1:] + "1~hello.deb", "", "@" + id[1:] + "1~hello.deb"},
		{"an ID with nothing behind it", "@" + id + "~", "", "@" + id + "~"},
		{"an ID without a tilde", "@" + id + "-hello.deb", "", "@" + id + "-hello.deb"},
		{"nothing", "", "", ""},
	} {
		t.Run(tt.fact, func(t *testing.T) {
			if id, file := layout.CutID(tt.name); id != tt.id || file != tt.file {
				t.Errorf("%q is %q and %q, want %q and %q", tt.name, id, file, tt.id, tt.file)
			}
		})
	}
}

func TestStagedName(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		id := layout.NewID()
		name := layout.StagedName(id, "hello.deb")
		if got, file := layout.CutID(name); got != id || file != "hello.deb" || seen[id] {
			t.Fatalf("%q is %q and %q; drawn before: %v", name, got, file, seen[id])
		}
		seen[id] = true
	}
	longest := layout.StagedName(layout.NewID(), strings.Repeat("f", layout.MaxFileName)) + ".json"
	if len(longest) != 255 {
		t.Errorf("the longest verdict's name has %d bytes, a folder takes 255", len(longest))
	}
}

func TestStagedNamesOfLongFiles(t *testing.T) {
	const id = "abcdefghijklmnopqrstuvwx27"
	for _, name := range []string{
		strings.Repeat("f", layout.MaxFileName+1), strings.Repeat("f", 251) + ".deb", strings.Repeat("f", 246) + ".udeb",
		strings.Repeat("é", 125) + ".deb", "x" + strings.Repeat("é", 125) + ".rpm", strings.Repeat("€", 84),
	} {
		staged := layout.StagedName(id, name)
		got, file := layout.CutID(staged)
		if len(staged+".json") > 255 || got != id || path.Ext(file) != path.Ext(name) && len(path.Ext(name)) > 1 || utf8.ValidString(file) != utf8.ValidString(name) {
			t.Errorf("%q is staged as %q, of %d bytes", name, staged, len(staged))
		}
	}
}

func TestStagedTrainName(t *testing.T) {
	const id, train = "abcdefghijklmnopqrstuvwx27", "19.5.0"
	for _, file := range []string{"hello.deb", "f", "hello_1.0~rc1_amd64.deb", strings.Repeat("f", 300) + ".deb"} {
		staged := layout.StagedTrainName(id, train, file)
		got, name := layout.CutID(staged)
		if got != id || layout.TrainOf("acme/tools/el/9/"+staged) != train || len(staged+".json") > 255 || len(file) < 200 && name != file {
			t.Errorf("%q is staged as %q, of %d bytes: ID %q, file %q, train %q", file, staged, len(staged), got, name, layout.TrainOf(staged))
		}
		if text := layout.ShownIn("read "+staged+": no such file", staged); text != "read "+name+": no such file" {
			t.Errorf("it is shown as %q", text)
		}
	}
	for _, plain := range []string{"hello.deb", layout.StagedName(id, "hello+1~2.deb"), "@" + id + "+~hello.deb", "@" + id + "+a/b~hello.deb"} {
		if got := layout.TrainOf(plain); got != "" {
			t.Errorf("%q is of train %q", plain, got)
		}
	}
	for _, bad := range []string{"", ".hidden", "-x", "a b", "a/b", "a~b", "é", strings.Repeat("a", 65)} {
		if layout.CheckTrain(bad) == nil {
			t.Errorf("a train can have the name %q", bad)
		}
	}
}

func TestShownStaging(t *testing.T) {
	const dir = "acme/tools/ubuntu/jammy/"
	for key, want := range map[string]string{
		dir + layout.StagedName(layout.NewID(), "hello.deb"): dir + "hello.deb",
		dir + "hello.deb": dir + "hello.deb",
		dir + "@hello":    dir + "@hello",
		layout.StagedName(layout.NewID(), "hello.deb"): "hello.deb",
		"": "",
	} {
		if got := layout.ShownStaging(key); got != want {
			t.Errorf("%q is shown as %q, want %q", key, got, want)
		}
	}
}

func TestShownIn(t *testing.T) {
	id := layout.NewID()
	other := layout.StagedName(layout.NewID(), "hello.deb")
	key := "acme/tools/ubuntu/jammy/" + layout.StagedName(id, "hello.deb")
	for _, tt := range []struct{ fact, text, key, want string }{
		{"each occurrence is shown", "rename x " + key + ": " + `"` + key + `"`, key, `rename x acme/tools/ubuntu/jammy/hello.deb: "acme/tools/ubuntu/jammy/hello.deb"`},
		{"a part of it is", "open @" + id + "~hello.deb#1", key, "open hello.deb#1"},
		{"another push's stays", "open " + other, key, "open " + other},
		{"a plain name changes nothing", "open " + key, "acme/tools/ubuntu/jammy/hello.deb", "open " + key},
	} {
		if got := layout.ShownIn(tt.text, tt.key); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.fact, got, tt.want)
		}
	}
}
