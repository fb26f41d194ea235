package layout

import "strings"

// A Rewrite is another form of paths that clients have from elsewhere, and the key that it stands for. Both are segments:
// "{name}" is one segment, the same wherever the name is repeated, perhaps with a text behind it in which the segment ends;
// "{name...}", which is last, is one segment or more.
type Rewrite struct{ Path, Key string }

// Rewrites returns the table of [Parse]: the first form that a path has counts. A function at the edge of the CDN has the
// same table (deploy/terraform/modules/cdn/function.js), and a plain web server over a bucket has the rows of snapshots
// (deploy/nginx-bucket.conf). Below a snapshot, only its pointers and their signatures are objects; indexes and packages
// are those of the repository.
func Rewrites() []Rewrite {
	return []Rewrite{
		{"{owner}/{name}/snapshots/{id}/{os}/dists/{codename}/{component}/{folder}/by-hash/SHA256/{sum}", "{owner}/{name}/{os}/dists/{codename}/{component}/{folder}/by-hash/SHA256/{sum}"},
		{"{owner}/{name}/snapshots/{id}/{os}/pool/{rest...}", "{owner}/{name}/{os}/pool/{rest...}"},
		{"{owner}/{name}/snapshots/{id}/{os}/{version}/{arch}/repodata/repomd.xml", "{owner}/{name}/snapshots/{id}/{os}/{version}/{arch}/repodata/repomd.xml"},
		{"{owner}/{name}/snapshots/{id}/{os}/{version}/{arch}/repodata/repomd.xml.asc", "{owner}/{name}/snapshots/{id}/{os}/{version}/{arch}/repodata/repomd.xml.asc"},
		{"{owner}/{name}/snapshots/{id}/{os}/{version}/{arch}/repodata/{file}", "{owner}/{name}/{os}/{version}/{arch}/repodata/{file}"},
		{"{owner}/{name}/snapshots/{id}/{os}/{version}/{arch}/{file}.rpm", "{owner}/{name}/{os}/{version}/{arch}/{file}.rpm"},
		{"{owner}/{name}/snapshots/{id}/{os}/{version}/{arch}/{epoch}/{file}.rpm", "{owner}/{name}/{os}/{version}/{arch}/{epoch}/{file}.rpm"},
		{"gpgkey/gpg.key", "gpg.key"},
		{"gpgkey/{owner}/{id}.pub.gpg", "gpgkey/{id}"},
		{"{owner}/{name}/gpgkey/{file}", "{owner}/{name}/gpgkeys/{file}"},
		{"{owner}/{name}/{os}/{codename}/dists/{codename}/{rest...}", "{owner}/{name}/{os}/dists/{codename}/{rest...}"},
		{"{owner}/{name}/{os}/{codename}/pool/{codename}/{component}/{prefix}/{package}/{rest...}", "{owner}/{name}/{os}/pool/{codename}/{component}/{prefix}/{package}/{rest...}"},
		{"{owner}/{name}/{os}/{codename}/pool/{rest...}", "{owner}/{name}/{os}/pool/{codename}/{rest...}"},
	}
}

// A form is a Rewrite in segments.
type form struct{ path, key []part }

// A part is a segment of a form.
type part struct {
	name string // of what is there; empty for the text alone
	text string // behind it
	rest bool
}

var forms = parseForms(Rewrites())

func parseForms(table []Rewrite) (forms []form) {
	for _, s := range table {
		forms = append(forms, form{parseParts(s.Path), parseParts(s.Key)})
	}
	return forms
}

func parseParts(pattern string) (parts []part) {
	for s := range strings.SplitSeq(pattern, "/") {
		p := part{text: s}
		if name, text, ok := strings.Cut(s, "}"); ok {
			p.name, p.text = name[1:], text
			p.name, p.rest = strings.CutSuffix(p.name, "...")
		}
		parts = append(parts, p)
	}
	return parts
}

// canonical returns the segments of the key that a path in another spelling stands for, and those of other paths as they are.
func canonical(path []string) []string {
	for i := range forms {
		if key, ok := forms[i].respell(path); ok {
			return key
		}
	}
	return path
}

// respell returns the key of a path that has the form.
func (f *form) respell(path []string) (key []string, ok bool) {
	if !f.matches(path) {
		return nil, false
	}
	for _, k := range f.key {
		switch {
		case k.rest:
			key = append(key, path[len(f.path)-1:]...)
		case k.name != "":
			i := f.index(k.name)
			key = append(key, strings.TrimSuffix(path[i], f.path[i].text)+k.text)
		default:
			key = append(key, k.text)
		}
	}
	return key, true
}

// matches reports whether a path has the form. It runs for each request of every client, and allocates nothing.
func (f *form) matches(path []string) bool {
	last := f.path[len(f.path)-1]
	if len(path) < len(f.path) || len(path) > len(f.path) && !last.rest {
		return false
	}
	for i, p := range f.path {
		switch first := f.index(p.name); {
		case p.rest:
			return true
		case p.name == "" && path[i] != p.text,
			p.name != "" && (len(path[i]) <= len(p.text) || !strings.HasSuffix(path[i], p.text)),
			p.name != "" && first < i && path[i] != path[first]:
			return false
		}
	}
	return true
}

// index returns where a name is first in the path of the form.
func (f *form) index(name string) int {
	for i, p := range f.path {
		if p.name == name {
			return i
		}
	}
	return -1
}
