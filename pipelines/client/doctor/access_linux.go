package doctor

import (
	"io/fs"
	"strings"
	"syscall"
)

// closedTo returns the folder or file on the way to a path that a user of the host cannot read; "" if it can read all, or
// there is no such user.
func (r root) closedTo(name, user string) string {
	uid, gid, found := r.ids(user)
	if !found {
		return ""
	}
	for i, c := range name + "/" {
		if c != '/' || i == 0 {
			continue
		}
		at := name[:i]
		info, err := r.stat(at)
		if err != nil {
			return ""
		}
		want := fs.FileMode(4)
		if info.IsDir() {
			want = 1
		}
		mode := info.Mode().Perm()
		if s, ok := info.Sys().(*syscall.Stat_t); ok {
			switch {
			case s.Uid == uid:
				mode >>= 6
			case s.Gid == gid:
				mode >>= 3
			}
		}
		if mode&want == 0 {
			return at
		}
	}
	return ""
}

// ids returns the numbers of a user of the host.
func (r root) ids(user string) (uid, gid uint32, found bool) {
	text, err := r.read("/etc/passwd")
	if err != nil {
		return 0, 0, false
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Split(strings.TrimSpace(line), ":"); len(f) > 3 && f[0] == user {
			return number(f[2]), number(f[3]), true
		}
	}
	return 0, 0, false
}

func number(s string) (n uint32) {
	for _, c := range s {
		n = n*10 + uint32(c-'0')
	}
	return n
}
