package clients_test

import (
	"fmt"
	"math/rand/v2"
	"path"
	"strings"
	"testing"
	"time"

	"repomill/schemas/gzipmember"
	"repomill/testdata/corpus"
)

// recut compresses a text again, in members that begin anywhere: inside of stanzas, elements and words. Some
// are empty and some have one byte.
func recut(text string) (file string, members int) {
	r := rand.New(rand.NewPCG(1, uint64(len(text))))
	var packed []byte
	for text != "" {
		n := min([]int{0, 1, r.IntN(1000), r.IntN(300_000)}[r.IntN(4)], len(text))
		packed = gzipmember.Append(packed, []byte(text[:n]))
		text = text[n:]
		members++
	}
	return string(packed), members
}

// Where members begin is nothing that apt could see.
func readRecutDEB(t *testing.T, s *site) func(*testing.T, realPackage) {
	dir := s.folder(t, "recut")
	release := "Suite: jammy\nCodename: jammy\nDate: " + time.Now().UTC().Format(time.RFC1123) + "\nArchitectures: all amd64 arm64\nComponents: main\nSHA256:\n"
	for _, x := range s.indexes(t) {
		text := x.text(t)
		file, members := recut(text)
		t.Logf("%s has %d members", x.name, members)
		write(t, dir, "dists/jammy/"+x.name+".gz", file)
		release += fmt.Sprintf(" %s %d %s\n %s %d %s.gz\n", x.sha256, len(text), x.name, sha256Of(file), len(file), x.name)
	}
	key, err := signingKey()
	if err != nil {
		t.Fatal(err)
	}
	signed, err := key.Clear([]byte(release), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, "dists/jammy/InRelease", string(signed))
	source := s.fetch(t, "acme/tools/ubuntu/jammy.sources")
	a := newApt(t, s, "recut-apt", strings.ReplaceAll(source, "URIs: "+s.url+"/acme/tools/ubuntu", "URIs: file://"+dir))
	a.Update(t)
	a.check(t, s)
	return nil
}

// Where members begin is nothing that dnf and zypper could see.
func readRecutRPM(t *testing.T, s *site) func(*testing.T, realPackage) {
	dir := s.folder(t, "recut")
	repomd := `<?xml version="1.0" encoding="UTF-8"?>` + "\n" + `<repomd xmlns="http://linux.duke.edu/metadata/repo">` + "\n"
	for _, x := range s.indexes(t) {
		text := x.text(t)
		file, members := recut(text)
		t.Logf("%s has %d members", x.name, members)
		name := path.Join("repodata", x.name+".xml.gz")
		write(t, dir, name, file)
		repomd += fmt.Sprintf(`<data type=%q><checksum type="sha256">%s</checksum><open-checksum type="sha256">%s</open-checksum><location href=%q/>`+
			"<timestamp>1</timestamp><size>%d</size><open-size>%d</open-size></data>\n", x.name, sha256Of(file), x.sha256, name, len(file), len(text))
	}
	write(t, dir, "repodata/repomd.xml", repomd+"</repomd>\n")
	repo := "[recut]\nname=recut\nenabled=1\ntype=rpm-md\ngpgcheck=0\nrepo_gpgcheck=0\nbaseurl=file://" + dir + "\n"
	t.Run("dnf", func(t *testing.T) {
		d := newDnf(t, s, "recut-dnf", repo)
		compare(t, "dnf repoquery", nevras(s.want), d.query(t, "--all"))
		if got := len(d.query(t, "--list", "*-data")); got != corpus.BigFiles {
			t.Errorf("dnf knows %d files of a package, want %d", got, corpus.BigFiles)
		}
	})
	t.Run("zypper", func(t *testing.T) { newZypper(t, s, "recut-zypper", repo).check(t, s) })
	return nil
}
