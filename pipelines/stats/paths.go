package stats

import (
	"bytes"
	"net/url"
	"path"
	"strings"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// A target is what a path is counted as.
type target struct {
	kind         targetKind
	repository   catalog.Repository
	distribution catalog.Distribution // empty if the path has none
	key          string               // of a package
	legacy       string               // a [layout.Spelling], or tokenInPath
}

type targetKind byte

const (
	notCounted targetKind = iota
	aPackage
	aPointer
	anInstall
	otherObject // counted if its URL is an old one
)

const (
	// edgePrefix begins the paths of the edge where nginx has it on the host of the resolver (deploy/nginx-up.conf).
	edgePrefix  = ".edge/"
	tokenPrefix = "priv/"
	tokenInPath = "token-in-path"
)

// targetOf returns what a path of a log is. The path is as the client, or CloudFront's log, encoded it, once or twice.
func targetOf(escaped, query []byte) target {
	p, ok := bytes.CutPrefix(escaped, []byte("/"))
	if !ok {
		return target{}
	}
	p = bytes.TrimPrefix(p, []byte(edgePrefix))
	token := bytes.HasPrefix(p, []byte(tokenPrefix))
	if token {
		if _, p, ok = bytes.Cut(p[len(tokenPrefix):], []byte("/")); !ok {
			return target{}
		}
	}
	for range 2 {
		if bytes.IndexByte(p, '%') < 0 {
			break
		}
		if bytes.Contains(p, []byte("%2F")) || bytes.Contains(p, []byte("%2f")) { // it would change the segments
			return target{}
		}
		if p, ok = unescape(nil, p); !ok {
			return target{}
		}
	}
	asked := string(p)
	ref, ok := layout.Parse(layout.InstallPath(asked, func(name string) string { return queryValue(query, name) }))
	if !ok || layout.Hidden(ref.Key) || ref.IsPage() {
		return target{}
	}
	t := target{repository: ref.Repository, kind: otherObject, legacy: string(ref.Spelling(asked))}
	if token {
		t.legacy = tokenInPath
	}
	if ref.Repository == (catalog.Repository{}) {
		return target{}
	}
	t.read(ref)
	return t
}

// read sets what follows from the key.
func (t *target) read(ref layout.Ref) {
	base := path.Base(ref.Key)
	p := strings.Split(ref.Key, "/")
	switch {
	case ref.IsInstall():
		if len(p) == 7 { // install/repositories/owner/name/os/version/file
			t.distribution = catalog.Distribution{OS: p[4], Version: p[5]}
		}
		if strings.HasPrefix(base, "script.") || strings.HasPrefix(base, "config_file.") {
			t.kind = anInstall
		}
		return
	case len(p) < 6:
		return
	case p[3] == "pool" || p[3] == "dists":
		t.distribution = catalog.Distribution{OS: p[2], Version: p[4]}
	default:
		t.distribution = catalog.Distribution{OS: p[2], Version: p[3]}
	}
	switch {
	case strings.HasSuffix(base, ".deb") || strings.HasSuffix(base, ".rpm"):
		t.kind, t.key = aPackage, ref.Key
	case base == "InRelease" || base == "repomd.xml":
		t.kind = aPointer
	}
}

func queryValue(query []byte, name string) string {
	values, err := url.ParseQuery(string(query))
	if err != nil {
		return ""
	}
	return values.Get(name)
}
