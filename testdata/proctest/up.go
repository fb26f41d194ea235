package proctest

import (
	"os/exec"
	"regexp"
	"slices"
)

// UpArgs returns the command line of repomill up on a data folder, with the flags that are given. It listens on free ports,
// unless a flag names one.
func UpArgs(data string, flags ...string) []string {
	args := append([]string{"up", "--data", data}, flags...)
	for _, flag := range []string{"--listen", "--edge-listen", "--ops-listen"} {
		if !slices.Contains(flags, flag) {
			args = append(args, flag, "127.0.0.1:0")
		}
	}
	return args
}

var clientsLine = regexp.MustCompile(`(?m)^repomill ready\n  clients: +(http://\S+)$`)

// Up starts a repomill up and waits until it is ready. It returns the URL that clients use. The command's Stdout is collected.
func Up(cmd *exec.Cmd) (p *Process, url string, err error) {
	if p, err = Start(cmd); err != nil {
		return nil, "", err
	}
	err = p.Await(p.Stdout, func(text string) bool {
		m := clientsLine.FindStringSubmatch(text)
		if m != nil {
			url = m[1]
		}
		return m != nil
	})
	return p, url, err
}
