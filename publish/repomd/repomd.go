// Package repomd writes and reads the repodata of RPM repositories: repomd.xml and the frames of the
// indexes that it names. The <package> elements are made at ingest.
package repomd

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"repomill/schemas/catalog"
)

// A Repomd is the content of repomd.xml (as createrepo_c writes it).
type Repomd struct {
	Revision catalog.Revision
	Date     time.Time
	Data     []Data   // primary, filelists, other
	Hints    []string // of keys that zypper imports, such as "gpg-pubkey-3dbdc284-5847eb1f.asc?fpr=22C0…" (libzypp, Repomd keyhints)
}

// A Data is an index file.
type Data struct {
	Type       string // "primary", "filelists" or "other"
	SHA256     string // of the compressed file; its name begins with it
	Size       int64
	OpenSHA256 string // of the XML
	OpenSize   int64
}

// Name returns the file's name relative to the base URL.
func (d Data) Name() string { return "repodata/" + d.SHA256 + "-" + d.Type + ".xml.gz" }

// nonceTag precedes the nonce in <tags><repo>.
const nonceTag = "repomill-nonce:"

// Render returns repomd.xml. It escapes nothing: no value comes from an upload.
func (r Repomd) Render() []byte {
	var b bytes.Buffer
	b.WriteString(`<?xml version="1.0" encoding="UTF-8"?>
<repomd xmlns="http://linux.duke.edu/metadata/repo" xmlns:rpm="http://linux.duke.edu/metadata/rpm">
`)
	fmt.Fprintf(&b, "  <revision>%d</revision>\n", r.Revision.Number)
	fmt.Fprintf(&b, "  <tags>\n    <repo>%s%s</repo>\n", nonceTag, r.Revision.Nonce)
	for _, h := range r.Hints {
		fmt.Fprintf(&b, "    <content>%s</content>\n", h)
	}
	b.WriteString("  </tags>\n")
	for _, d := range r.Data {
		fmt.Fprintf(&b, "  <data type=\"%s\">\n", d.Type)
		fmt.Fprintf(&b, "    <checksum type=\"sha256\">%s</checksum>\n", d.SHA256)
		fmt.Fprintf(&b, "    <open-checksum type=\"sha256\">%s</open-checksum>\n", d.OpenSHA256)
		fmt.Fprintf(&b, "    <location href=\"%s\"/>\n", d.Name())
		fmt.Fprintf(&b, "    <timestamp>%d</timestamp>\n", r.Date.Unix())
		fmt.Fprintf(&b, "    <size>%d</size>\n", d.Size)
		fmt.Fprintf(&b, "    <open-size>%d</open-size>\n", d.OpenSize)
		b.WriteString("  </data>\n")
	}
	b.WriteString("</repomd>\n")
	return b.Bytes()
}

// Parse reads a repomd.xml in the form of [Repomd.Render].
func Parse(body []byte) (Repomd, error) {
	var x struct {
		Revision string   `xml:"revision"`
		Tags     []string `xml:"tags>repo"`
		Hints    []string `xml:"tags>content"`
		Data     []struct {
			Type         string `xml:"type,attr"`
			Checksum     string `xml:"checksum"`
			OpenChecksum string `xml:"open-checksum"`
			Timestamp    int64  `xml:"timestamp"`
			Size         int64  `xml:"size"`
			OpenSize     int64  `xml:"open-size"`
		} `xml:"data"`
	}
	switch err := xml.Unmarshal(body, &x); {
	case errors.Is(err, io.EOF):
		return Repomd{}, errors.New("read repomd.xml: it has no XML")
	case err != nil:
		return Repomd{}, fmt.Errorf("read repomd.xml: %w", err)
	}
	r := Repomd{Hints: x.Hints}
	var err error
	if r.Revision.Number, err = strconv.ParseInt(x.Revision, 10, 64); err != nil {
		return r, fmt.Errorf("read repomd.xml: revision: %w", err)
	}
	for _, t := range x.Tags {
		if nonce, ok := strings.CutPrefix(t, nonceTag); ok {
			r.Revision.Nonce = nonce
		}
	}
	for _, d := range x.Data {
		r.Data = append(r.Data, Data{d.Type, d.Checksum, d.Size, d.OpenChecksum, d.OpenSize})
		r.Date = time.Unix(d.Timestamp, 0).UTC()
	}
	return r, nil
}

// Header returns the text before the <package> elements of an index of count packages. index is "primary",
// "filelists" or "other".
func Header(index string, count int) []byte {
	return fmt.Appendf(nil, `<?xml version="1.0" encoding="UTF-8"?>`+"\n"+frames[index].open, count)
}

// Footer returns the text after the <package> elements of an index.
func Footer(index string) []byte { return []byte(frames[index].close) }

var frames = map[string]struct{ open, close string }{
	"primary": {
		`<metadata xmlns="http://linux.duke.edu/metadata/common" xmlns:rpm="http://linux.duke.edu/metadata/rpm" packages="%d">` + "\n", "</metadata>\n"},
	"filelists": {
		`<filelists xmlns="http://linux.duke.edu/metadata/filelists" packages="%d">` + "\n", "</filelists>\n"},
	"other": {
		`<otherdata xmlns="http://linux.duke.edu/metadata/other" packages="%d">` + "\n", "</otherdata>\n"},
}
