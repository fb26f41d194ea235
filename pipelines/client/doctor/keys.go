package doctor

import (
	"context"
	"fmt"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"

	"repomill/publish/sign"
)

// soon is how long before the end of a key its end is a finding.
const soon = 30 * 24 * time.Hour

// A verifier returns who signed a release, of the certificates in a keyring.
type verifier func(sign.Keyring) (signers []string, err error)

// judgeKeys looks at the keys of an entry: whether they can be read, and verify the release as it is published now.
func (e *exam) judgeKeys(ctx context.Context, s source, a answer, l *login) (all []Finding) {
	if s.file == "" {
		return nil
	}
	var files []keyFile
	if s.client == "apt" {
		files, all = e.aptKeys(s)
	} else {
		files, all = e.rpmKeys(ctx, s, l)
	}
	base, _ := s.repository()
	for i := range all {
		if all[i].Advice == fetchAgain {
			all[i].Advice = e.refetch(s, base, places(s))
		}
	}
	if !a.ok() {
		return all // what is wrong is said
	}
	verify, f := e.verifier(ctx, s, a, l)
	if verify == nil {
		return append(all, f...)
	}
	published := keyFile{}
	if base != "" {
		if k := e.fetch(ctx, s, base+"/gpgkey", l); k.ok() {
			published = keyFile{name: shown(base) + "/gpgkey", text: k.body}
			if published.parse() != nil {
				published = keyFile{}
			}
		}
	}
	if len(files) == 0 {
		if len(all) == 0 || s.client == "apt" && len(s.signedBy) == 0 {
			all = append(all, problem("key", "the host has no key for this source", e.refetch(s, base, s.signedBy)))
		}
		return all
	}
	return append(all, e.compareKeys(s, files, published, verify)...)
}

// places returns the paths of the key files that an entry names.
func places(s source) []string {
	if s.client == "apt" {
		return s.signedBy
	}
	var all []string
	for _, raw := range strings.Fields(s.fields["gpgkey"]) {
		if file, is := strings.CutPrefix(raw, "file://"); is {
			all = append(all, file)
		}
	}
	return all
}

// verifier returns what verifies the release; nil and why if it is not signed.
func (e *exam) verifier(ctx context.Context, s source, a answer, l *login) (verifier, []Finding) {
	if s.client == "apt" {
		return func(k sign.Keyring) ([]string, error) { return k.SignersClear(a.body) }, nil
	}
	if s.fields["gpgkey"] == "" {
		return nil, nil
	}
	asc := e.fetch(ctx, s, s.pointer()+".asc", l)
	if !asc.ok() {
		if asc.status == http.StatusNotFound {
			return nil, []Finding{problem("key", "repomd.xml has no signature (repomd.xml.asc is not there)", "ask the operator of the server; repo_gpgcheck=1 cannot work with it")}
		}
		return nil, []Finding{problem("key", "repomd.xml.asc cannot be fetched: "+asc.why(), "see what is said of the release file")}
	}
	return func(k sign.Keyring) ([]string, error) { return k.SignersDetached(a.body, asc.body) }, nil
}

// compareKeys verifies a release with the host's keys and, if that fails, finds out why with the published ones.
func (e *exam) compareKeys(s source, files []keyFile, published keyFile, verify verifier) []Finding {
	var last error
	base, _ := s.repository()
	for _, k := range files {
		signers, err := verify(k.ring.At(e.Now()))
		if err != nil {
			last = err
			continue
		}
		f := []Finding{fine("key", fmt.Sprintf("%s has the key that signs the release, %s", k.name, strings.Join(uniq(signers), ", ")))}
		return append(f, e.judgeExpiry(s, k, published, signers)...)
	}
	var names, have []string
	for _, k := range files {
		names = append(names, k.name)
		for _, key := range k.keys {
			have = append(have, key.Fingerprint)
		}
	}
	where := strings.Join(names, ", ")
	var signers []string
	if len(published.keys) > 0 {
		signers, _ = verify(published.ring.At(e.Now())) //nolint:errcheck // nothing verified it then
	}
	switch common := filterStrings(uniq(signers), have); {
	case len(signers) == 0:
		return []Finding{problem("key", fmt.Sprintf("neither %s nor the key that the repository publishes verifies the release: %v", where, last),
			"check this host's clock, and that nothing between changes files; otherwise the operator has to look: repomill check "+shown(base)+" --keyring FILE")}
	case len(common) > 0:
		return []Finding{problem("key", fmt.Sprintf("the copy of key %s in %s cannot be used any more (%s); the repository publishes one that can", common[0], where, e.why(files, common[0])), e.refetch(s, base, paths(files)))}
	}
	return []Finding{problem("key", fmt.Sprintf("the release is signed with %s, and %s has %s: the key was replaced", strings.Join(uniq(signers), ", "), where, atMost(have)), e.refetch(s, base, paths(files)))}
}

// why says what is wrong with a key of the host.
func (e *exam) why(files []keyFile, fingerprint string) string {
	for _, f := range files {
		for _, k := range f.keys {
			if err := k.ValidAt(e.Now()); k.Fingerprint == fingerprint && err != nil {
				return err.Error()
			}
		}
	}
	return "it does not verify the release"
}

// judgeExpiry warns before the host's key ends, and before the repository uses one that the host lacks.
func (e *exam) judgeExpiry(s source, k, published keyFile, signers []string) (all []Finding) {
	base, _ := s.repository()
	var have []string
	for _, key := range k.keys {
		have = append(have, key.Fingerprint)
		if !slices.Contains(signers, key.Fingerprint) {
			continue
		}
		if key.Expires.IsZero() || key.Expires.After(e.Now().Add(soon)) {
			continue
		}
		advice := "the operator has to extend or replace it (repomill key extend, repomill key plan)"
		for _, p := range published.keys {
			if p.Fingerprint == key.Fingerprint && (p.Expires.IsZero() || p.Expires.After(key.Expires)) {
				advice = "the repository has extended it; " + e.refetch(s, base, []string{k.path})
			}
		}
		all = append(all, warning("key", fmt.Sprintf("the key in %s ends on %s", k.name, key.Expires.UTC().Format(day)), advice))
	}
	for _, p := range published.keys {
		if !slices.Contains(have, p.Fingerprint) {
			all = append(all, warning("key", fmt.Sprintf("the repository publishes key %s too, which %s lacks: it will sign with it later", p.Fingerprint, k.name), e.refetch(s, base, []string{k.path})))
		}
	}
	return all
}

// refetch returns the command that fetches the key of a repository into the place where an entry has it.
func (e *exam) refetch(s source, base string, places []string) string {
	from := shown(base) + "/gpgkey"
	with := ""
	if l, _ := e.loginFor(s); l != nil {
		with = ", with the token (curl -u TOKEN:x)"
	}
	i := slices.IndexFunc(places, func(p string) bool { return strings.HasPrefix(p, "/") })
	switch {
	case base == "":
		return "ask the operator for the repository's key"
	case s.client != "apt" && i < 0:
		return "set gpgkey=" + from
	case s.inline != "":
		return "fetch the source again: sudo curl -fsSLo " + s.file + " " + shown(base) + "/" + s.distribution() + ".sources" + with
	case i < 0:
		_, name := s.repository()
		file := "/etc/apt/keyrings/" + strings.ReplaceAll(name, "/", "_") + ".asc"
		return "fetch it: sudo curl -fsSLo " + file + " " + from + with + ", and name that file in Signed-By"
	case s.client == "apt" && path.Ext(places[i]) != ".asc":
		return "fetch it: curl -fsSL " + from + " | sudo gpg --dearmor --yes -o " + places[i] + with
	}
	return "fetch it: sudo curl -fsSLo " + places[i] + " " + from + with
}

func paths(files []keyFile) (all []string) {
	for _, f := range files {
		if f.path != "" {
			all = append(all, f.path)
		}
	}
	return all
}

func uniq(all []string) []string { return slices.Compact(slices.Sorted(slices.Values(all))) }

// atMost joins the first few names.
func atMost(names []string) string {
	const most = 3
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}
