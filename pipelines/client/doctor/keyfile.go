package doctor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/ProtonMail/go-crypto/openpgp/armor"

	"repomill/publish/sign"
)

// A keyFile is keys that a client verifies an entry with.
type keyFile struct {
	name string // what it is called in findings
	path string // empty: not a file of its own
	text []byte
	ring sign.Keyring
	keys []sign.Key
}

// fetchAgain is the advice in the place of which [exam.judgeKeys] puts the command.
const fetchAgain = "fetch the repository's key again"

// parse reads the keys of a file.
func (k *keyFile) parse() (err error) {
	if k.ring, err = sign.ReadKeyring(k.text); err != nil {
		return err
	}
	armored := k.text
	if !isArmored(k.text) {
		if armored, err = enarmor(k.text); err != nil {
			return err
		}
	}
	k.keys, err = sign.ReadPublic(armored)
	return err
}

func isArmored(b []byte) bool { return bytes.Contains(b, []byte("-----BEGIN PGP ")) }

func enarmor(packets []byte) ([]byte, error) {
	var b bytes.Buffer
	w, err := armor.Encode(&b, "PGP PUBLIC KEY BLOCK", nil)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(packets); err != nil {
		return nil, err
	}
	err = w.Close()
	return b.Bytes(), err
}

// aptKeys returns the keys of an entry of apt: those that it names or has in itself, otherwise all that the host trusts.
func (e *exam) aptKeys(s source) (files []keyFile, found []Finding) {
	if s.inline != "" {
		return e.readKeys(keyFile{name: "the key in " + s.file, text: []byte(s.inline)})
	}
	var paths []string
	for _, p := range s.signedBy {
		if strings.HasPrefix(p, "/") {
			paths = append(paths, p)
		}
	}
	if len(paths) == 0 {
		paths, _ = e.root.list("/etc/apt/trusted.gpg.d", ".gpg", ".asc") //nolint:errcheck // there are none then
		if _, err := e.root.stat("/etc/apt/trusted.gpg"); err == nil {
			paths = append(paths, "/etc/apt/trusted.gpg")
		}
		if len(s.signedBy) == 0 {
			found = append(found, warning("key", "the source has no Signed-By: every key in /etc/apt/trusted.gpg.d is trusted for it, and its key for every other source", "name the key file of the repository in Signed-By"))
		}
	}
	for _, p := range paths {
		more, f := e.readKeyFile(p, slices.Contains(s.signedBy, p))
		files, found = append(files, more...), append(found, f...)
	}
	return files, found
}

// readKeyFile reads a key file as apt's sandbox user would. named says that the entry names it, so that faults of it count.
func (e *exam) readKeyFile(p string, named bool) (files []keyFile, found []Finding) {
	text, err := e.root.read(p)
	switch {
	case errors.Is(err, fs.ErrNotExist) && named:
		return nil, []Finding{problem("key", "the key file "+p+" that Signed-By names is not there", fetchAgain)}
	case err != nil && named:
		return nil, []Finding{hidden(p, err)}
	case err != nil:
		return nil, nil
	}
	if f := e.judgeKeyFile(p, text); len(f) > 0 {
		if !named {
			return nil, nil
		}
		return nil, f
	}
	return e.readKeys(keyFile{name: p, path: p, text: text})
}

func (e *exam) readKeys(k keyFile) (files []keyFile, found []Finding) {
	if err := k.parse(); err != nil {
		return nil, []Finding{problem("key", fmt.Sprintf("%s cannot be used: %v", k.name, err), fetchAgain)}
	}
	return []keyFile{k}, nil
}

// judgeKeyFile says why apt does not use a file: its form, or who may read it.
func (e *exam) judgeKeyFile(p string, text []byte) (all []Finding) {
	const keybox = "KBXf"
	switch armored := isArmored(text); {
	case len(text) > 12 && string(text[8:12]) == keybox:
		all = append(all, problem("key", p+" is a keybox of GnuPG, which apt does not read", "export the key: gpg --no-default-keyring --keyring "+p+" --export > NEW, and put NEW in its place"))
	case armored && path.Ext(p) != ".asc":
		all = append(all, problem("key", p+" is armoured text, and its name does not end in .asc: apt takes it for binary and ignores it", "gpg --dearmor < "+p+" > NEW, and put NEW in its place; or name it .asc, here and in Signed-By"))
	case !armored && path.Ext(p) == ".asc" && len(bytes.TrimSpace(text)) > 0:
		all = append(all, problem("key", p+" is not armoured text, and its name ends in .asc: apt ignores it", "name it .gpg, here and in Signed-By"))
	}
	if at := e.root.closedTo(p, "_apt"); at != "" {
		advice := "sudo chmod a+r " + at
		if at != p {
			advice = "sudo chmod a+rx " + at
		}
		all = append(all, problem("key", at+" cannot be read by the user _apt, as whom apt verifies", advice))
	}
	return all
}

// rpmKeys returns the keys that an entry of dnf or zypper names.
func (e *exam) rpmKeys(ctx context.Context, s source, l *login) (files []keyFile, found []Finding) {
	for _, raw := range strings.FieldsFunc(s.fields["gpgkey"], func(c rune) bool { return c == '\n' || c == ' ' || c == ',' }) {
		raw = e.expand(raw)
		u, err := url.Parse(raw)
		if err != nil {
			found = append(found, problem("key", "gpgkey is not a URL: "+shown(raw), "correct it"))
			continue
		}
		if u.Scheme == "file" || u.Scheme == "" {
			text, err := e.root.read(u.Path)
			if err != nil {
				found = append(found, problem("key", fmt.Sprintf("the key file %s that gpgkey names cannot be read: %v", u.Path, err), fetchAgain))
				continue
			}
			more, f := e.readKeys(keyFile{name: u.Path, path: u.Path, text: text})
			files, found = append(files, more...), append(found, f...)
			continue
		}
		e.secrets.addURL(raw)
		if at, err := url.Parse(s.url); err != nil || at.Host != u.Host {
			l = nil
		}
		a := e.fetch(ctx, s, raw, l)
		if !a.ok() {
			found = append(found, problem("key", fmt.Sprintf("gpgkey %s cannot be fetched: %s", shown(raw), a.why()), "correct gpgkey, or see what is said of the release file"))
			continue
		}
		more, f := e.readKeys(keyFile{name: shown(raw), text: a.body})
		files, found = append(files, more...), append(found, f...)
	}
	return files, found
}

// why says in words why there is no body.
func (a answer) why() string {
	if a.err != nil {
		return a.err.Error()
	}
	return fmt.Sprint(a.status)
}
