package main

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"repomill/testdata/debtest"
	"repomill/testdata/rpmtest"
)

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func packed(text string) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write([]byte(text)) // into memory
	_ = z.Close()
	return b.Bytes()
}

// publishDeb puts a DEB release with the package hello 1.0+x into a repository, and returns the package.
func (w *world) publishDeb(repository string) []byte {
	w.t.Helper()
	const file = "pool/jammy/main/h/hello/hello_1.0+x_all.deb"
	pkg := debtest.Build(w.t, debtest.Spec{Version: "1.0+x", Size: 20_000})
	w.put(repository+"/ubuntu/"+file, pkg)
	plain := fmt.Sprintf("Package: hello\nVersion: 1.0+x\nArchitecture: all\nMaintainer: Jo <jo@example.org>\nDescription: hello\nFilename: %s\nSize: %d\nSHA256: %s\n\n",
		file, len(pkg), digest(pkg))
	index := packed(plain)
	dists := repository + "/ubuntu/dists/jammy/"
	for _, arch := range []string{"all", "amd64"} {
		w.put(dists+"main/binary-"+arch+"/by-hash/SHA256/"+digest(index), index)
	}
	var release strings.Builder
	fmt.Fprintf(&release, "Origin: %s\nSuite: jammy\nCodename: jammy\nDate: %s\nArchitectures: all amd64\nComponents: main\nAcquire-By-Hash: yes\nSHA256:\n",
		repository, time.Now().UTC().Format("Mon, 02 Jan 2006 15:04:05 UTC"))
	for _, arch := range []string{"all", "amd64"} {
		fmt.Fprintf(&release, " %s %d main/binary-%s/Packages\n", digest([]byte(plain)), len(plain), arch)
		fmt.Fprintf(&release, " %s %d main/binary-%s/Packages.gz\n", digest(index), len(index), arch)
	}
	signed, err := releaseKey().Clear([]byte(release.String()), time.Now())
	if err != nil {
		w.t.Fatal(err)
	}
	w.put(dists+"InRelease", signed)
	return pkg
}

// publishRPM puts an RPM release with the package hello-1.0^x-1 into a repository, under another
// revision each time, and returns the package.
func (w *world) publishRPM(repository string) []byte {
	w.t.Helper()
	w.revision++
	pkg := rpmtest.Build(w.t, rpmtest.Spec{Name: "hello", Version: "1.0^x", Release: "1", Arch: "noarch", PayloadSize: 20_000})
	dir := repository + "/el/9/x86_64/"
	w.put(dir+"hello-1.0^x-1.noarch.rpm", pkg)
	const head = `<?xml version="1.0" encoding="UTF-8"?>` + "\n"
	var list strings.Builder
	for _, data := range []struct{ name, text string }{
		{"primary", head + fmt.Sprintf(`<metadata xmlns="http://linux.duke.edu/metadata/common" xmlns:rpm="http://linux.duke.edu/metadata/rpm" packages="1">`+
			`<package type="rpm"><name>hello</name><arch>noarch</arch><version epoch="0" ver="1.0^x" rel="1"/><checksum type="sha256" pkgid="YES">%s</checksum>`+
			`<summary>hello</summary><description>hello</description><packager></packager><url></url><time file="0" build="0"/><size package="%d" installed="0" archive="0"/>`+
			`<location href="hello-1.0^x-1.noarch.rpm"/><format><rpm:provides><rpm:entry name="hello" flags="EQ" epoch="0" ver="1.0^x" rel="1"/></rpm:provides></format></package></metadata>`,
			digest(pkg), len(pkg))},
		{"filelists", head + `<filelists xmlns="http://linux.duke.edu/metadata/filelists" packages="0"></filelists>`},
		{"other", head + `<otherdata xmlns="http://linux.duke.edu/metadata/other" packages="0"></otherdata>`},
	} {
		body := packed(data.text)
		w.put(dir+"repodata/"+digest(body)+"-"+data.name+".xml.gz", body)
		fmt.Fprintf(&list, `<data type="%[1]s"><checksum type="sha256">%[2]s</checksum><open-checksum type="sha256">%[3]s</open-checksum><location href="repodata/%[2]s-%[1]s.xml.gz"/><size>%[4]d</size></data>`,
			data.name, digest(body), digest([]byte(data.text)), len(body))
	}
	repomd := []byte(head + fmt.Sprintf(`<repomd xmlns="http://linux.duke.edu/metadata/repo"><revision>%d</revision>%s</repomd>`, w.revision, list.String()))
	sig, err := releaseKey().Detach(repomd, time.Now())
	if err != nil {
		w.t.Fatal(err)
	}
	w.put(dir+"repodata/repomd.xml.asc", sig) // the pair's order
	w.put(dir+"repodata/repomd.xml", repomd)
	return pkg
}
