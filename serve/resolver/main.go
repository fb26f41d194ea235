// Command resolver answers clients of a published bucket: it redirects each public path to a signed URL
// of the CDN. It depends on the bucket, from which it reads the settings of repositories, and on its signing
// key. It has no other state; any number of resolvers may run in parallel.
package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"repomill/pipelines/awsidentity"
	"repomill/pipelines/command"
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
	Grace        time.Duration `default:"10s" help:"How long unfinished requests may go on after SIGTERM."`
	awsidentity.Flags
	LogLevel  string `name:"log-level" default:"info" enum:"debug,info,warn,error" help:"Least level of what is logged: debug, info, warn or error."`
	LogFormat string `name:"log-format" default:"json" enum:"json,text" help:"Form of the log, which goes to the standard error."`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	os.Exit(resolve(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// resolve executes one command line and returns its exit code.
func resolve(ctx context.Context, args []string, out, errOut io.Writer) int {
	said := &hidingKeys{Writer: errOut}
	line := command.Line{Name: "repomill-resolver", Description: "Redirects clients of package repositories to signed URLs.", Out: out, Err: said}
	cfg := &Config{}
	return line.Run(ctx, cfg, args, func(*kong.Context) error {
		said.understood = true
		return run(cfg.Use(ctx), *cfg, errOut)
	})
}

// hidingKeys replaces an error message that contains a private key. kong quotes arguments that it cannot
// parse, and a key may have been pasted in place of its file's URL.
type hidingKeys struct {
	io.Writer
	understood bool // the command line was parsed: later messages are not kong's
}

func (h *hidingKeys) Write(p []byte) (int, error) {
	if !h.understood && bytes.Contains(p, []byte("-----BEGIN")) {
		_, err := io.WriteString(h.Writer, "repomill-resolver: --key: use file:///path/to/key.pem, not the key itself; see repomill-resolver --help\n")
		return len(p), err
	}
	return h.Writer.Write(p)
}
