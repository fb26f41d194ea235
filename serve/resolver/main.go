// Command resolver answers clients of a published bucket: it redirects each public path to a signed URL
// of the CDN. It depends on nothing but the bucket, of which it reads the settings of repositories, and
// its key; it holds no state, and any number of them may run side by side.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kong"
)

// The exit codes that scripts rely on, the same as those of repomill.
const (
	exitOK          = 0
	exitFault       = 1
	exitUsage       = 2
	exitUnreachable = 4 // a retry may help
)

// A Config is the command line; the help of each field is its manual.
type Config struct {
	Bucket       string        `required:"" placeholder:"URL" help:"Published bucket: s3://bucket[/prefix]?region=R[&endpoint=URL] or file:///folder. It is only read."`
	PublicURL    string        `required:"" name:"public-url" placeholder:"URL" help:"URL under which clients reach the resolver, such as https://packages.example.org."`
	CDN          string        `required:"" name:"cdn" placeholder:"URL" help:"URL of the distribution that serves the bucket, such as https://d111.cloudfront.net."`
	KeyPairID    string        `required:"" name:"key-pair-id" placeholder:"ID" help:"Id that CloudFront gave the public key, such as K2JCJMDEHXQW5F."`
	Key          string        `required:"" placeholder:"URL" help:"Private key that signs URLs, as file:///path/to/key.pem: ECDSA P-256 or RSA-2048."`
	Listen       string        `default:"127.0.0.1:8080" help:"Address where clients, or the load balancer, go."`
	OpsListen    string        `name:"ops-listen" default:"127.0.0.1:9102" help:"Address of /metrics, and of /healthz, /livez and /readyz, which are at --listen too; empty for none."`
	ServeThrough string        `name:"serve-through" default:"none" enum:"none,metadata" help:"What is answered with its bytes instead of a redirect: none, or metadata, which is all but packages, for clients that cannot follow a redirect to another host."`
	Grace        time.Duration `default:"10s" help:"How long requests in hand may go on after SIGTERM."`
	LogFormat    string        `name:"log-format" default:"json" enum:"json,text" help:"Form of the log, which goes to the standard error."`
}

// A coded error ends the program with an exit code.
type coded struct {
	code int
	error
}

func (c coded) Unwrap() error { return c.error }

func usage(format string, args ...any) error { return coded{exitUsage, fmt.Errorf(format, args...)} }

func unreachable(err error) error { return coded{exitUnreachable, err} }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	os.Exit(command(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// command executes one command line and returns its exit code.
func command(ctx context.Context, args []string, out, errOut io.Writer) (code int) {
	var cfg Config
	exited := false
	parser, err := kong.New(&cfg,
		kong.Name("resolver"),
		kong.Description("Redirects clients of package repositories to signed URLs. Every flag can also be set in the environment, as REPOMILL_ and its name in capitals."),
		kong.DefaultEnvars("REPOMILL"),
		kong.Writers(out, errOut),
		kong.Exit(func(c int) { code, exited = c, true }),
	)
	if err != nil {
		panic(err) // the struct above is wrong
	}
	_, err = parser.Parse(args)
	if exited { // --help
		return code
	}
	if err != nil && strings.Contains(err.Error(), "-----BEGIN") { // kong shows what it does not understand
		err = errors.New("--key: use file:///path/to/key.pem, not the key itself")
	}
	if err != nil {
		fmt.Fprintf(errOut, "resolver: %v; see resolver --help\n", err)
		return exitUsage
	}
	if err := run(ctx, cfg, errOut); err != nil {
		fmt.Fprintf(errOut, "resolver: %v\n", err)
		if c, ok := errors.AsType[coded](err); ok {
			return c.code
		}
		return exitFault
	}
	return exitOK
}
