// Command oci makes the images of repomill from programs that are built, without a container engine, and pushes them to a
// registry. The same programs give the same digests on every machine.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

const usage = `usage:
  oci build LAYOUT PROGRAMS NAME...     make an image of programs; the first one is the entry point
  oci push LAYOUT REPOSITORY[:TAG]      push an image and its bills of materials; the default tag is its version

PROGRAMS is a folder with linux-ARCHITECTURE/NAME and linux-ARCHITECTURE/NAME.cdx.json for each architecture.
LAYOUT is a folder in the OCI image layout. build makes it; it must not be there.
push uses the credentials that docker login, or a credential helper, has put into $DOCKER_CONFIG/config.json or
~/.docker/config.json.`

// errUsage is a wrong command line.
var errUsage = errors.New("wrong command line")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	switch {
	case errors.Is(err, errUsage):
		fmt.Fprintln(os.Stderr, usage)
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "oci:", err)
		os.Exit(1)
	}
}

// run executes one command line.
func run(ctx context.Context, args []string, out io.Writer) error {
	switch {
	case len(args) > 3 && args[0] == "build":
		return build(args[1], args[2], args[3:], out)
	case len(args) == 3 && args[0] == "push":
		return push(ctx, args[1], args[2], out)
	}
	return errUsage
}
