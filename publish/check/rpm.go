package check

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"
	"time"

	"repomill/publish/sign"
	"repomill/schemas/catalog"
)

// RPM reads the release at base, such as "acme/tools/el/9/x86_64", as dnf and zypper do, with the keys
// that a client trusts. It returns the problems in order of path; none means that every client can install
// every package.
//
// The error is not nil only if repomd.xml is absent or cannot be read, or ctx has ended: then nothing is known of
// the release. If repomd.xml and its signature do not match, both are read again once, after opt.Settle.
func RPM(ctx context.Context, t Tree, base string, k sign.Keyring, opt Options) (Release, []Problem, error) {
	pointer := path.Join(base, "repodata/repomd.xml")
	return steady(ctx, t, pointer, func() (*run, []byte, error) {
		r := &rpmRun{run: newRun(t, base, k, opt), pointer: pointer}
		r.release.Format, r.release.Name = catalog.RPM, base
		body, bad, err := r.pair(ctx)
		if err == nil && bad != nil && r.settle(ctx) == nil {
			body, bad, err = r.pair(ctx)
		}
		if err != nil {
			return nil, nil, fmt.Errorf("read %s: %w", pointer, err)
		}
		switch {
		case errors.Is(bad, errMissing):
			r.add(pointer+".asc", "is missing: repomd.xml is not signed")
		case bad != nil:
			r.add(pointer+".asc", "bad GPG signature of repomd.xml: %v", bad)
		}
		r.read(ctx, body)
		return r.run, body, ctx.Err()
	})
}

// An rpmRun is the state of one pass over an RPM release.
type rpmRun struct {
	*run
	pointer  string            // key of repomd.xml
	packages map[digest]string // pkgid to NEVRA, by primary; nil if primary could not be read
}

// pair reads repomd.xml and verifies its signature. bad is the error of the signature, err that of reading repomd.xml.
func (r *rpmRun) pair(ctx context.Context) (body []byte, bad, err error) {
	body, err = readSmall(ctx, r.tree, r.pointer)
	if err != nil {
		return nil, nil, err
	}
	sig, err := readSmall(ctx, r.tree, r.pointer+".asc")
	if err != nil {
		return body, unreadable(err), nil
	}
	return body, r.keys.VerifyDetached(body, sig), nil
}

// A repomd is the content of repomd.xml.
type repomd struct {
	XMLName  xml.Name `xml:"http://linux.duke.edu/metadata/repo repomd"`
	Revision string   `xml:"revision"`
	Tags     []string `xml:"tags>repo"`
	Data     []data   `xml:"data"`
}

// A data is one index that repomd.xml lists.
type data struct {
	Type         string   `xml:"type,attr"`
	Checksum     checksum `xml:"checksum"`
	OpenChecksum checksum `xml:"open-checksum"`
	Location     location `xml:"location"`
	Timestamp    string   `xml:"timestamp"`
	Size         string   `xml:"size"`
	OpenSize     string   `xml:"open-size"`
}

type checksum struct {
	Type  string `xml:"type,attr"`
	Value string `xml:",chardata"`
}

type location struct {
	Href string `xml:"href,attr"`
	Base string `xml:"base,attr"`
}

// check returns an error if a location is not that of a file below the release's folder.
func (l location) check() error {
	if l.Base != "" {
		return errors.New("has an xml:base, which mirrors do not follow")
	}
	return checkName(l.Href)
}

func (r *rpmRun) read(ctx context.Context, body []byte) {
	var md repomd
	dec := xml.NewDecoder(bytes.NewReader(body))
	if err := dec.Decode(&md); err != nil {
		r.add(r.pointer, "is malformed: %v", err)
		return
	}
	if err := atEnd(dec); err != nil {
		r.add(r.pointer, "is malformed: %v", err)
	}
	r.release.Revision = parseRevision(strings.TrimSpace(md.Revision) + " " + strings.Join(md.Tags, " "))
	r.release.Indexes = len(md.Data)
	byType := map[string]data{}
	for _, d := range md.Data {
		if _, ok := byType[d.Type]; ok {
			r.add(r.pointer, "lists %.100q twice: clients take the first or the last", d.Type)
		}
		byType[d.Type] = d
		r.newest(d)
	}
	for _, l := range lists { // primary first
		if d, ok := byType[l.dataType]; ok {
			r.data(ctx, d, func(in io.Reader) error { return r.list(r.key(d.Location.Href), l, in) })
		} else {
			r.add(r.pointer, "does not list %q, which some clients need", l.dataType)
		}
		delete(byType, l.dataType)
	}
	for _, d := range md.Data {
		if _, ok := byType[d.Type]; ok {
			r.data(ctx, d, func(io.Reader) error { return nil })
		}
	}
	r.checkFiles(ctx)
}

// newest raises the release's date to d's timestamp.
func (r *rpmRun) newest(d data) {
	seconds, err := strconv.ParseFloat(strings.TrimSpace(d.Timestamp), 64) // old createrepo writes fractions
	if err != nil || seconds < 0 || seconds > 1<<40 {
		r.add(r.pointer, "%.100q has no timestamp", d.Type)
		return
	}
	if t := time.Unix(int64(seconds), 0).UTC(); t.After(r.release.Date) {
		r.release.Date = t
	}
}

// data checks the file of one index and gives its decompressed bytes to parse.
func (r *rpmRun) data(ctx context.Context, d data, parse func(io.Reader) error) {
	file, open, err := d.facts()
	if err != nil {
		r.add(r.pointer, "%.100q: %v", d.Type, err)
		return
	}
	key := r.key(d.Location.Href)
	if !strings.HasPrefix(path.Base(key), file.sum.String()+"-") {
		r.add(key, "is not named after its checksum: a client with an older repomd.xml would read it")
	}
	if err := r.compare(ctx, key, file); err != nil {
		r.add(key, "%v", err)
		return
	}
	if err := r.unpacked(ctx, key, open, parse); err != nil {
		r.add(key, "%v", err)
	}
}

// facts returns size and digest of the file and of its decompressed bytes, as repomd.xml has them.
func (d data) facts() (file, open fact, err error) {
	if err := d.Location.check(); err != nil {
		return file, open, fmt.Errorf("location %.200q %w", d.Location.Href, err)
	}
	if file, err = newFact(d.Checksum, d.Size); err != nil {
		return file, open, err
	}
	if d.OpenChecksum.Value == "" && !packed(d.Location.Href) {
		return file, file, nil
	}
	if open, err = newFact(d.OpenChecksum, d.OpenSize); err != nil {
		return file, open, fmt.Errorf("decompressed, %w", err)
	}
	return file, open, nil
}

func newFact(c checksum, size string) (fact, error) {
	sum, ok := parseDigest(strings.TrimSpace(c.Value))
	if !ok || c.Type != "sha256" {
		return fact{}, errors.New("has no checksum of type sha256")
	}
	n, err := parseSize(strings.TrimSpace(size))
	return fact{size: n, sum: sum}, err
}

// unpacked decompresses the index at key, gives it to parse, and compares it with open.
func (r *rpmRun) unpacked(ctx context.Context, key string, open fact, parse func(io.Reader) error) error {
	body, err := r.tree.Open(ctx, key)
	if err != nil {
		return unreadable(err)
	}
	defer body.Close()
	in, err := unpack(key, body)
	if err != nil {
		return fmt.Errorf("cannot be decompressed: %w", err)
	}
	defer in.Close()
	h := sha256.New()
	counted := &counter{in: io.TeeReader(io.LimitReader(in, open.size+1), h)}
	if err := parse(counted); err != nil {
		return fmt.Errorf("is malformed: %w", err)
	}
	if _, err := io.Copy(io.Discard, counted); err != nil {
		return fmt.Errorf("cannot be decompressed: %w", err)
	}
	if err := differs(counted.n, h, open); err != nil {
		return fmt.Errorf("decompressed, it %w", err)
	}
	return nil
}

// atEnd returns an error if anything but white space follows the root element of a document.
func atEnd(dec *xml.Decoder) error {
	for {
		t, err := dec.Token()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if text, ok := t.(xml.CharData); !ok || len(bytes.TrimSpace(text)) > 0 {
			return errors.New("something follows its root element")
		}
	}
}
