# Reads an RPM repository (repodata with gzip files) in two ways, and prints what it found as JSON, by reader and pkgid:
# "expat" is Python's XML parser; "libxml2" is what sqliterepo_c made of the same files.
import bz2, glob, gzip, json, os, sqlite3, subprocess, sys, tempfile
import xml.etree.ElementTree as ET

dir = sys.argv[1]
COMMON, RPM = "{http://linux.duke.edu/metadata/common}", "{http://linux.duke.edu/metadata/rpm}"
KINDS = ["provides", "requires", "conflicts", "obsoletes", "suggests", "enhances", "recommends", "supplements"]


def index(kind):
    with gzip.open(f"{dir}/repodata/{kind}.xml.gz") as f:
        return ET.parse(f).getroot()


def text(e, name):
    return e.find(name).text or ""


def expat():
    found = {}
    for p in index("primary"):
        f = p.find(COMMON + "format")
        found[text(p, COMMON + "checksum")] = {
            "name": text(p, COMMON + "name"), "arch": text(p, COMMON + "arch"), "version": dict(p.find(COMMON + "version").attrib),
            "href": p.find(COMMON + "location").get("href"),
            "texts": [text(p, COMMON + n) for n in ["summary", "description", "packager", "url"]]
            + [text(f, RPM + n) for n in ["license", "vendor", "group", "buildhost", "sourcerpm"]],
            "dependencies": {k: [d.get("name") for d in f.findall(f"{RPM}{k}/{RPM}entry")] for k in KINDS},
        }
    for p in index("filelists"):
        found[p.get("pkgid")]["files"] = sorted([e.text, e.get("type", "file")] for e in p if e.tag.endswith("file"))
    for p in index("other"):
        found[p.get("pkgid")]["changes"] = [[e.get("author"), int(e.get("date")), e.text or ""] for e in p if e.tag.endswith("changelog")]
    return found


# libxml2 hands on "&amp;" in an attribute as "&#38;" to a program that, like sqliterepo_c, uses its SAX interface
# and does not ask for entities. libsolv undoes it, too (fixup_att_inplace).
def attribute(s):
    return s.replace("&#38;", "&")


def database(kind):
    (packed,) = glob.glob(f"{dir}/repodata/*{kind}.sqlite.bz2")
    with tempfile.NamedTemporaryFile(delete=False) as f:
        f.write(bz2.open(packed).read())
    db = sqlite3.connect(f.name)
    os.remove(f.name)
    return db


def libxml2():
    subprocess.run(["sqliterepo_c", "--quiet", "--force", dir], check=True, stdout=subprocess.DEVNULL)
    found, primary = {}, database("primary")
    columns = "summary description rpm_packager url rpm_license rpm_vendor rpm_group rpm_buildhost rpm_sourcerpm".split()
    for row in primary.execute(f"SELECT pkgKey, pkgId, name, arch, epoch, version, release, location_href, {', '.join(columns)} FROM packages"):
        found[row[1]] = {
            "name": row[2], "arch": row[3], "version": {"epoch": row[4], "ver": row[5], "rel": row[6]}, "href": row[7],
            "texts": [t or "" for t in row[8:]],
            "dependencies": {k: [attribute(n) for (n,) in primary.execute(f"SELECT name FROM {k} WHERE pkgKey = ? ORDER BY rowid", [row[0]])] for k in KINDS},
        }
    types = {"f": "file", "d": "dir", "g": "ghost"}
    db = database("filelists")
    for pkgid, p in found.items():
        rows = db.execute("SELECT dirname, filenames, filetypes FROM filelist JOIN packages USING (pkgKey) WHERE pkgId = ?", [pkgid])
        p["files"] = sorted([d.rstrip("/") + "/" + n, types[k]] for d, names, kinds in rows for n, k in zip(names.split("/"), kinds))
    db = database("other")
    for pkgid, p in found.items():
        rows = db.execute("SELECT author, date, changelog FROM changelog JOIN packages USING (pkgKey) WHERE pkgId = ? ORDER BY changelog.rowid", [pkgid])
        p["changes"] = [[attribute(a), d, t or ""] for a, d, t in rows]
    return found


json.dump({"expat": expat(), "libxml2": libxml2()}, sys.stdout)
