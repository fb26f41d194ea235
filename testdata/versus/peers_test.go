package versus_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A peer is a program that makes repositories of package files.
type peer struct {
	name    string
	needs   []string
	version []string                                        // the command that prints it
	index   string                                          // one that it writes, as a pattern of its path
	lacks   string                                          // how the names of packages end that are not in that index
	prepare func(b *testing.B, dir string)                  // writes its configuration into a new folder
	cold    func(dir string, files []string) []*exec.Cmd    // publishes files, all in one folder
	more    func(dir string, file string) []*exec.Cmd       // publishes one more
	again   func(dir string) []*exec.Cmd                    // writes the indexes of what it has; nil if it cannot
	own     func(b *testing.B, dir string, files ...string) // puts files where it wants them; nil if it copies them itself
	stores  []string                                        // folders that have to be filled with packages by other means; nil if it stores them itself
}

var debPeers = []peer{aptly, reprepro, aptFtparchive}
var rpmPeers = []peer{createrepo}

var aptly = peer{
	name: "aptly", needs: []string{"aptly", "gpg"}, version: []string{"aptly", "version"},
	index: "public/dists/jammy/main/binary-amd64/Packages.gz", lacks: "_arm64.deb",
	prepare: func(b *testing.B, dir string) {
		write(b, dir, "aptly.conf", fmt.Sprintf(`{"rootDir": %q, "gpgProvider": "gpg", "architectures": ["amd64", "arm64"]}`, dir))
		measure(b, aptlyCommand(dir, "repo", "create", "-distribution=jammy", "-component=main", "bench"))
	},
	cold: func(dir string, files []string) []*exec.Cmd {
		return []*exec.Cmd{
			aptlyCommand(dir, "repo", "add", "bench", filepath.Dir(files[0])),
			aptlyCommand(dir, "publish", "repo", "-batch", "-skip-contents", "-skip-bz2", "-gpg-key="+keyName, "bench"),
		}
	},
	more: func(dir, file string) []*exec.Cmd {
		return append([]*exec.Cmd{aptlyCommand(dir, "repo", "add", "bench", file)}, aptlyUpdate(dir)...)
	},
	again: aptlyUpdate,
}

func aptlyCommand(dir string, args ...string) *exec.Cmd {
	return command(dir, "aptly", append([]string{"-config=" + filepath.Join(dir, "aptly.conf")}, args...)...)
}

func aptlyUpdate(dir string) []*exec.Cmd {
	return []*exec.Cmd{aptlyCommand(dir, "publish", "update", "-batch", "-skip-contents", "-skip-bz2", "-gpg-key="+keyName, "jammy")}
}

var reprepro = peer{
	name: "reprepro", needs: []string{"reprepro", "gpg"}, version: []string{"reprepro", "--version"},
	index: "dists/jammy/main/binary-amd64/Packages.gz", lacks: "_arm64.deb",
	prepare: func(b *testing.B, dir string) {
		write(b, dir, "conf/distributions", strings.Join([]string{
			"Codename: jammy", "Architectures: amd64 arm64", "Components: main", "DebIndices: Packages Release .gz", "SignWith: " + key(b), "",
		}, "\n"))
	},
	cold: func(dir string, files []string) []*exec.Cmd {
		args := []string{"--silent", "-b", dir, "includedeb", "jammy"}
		for _, f := range files {
			args = append(args, filepath.Base(f))
		}
		return []*exec.Cmd{command(filepath.Dir(files[0]), "reprepro", args...)}
	},
	more: func(dir, file string) []*exec.Cmd {
		return []*exec.Cmd{command(dir, "reprepro", "--silent", "-b", dir, "includedeb", "jammy", file)}
	},
	again: func(dir string) []*exec.Cmd {
		return []*exec.Cmd{command(dir, "reprepro", "--silent", "-b", dir, "export", "jammy")}
	},
}

const aptFtparchiveConf = `
Dir { ArchiveDir "."; CacheDir "cache"; };
Default { Packages::Compress "gzip"; };
TreeDefault { BinCacheDB "packages-$(ARCH).db"; Directory "pool"; SrcDirectory "pool"; Contents " "; };
Tree "dists/jammy" { Sections "main"; Architectures "amd64 arm64"; };
APT::FTPArchive::Release { Codename "jammy"; Architectures "amd64 arm64"; Components "main"; };
`

var aptFtparchive = peer{
	name: "apt-ftparchive", needs: []string{"apt-ftparchive", "gpg"}, version: []string{"apt-ftparchive", "--version"},
	index: "dists/jammy/main/binary-amd64/Packages.gz", lacks: "_arm64.deb",
	prepare: func(b *testing.B, dir string) {
		write(b, dir, "generate.conf", aptFtparchiveConf)
		for _, d := range []string{"cache", "pool", "dists/jammy/main/binary-amd64", "dists/jammy/main/binary-arm64"} {
			if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
				b.Fatal(err)
			}
		}
	},
	own:   func(b *testing.B, dir string, files ...string) { link(b, filepath.Join(dir, "pool"), files...) },
	cold:  func(dir string, _ []string) []*exec.Cmd { return generate(dir) },
	more:  func(dir, _ string) []*exec.Cmd { return generate(dir) },
	again: generate,
}

func generate(dir string) []*exec.Cmd {
	return []*exec.Cmd{
		command(dir, "apt-ftparchive", "-q=2", "generate", "generate.conf"),
		command(dir, "sh", "-c", "apt-ftparchive -c generate.conf release dists/jammy >Release && mv Release dists/jammy/Release"),
		command(dir, "gpg", "--batch", "--yes", "--clearsign", "-o", "dists/jammy/InRelease", "dists/jammy/Release"),
	}
}

var createrepo = peer{
	name: "createrepo_c", needs: []string{"createrepo_c", "gpg"}, version: []string{"createrepo_c", "--version"},
	index: "repodata/*-primary.xml.gz", stores: []string{"."},
	own:   func(b *testing.B, dir string, files ...string) { link(b, dir, files...) },
	cold:  func(dir string, _ []string) []*exec.Cmd { return createrepoCommands(dir) },
	more:  func(dir, _ string) []*exec.Cmd { return createrepoCommands(dir, "--update") },
	again: func(dir string) []*exec.Cmd { return createrepoCommands(dir, "--update") },
}

// createrepoEach makes a repository of each architecture, as clients have them.
var createrepoEach = peer{
	name: "createrepo_c, two repositories", needs: createrepo.needs, version: createrepo.version,
	index: "x86_64/repodata/*-primary.xml.gz", lacks: ".aarch64.rpm", stores: []string{"x86_64", "aarch64"},
	own: func(b *testing.B, dir string, files ...string) {
		for _, f := range files {
			for _, arch := range []string{"x86_64", "aarch64"} {
				if strings.HasSuffix(f, "."+arch+".rpm") || strings.HasSuffix(f, ".noarch.rpm") {
					link(b, filepath.Join(dir, arch), f)
				}
			}
		}
	},
	cold: func(dir string, _ []string) []*exec.Cmd {
		return append(createrepoCommands(filepath.Join(dir, "x86_64")), createrepoCommands(filepath.Join(dir, "aarch64"))...)
	},
}

func createrepoCommands(dir string, more ...string) []*exec.Cmd {
	return []*exec.Cmd{
		command(dir, "createrepo_c", append([]string{"-q", "--no-database", "."}, more...)...),
		command(dir, "gpg", "--batch", "--yes", "--armor", "--detach-sign", "repodata/repomd.xml"),
	}
}

// write writes a file of a peer's configuration.
func write(b *testing.B, dir, name, body string) {
	b.Helper()
	file := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(body), 0o644); err != nil {
		b.Fatal(err)
	}
}

// link puts files into a folder, which it makes, under their own names.
func link(b *testing.B, dir string, files ...string) {
	b.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		b.Fatal(err)
	}
	for _, f := range files {
		if err := os.Link(f, filepath.Join(dir, filepath.Base(f))); err != nil {
			b.Fatal(err)
		}
	}
}
