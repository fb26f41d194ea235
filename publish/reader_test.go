package publish_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"repomill/publish/apt"
	"repomill/publish/repomd"
	"repomill/publish/sign"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// A client reads as apt and dnf do, each time only what the file before names: the pointer, its
// signature, the indexes by their digests, the package files.
//
// It does not read plain-named Debian indexes. A client without by-hash has a window between InRelease
// and these, in which they do not match (PROTOCOL.md, "Pair files").
type client struct {
	w    *world
	keys sign.Keyring
	torn int // RPM pairs that were read a second time
}

func (c *client) fetch(ctx context.Context, key string, size int64, digest string) ([]byte, error) {
	body, err := c.w.bucket.Open(ctx, key)
	if err != nil {
		return nil, err
	}
	all, err := io.ReadAll(body)
	if err == nil && digest != "" && (int64(len(all)) != size || sum(all) != digest) {
		err = fmt.Errorf("hash sum mismatch: %s", key)
	}
	return all, err
}

func (c *client) fetchText(ctx context.Context, key string, size int64, digest string) ([]byte, error) {
	packed, err := c.fetch(ctx, key, size, digest)
	if err != nil {
		return nil, err
	}
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(z)
}

// read returns the revision of what it read, and the number of packages.
func (c *client) read(ctx context.Context, r catalog.Release) (catalog.Revision, int, error) {
	if r.Arch == "" {
		return c.readDEB(ctx, r)
	}
	return c.readRPM(ctx, r)
}

func (c *client) readDEB(ctx context.Context, r catalog.Release) (revision catalog.Revision, packages int, err error) {
	inRelease, err := c.fetch(ctx, layout.PointerKey(r), 0, "")
	if err != nil {
		return revision, 0, err
	}
	body, err := c.keys.VerifyClear(inRelease)
	if err != nil {
		return revision, 0, err
	}
	rel, err := apt.Parse(body)
	if err != nil {
		return revision, 0, err
	}
	for _, f := range rel.Files {
		if !strings.HasSuffix(f.Path, "binary-amd64/Packages.gz") {
			continue
		}
		text, err := c.fetchText(ctx, layout.ByHashKey(layout.DebDir(r)+"/"+f.Path, f.SHA256), f.Size, f.SHA256)
		if err != nil {
			return revision, 0, err
		}
		for stanza := range strings.SplitSeq(strings.TrimSuffix(string(text), "\n\n"), "\n\n") {
			var size int64
			fmt.Sscan(field(stanza, "Size"), &size) //nolint:errcheck // then the size is wrong
			if _, err := c.fetch(ctx, layout.OSDir(r)+"/"+field(stanza, "Filename"), size, field(stanza, "SHA256")); err != nil {
				return revision, 0, err
			}
			packages++
		}
	}
	return rel.Revision, packages, nil
}

func field(stanza, name string) string {
	_, rest, _ := strings.Cut("\n"+stanza, "\n"+name+": ")
	value, _, _ := strings.Cut(rest, "\n")
	return value
}

func (c *client) readRPM(ctx context.Context, r catalog.Release) (revision catalog.Revision, packages int, err error) {
	body, err := c.readPair(ctx, r)
	if err != nil {
		c.torn++
		time.Sleep(time.Second)
		if body, err = c.readPair(ctx, r); err != nil {
			return revision, 0, err
		}
	}
	md, err := repomd.Parse(body)
	if err != nil {
		return revision, 0, err
	}
	for _, d := range md.Data {
		text, err := c.fetchText(ctx, layout.RPMDir(r)+"/"+d.Name(), d.Size, d.SHA256)
		if err == nil && d.Type == "primary" {
			packages, err = c.readPrimary(ctx, r, text)
		}
		if err != nil {
			return revision, 0, err
		}
	}
	return md.Revision, packages, nil
}

func (c *client) readPrimary(ctx context.Context, r catalog.Release, text []byte) (packages int, err error) {
	var primary struct {
		Packages []struct {
			Checksum string `xml:"checksum"`
			Size     struct {
				Package int64 `xml:"package,attr"`
			} `xml:"size"`
			Location struct {
				Href string `xml:"href,attr"`
			} `xml:"location"`
		} `xml:"package"`
	}
	if err := xml.Unmarshal(text, &primary); err != nil {
		return 0, err
	}
	for _, k := range primary.Packages {
		if _, err := c.fetch(ctx, layout.RPMDir(r)+"/"+k.Location.Href, k.Size.Package, k.Checksum); err != nil {
			return 0, err
		}
	}
	return len(primary.Packages), nil
}

func (c *client) readPair(ctx context.Context, r catalog.Release) ([]byte, error) {
	body, err := c.fetch(ctx, layout.PointerKey(r), 0, "")
	if err != nil {
		return nil, err
	}
	asc, err := c.fetch(ctx, ascOf(r), 0, "")
	if err != nil {
		return nil, err
	}
	return body, c.keys.VerifyDetached(body, asc)
}

// Each push adds one package and one revision, so that a reader with another sum of them has read a mixture.
func TestI02ReadersNeverSeeAMixture(t *testing.T) {
	for _, r := range []catalog.Release{jammy, el9} {
		simulate(t, func(t *testing.T, w *world) {
			const publishes, readers = 30, 3
			packages := somePackages(w, r, publishes+1)
			w.push(packages[0])
			w.publish(r)
			first := w.state(r).Revision.Number
			w.bucket.Slow(10 * time.Millisecond)
			ctx, cancel := withCancel(t)
			ended := make(chan *client)
			for range readers {
				c := &client{w: w, keys: keyring(t)}
				go func() { defer func() { ended <- c }(); c.loop(ctx, r, first) }()
			}
			for _, k := range packages[1:] {
				w.push(k)
				w.publish(r)
				time.Sleep(1300 * time.Millisecond) // a torn pair is read again after a second, which shall not be the next one's
			}
			cancel()
			torn := 0
			for range readers {
				torn += (<-ended).torn
			}
			w.check(r)
			t.Logf("%s: %d pairs were torn", r, torn)
		})
	}
}

func (c *client) loop(ctx context.Context, r catalog.Release, first int64) {
	var last int64
	reads := 0
	for ; ctx.Err() == nil; reads++ {
		revision, packages, err := c.read(ctx, r)
		switch {
		case errors.Is(err, context.Canceled):
		case err != nil:
			c.w.t.Errorf("%s: read %d, after revision %d: %v", r, reads, last, err)
		case int64(packages) != revision.Number-first+1:
			c.w.t.Errorf("%s: revision %s has %d packages", r, revision, packages)
		case revision.Number < last:
			c.w.t.Errorf("%s: revision fell from %d to %d", r, last, revision.Number)
		default:
			last = revision.Number
		}
	}
}
