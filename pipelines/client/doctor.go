package client

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	"repomill/pipelines/client/doctor"
	"repomill/pipelines/command"
	"repomill/schemas/layout"
)

// Doctor is the command that examines a host that has trouble installing.
type Doctor struct {
	URL           string        `arg:"" optional:"" help:"URL of the repository, https://HOST/owner/name, or of the server. Without one, all entries that look like those of repomill or packagecloud are examined."`
	Root          string        `type:"path" default:"/" help:"Folder with the files of the host: that of a container, or of another system."`
	Timeout       time.Duration `default:"15s" help:"How long one request may take."`
	HTTPProxy     string        `name:"http-proxy" env:"http_proxy" placeholder:"URL" help:"Proxy for http, where package managers are not set up to use another."`
	HTTPSProxy    string        `name:"https-proxy" env:"https_proxy,HTTPS_PROXY" placeholder:"URL" help:"Proxy for https, likewise."`
	NoProxy       string        `name:"no-proxy" env:"no_proxy,NO_PROXY" placeholder:"HOST,..." help:"Hosts and domains without a proxy."`
	Distributions string        `type:"path" help:"JSON file with more distributions, in the form of the built-in table."`
	JSON          bool          `name:"json" help:"Print JSON."`
}

// Help describes what is read, and the exit codes.
func (Doctor) Help() string {
	return `Run it on the host where apt, dnf, yum or zypper fails, and send all that it prints to whom you ask for help. It
reads the sources, keys, tokens and proxies of the host, fetches the release files as the package manager does, and says of
each fault what to do. It changes nothing, prints no token or password, and needs no root; with sudo it also reads what
only root may.

Examples:
  repomill doctor https://packages.example.org/acme/tools
  repomill doctor
  repomill doctor https://packages.example.org/acme/tools --root /var/lib/machines/web --json

Exit codes:
  0  no problem; there may be warnings
  1  there are problems
  2  usage
  3  interrupted`
}

// Run examines the host and prints the report.
func (c *Doctor) Run(ctx context.Context, io Stdio) error {
	if err := c.checkURL(); err != nil {
		return err
	}
	if info, err := os.Stat(c.Root); err != nil || !info.IsDir() {
		return command.Usage("--root: there is no folder %s", c.Root)
	}
	if c.Timeout <= 0 {
		return command.Usage("--timeout %s: use a duration such as 15s", c.Timeout)
	}
	table, err := layout.ReadTable(c.Distributions)
	if err != nil {
		return command.Usage("--distributions: %w", err)
	}
	report := doctor.Examine(ctx, doctor.Options{
		Root: c.Root, URL: c.URL, Now: time.Now, Timeout: c.Timeout, Table: table, Version: command.Version(),
		Env: doctor.Proxies{HTTP: c.HTTPProxy, HTTPS: c.HTTPSProxy, No: c.NoProxy},
	})
	if ctx.Err() != nil {
		return command.Interrupt("interrupted: not all of it was examined")
	}
	if c.JSON {
		PrintJSON(io.Out, report)
	} else {
		for line := range strings.Lines(report.Text()) {
			fmt.Fprintln(io.Out, command.Printable(strings.TrimSuffix(line, "\n")))
		}
	}
	if report.Worst() == doctor.Problem {
		return command.Exit(command.Failed)
	}
	return nil
}

func (c *Doctor) checkURL() error {
	u, err := url.Parse(c.URL)
	if c.URL != "" && (err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https") {
		return command.Usage("name the repository as in https://HOST/owner/name") // its text may have a token
	}
	return nil
}
