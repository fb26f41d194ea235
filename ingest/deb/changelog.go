package deb

import (
	"bytes"
	"io"
	"path"
	"strings"
	"unicode"

	"github.com/klauspost/compress/gzip"
)

// MaxChangelog is the most bytes that are kept of a changelog.
const MaxChangelog = 8 << 10

const (
	docFolder        = "usr/share/doc/"
	maxChangelogs    = 16       // that are kept of a package, besides those of its own folder
	maxDocLinks      = 256      // links below docFolder that are kept
	maxPackedText    = 64 << 10 // bytes of a file, as it is in the archive
	maxChangelogHops = 5        // links, from one to the next
)

// A changelogs keeps the starts of the files that may be the changelog of a package, and the links that may lead to one.
type changelogs struct {
	own    string // the folder of the package
	files  map[string][]byte
	others int
	links  map[string]string // clean paths; of symbolic and hard links
}

func newChangelogs(name string) *changelogs {
	return &changelogs{own: docFolder + name + "/", files: map[string][]byte{}, links: map[string]string{}}
}

// names are those of changelogs, as Debian's policy has them (12.7), best first. Of a native package the changelog of Debian is the
// only one, and has the name that an upstream changelog has in others.
var changelogNames = []string{"changelog.Debian.gz", "changelog.Debian", "changelog.gz", "changelog"}

// read reads the start of a file, if that may be a changelog. It returns how many bytes it has read.
func (c *changelogs) read(r io.Reader, name string, size int64) (read int64, err error) {
	if !strings.HasPrefix(name, docFolder) || !strings.HasPrefix(path.Base(name), "changelog") {
		return 0, nil
	}
	if _, again := c.files[name]; !again && !c.candidate(name) {
		if c.others == maxChangelogs {
			return 0, nil
		}
		c.others++
	}
	b := make([]byte, min(size, maxPackedText))
	if _, err := io.ReadFull(r, b); err == io.EOF || err == io.ErrUnexpectedEOF {
		return 0, tarProblem("ends in the content of a file")
	} else if err != nil {
		return 0, err
	}
	c.files[name] = b
	delete(c.links, name)
	return int64(len(b)), nil
}

func (c *changelogs) candidate(name string) bool {
	for _, n := range changelogNames {
		if name == c.own+n {
			return true
		}
	}
	return false
}

// link keeps where a link leads.
func (c *changelogs) link(name string, h tarHeader) {
	if !strings.HasPrefix(name, docFolder) || len(c.links) >= maxDocLinks || h.kind != '1' && h.kind != '2' {
		return
	}
	to := h.link
	if h.kind == '1' {
		to = cleanPath(dpkgName(to))
	} else if to = path.Join("/", path.Dir(name), to); strings.HasPrefix(h.link, "/") {
		to = path.Clean(h.link)
	}
	delete(c.files, name)
	c.links[name] = strings.TrimPrefix(to, "/")
}

// newest returns the newest entries of the changelog.
func (c *changelogs) newest() string {
	for _, name := range changelogNames {
		if b, ok := c.find(c.own + name); ok {
			if text := changelogHead(b); text != "" {
				return text
			}
		}
	}
	return ""
}

// find follows the links of a file, and of its folder, as far as they lead within the package.
func (c *changelogs) find(name string) ([]byte, bool) {
	for range maxChangelogHops {
		if b, ok := c.files[name]; ok {
			return b, true
		}
		if to, ok := c.links[name]; ok {
			name = to
		} else if to, ok := c.links[path.Dir(name)]; ok {
			name = to + "/" + path.Base(name)
		} else {
			break
		}
	}
	return nil, false
}

// changelogHead returns the start of a changelog, which may be packed: whole entries, if one fits. The text is UTF-8 without control
// characters. A binary file has none.
func changelogHead(b []byte) string {
	more := len(b) == maxPackedText
	if bytes.HasPrefix(b, []byte(dataMagic["data.tar.gz"])) {
		z, err := gzip.NewReader(bytes.NewReader(b))
		if err != nil {
			return ""
		}
		b = make([]byte, MaxChangelog+1)
		n, err := io.ReadFull(z, b) // an error is the end of what can be read
		b, more = b[:n], err == nil
	}
	if len(b) > MaxChangelog {
		b, more = b[:MaxChangelog], true
	}
	if bytes.IndexByte(b, 0) >= 0 {
		return ""
	}
	text := string(b)
	if more {
		text = cutAtEntry(text)
	}
	text = strings.ToValidUTF8(strings.ReplaceAll(text, "\r\n", "\n"), "\ufffd")
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return -1
		}
		return r
	}, text)
	if len(text) > MaxChangelog { // replaced bytes take more
		text = cutAtEntry(strings.ToValidUTF8(text[:MaxChangelog], ""))
	}
	return strings.Trim(text, "\n")
}

// cutAtEntry returns a text up to the last line that ends an entry (deb-changelog(5)), or the last line if it has none.
func cutAtEntry(text string) string {
	text = text[:strings.LastIndexByte(text, '\n')+1]
	if i := strings.LastIndex(text, "\n -- "); i >= 0 {
		return text[:i+1+strings.IndexByte(text[i+1:], '\n')]
	}
	return text
}
