package layout

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"repomill/schemas/catalog"
)

// snapshotsFolder has the snapshots of a repository, below it. It is a reserved os.
const snapshotsFolder = "snapshots"

// snapshotTime is the form of the identifier of a snapshot, as apt has it for --snapshot.
const snapshotTime = "20060102T150405Z"

// SnapshotID returns the identifier of a snapshot of a time, such as "20261129T021500Z". Identifiers sort as their times do.
func SnapshotID(t time.Time) string { return t.UTC().Format(snapshotTime) }

// ParseSnapshotID is the inverse of [SnapshotID]. It reports false for any other text.
func ParseSnapshotID(s string) (t time.Time, ok bool) {
	t, err := time.Parse(snapshotTime, s)
	return t, err == nil && SnapshotID(t) == s
}

// maxSnapshotName bounds the name of a snapshot, in bytes.
const maxSnapshotName = 64

// CheckSnapshotName returns an error unless s can be the name of a snapshot, which is a segment of paths: 1 to 64 letters, digits and
// "._+~^:-", beginning with a letter or a digit, and not in the form of an identifier.
func CheckSnapshotName(s string) error {
	switch {
	case looksLikeID(s):
		return fmt.Errorf("snapshot name %.100q looks like the identifier of a snapshot, which is a time: choose another name", s)
	case s == reservedVersions[0], s == reservedVersions[1]:
		return fmt.Errorf("snapshot name %q is a folder of every DEB repository: choose another name", s)
	case s == "" || len(s) > maxSnapshotName || !alphanumeric(s[0]) || !all(s, segmentByte):
		return fmt.Errorf("snapshot name %.100q: use 1 to %d letters, digits, '.', '_', '+', '~', '^', ':' and '-', beginning with a letter or digit", s, maxSnapshotName)
	}
	return nil
}

// looksLikeID reports whether s has the digits of an identifier, of a time that exists or not, in capitals or not.
func looksLikeID(s string) bool {
	if len(s) != len(snapshotTime) {
		return false
	}
	for i, c := range []byte(strings.ToUpper(s)) {
		if want := snapshotTime[i]; want == 'T' || want == 'Z' {
			if c != want {
				return false
			}
		} else if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

// ErrNoSnapshot is returned by [FindSnapshot] for a text that leads to no snapshot.
var ErrNoSnapshot = errors.New("there is no such snapshot")

// FindSnapshot returns the identifier of the snapshot that a segment of a path means: its identifier, its name, or a time behind which no
// other snapshot was taken. A time before the first one, or after now, is [ErrNoSnapshot].
func FindSnapshot(all catalog.SnapshotList, asked string, now time.Time) (id string, err error) {
	t, isTime := ParseSnapshotID(asked)
	for _, s := range all.Snapshots {
		switch {
		case s.ID == asked, s.Name == asked && s.Name != "":
			return s.ID, nil
		case isTime && s.ID < asked && s.ID > id:
			id = s.ID
		}
	}
	if id == "" || t.After(now) {
		return "", fmt.Errorf("snapshot %.100q of %s: %w", asked, all.Repository, ErrNoSnapshot)
	}
	return id, nil
}

// SnapshotsPrefix returns the prefix of the keys of the records of a repository's snapshots. They are never served.
func SnapshotsPrefix(r catalog.Repository) string { return ".snapshots/" + r.String() + "/" }

// SnapshotKey returns the key of the record of a snapshot, which holds all that the snapshot names.
func SnapshotKey(r catalog.Repository, id string) string { return SnapshotsPrefix(r) + id + ".json" }

// SnapshotOf is the inverse of [SnapshotKey]. It reports false for other keys.
func SnapshotOf(r catalog.Repository, key string) (id string, ok bool) {
	id, begins := strings.CutPrefix(key, SnapshotsPrefix(r))
	id, ends := strings.CutSuffix(id, ".json")
	_, ok = ParseSnapshotID(id)
	return id, begins && ends && ok
}

// SnapshotListKey returns the key of the list of a repository's snapshots, from which the resolver knows them. It lies with the settings,
// which the resolver reads as well. It is never served.
func SnapshotListKey(r catalog.Repository) string {
	return SettingsPrefix + r.String() + "/snapshots.json"
}

// SnapshotDir returns the prefix of the keys of a snapshot's objects, such as "acme/tools/snapshots/20261129T021500Z/". With an empty
// identifier it is the prefix of all snapshots of the repository.
func SnapshotDir(r catalog.Repository, id string) string {
	dir := r.String() + "/" + snapshotsFolder + "/"
	if id == "" {
		return dir
	}
	return dir + id + "/"
}

// SnapshotsOf returns the path of the base URL of a DEB release in snapshots, with a word for the identifier of one that apt replaces:
// "acme/tools/snapshots/@SNAPSHOTID@/ubuntu/".
func SnapshotsOf(r catalog.Release) string {
	return InSnapshot(r.Repository, "@SNAPSHOTID@", OSDir(r)) + "/"
}

// InSnapshot returns the path of an object of a repository below a snapshot: with "acme/tools/el/9.repo" it is
// "acme/tools/snapshots/20261129T021500Z/el/9.repo". Only of pointers, their signatures and the configuration of clients it is a key.
func InSnapshot(r catalog.Repository, id, key string) string {
	return SnapshotDir(r, id) + strings.TrimPrefix(key, r.String()+"/")
}

// SnapshotFiles returns the keys of the configuration of clients for a kept snapshot, one of each distribution, in the order of its
// releases. One that is not kept has none.
func SnapshotFiles(s catalog.Snapshot) (keys []string) {
	seen := map[catalog.Distribution]bool{}
	for _, one := range s.Releases {
		d := one.Release.Distribution
		if seen[d] || s.State != catalog.SnapshotKept {
			continue
		}
		seen[d] = true
		key := SourcesKey(s.Target.Repository, d)
		if one.Release.Arch != "" {
			key = RepoKey(s.Target.Repository, d)
		}
		keys = append(keys, InSnapshot(s.Target.Repository, s.ID, key))
	}
	return keys
}

// SnapshotPair returns the keys, below a snapshot, of the pointer of a release and of its pair files: InRelease, Release, Release.gpg; or
// repomd.xml, repomd.xml.asc.
func SnapshotPair(r catalog.Release, id string) (keys []string) {
	for _, key := range PairKeys(r) {
		keys = append(keys, InSnapshot(r.Repository, id, key))
	}
	return keys
}

// PairKeys returns the keys of the pointer of a release, which is first, and of the pair files that repeat or sign it. Indexes with plain
// names are left out.
func PairKeys(r catalog.Release) []string {
	key := PointerKey(r)
	if r.Arch == "" {
		return []string{key, DebDir(r) + "/Release", DebDir(r) + "/Release.gpg"}
	}
	return []string{key, key + ".asc"}
}

// snapshotRef returns what a path below a snapshot refers to, given its segments: the object itself if snapshots have one there, and
// otherwise that of the repository, by the table of [Rewrites]: no object lies below a snapshot twice.
func snapshotRef(r catalog.Repository, p []string) (ref Ref, ok bool) {
	if len(p) < 6 {
		return Ref{}, false
	}
	if _, isID := ParseSnapshotID(p[3]); !isID && CheckSnapshotName(p[3]) != nil {
		return Ref{}, false
	}
	own := snapshotObject(p[4:])
	if own {
		ref = Ref{Repository: r, Key: strings.Join(p, "/"), Snapshot: p[3]}
		p = p[4:]
	} else {
		p = canonical(p)[2:]
		ref = Ref{Repository: r, Key: r.String() + "/" + strings.Join(p, "/")}
	}
	if !own && p[0] == snapshotsFolder || !published(p) {
		return Ref{}, false
	}
	return ref, true
}

// snapshotObject reports whether a snapshot has an object of its own under a path, given the segments below its folder.
func snapshotObject(p []string) bool {
	switch last := p[len(p)-1]; len(p) {
	case 2: // os/version.sources
		return strings.HasSuffix(last, ".sources") || strings.HasSuffix(last, ".repo")
	case 4: // os/dists/codename/InRelease
		return p[1] == reservedVersions[0] && (last == "InRelease" || last == "Release" || last == "Release.gpg")
	case 5: // os/version/arch/repodata/repomd.xml
		return p[3] == "repodata" && (last == "repomd.xml" || last == "repomd.xml.asc")
	}
	return false
}

// SnapshotObject reports whether a key is one of a snapshot of a repository, and of which. The page of the snapshot is one.
func SnapshotObject(r catalog.Repository, key string) (id string, ok bool) {
	rest, ok := strings.CutPrefix(key, SnapshotDir(r, ""))
	if !ok {
		return "", false
	}
	p := strings.Split(rest, "/")
	_, ok = ParseSnapshotID(p[0])
	return p[0], ok && len(p) > 1 && (snapshotObject(p[1:]) || len(p) == 2 && p[1] == indexPage)
}
