package mysqltest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// tools are the programs that a server needs, with the Debian package of each.
var tools = map[string]string{"mariadbd": "mariadb-server-core", "mariadb-install-db": "mariadb-server-core"}

// find skips a test unless there is a server.
func find(t testing.TB) {
	t.Helper()
	for name, pkg := range tools {
		if tool(name) == "" {
			t.Skipf("%s is not installed (package %s)", name, pkg)
		}
	}
}

// tool returns the path of a program, or nothing. Servers lie in sbin, which may not be in PATH.
func tool(name string) string {
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	path := filepath.Join("/usr/sbin", name)
	if _, err := os.Stat(path); err != nil {
		return ""
	}
	return path
}

// asRoot lets the server run as root, which it refuses otherwise.
func asRoot() []string {
	if os.Getuid() == 0 {
		return []string{"--user=root"}
	}
	return nil
}

// logFileSize is less than the default, so that a data directory is copied quickly.
const logFileSize = "--innodb-log-file-size=32M"

// install makes a data directory with the tables that a server itself needs.
func install() (dir string, err error) {
	if dir, err = os.MkdirTemp("", "mysqltest"); err != nil {
		return "", err
	}
	args := append([]string{"--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db", logFileSize, "--datadir=" + dir}, asRoot()...)
	if out, err := exec.Command(tool("mariadb-install-db"), args...).CombinedOutput(); err != nil {
		os.RemoveAll(dir) //nolint:errcheck // a temporary directory
		return "", fmt.Errorf("mariadb-install-db: %w: %s", err, out)
	}
	return dir, nil
}
