package command

import (
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// fromEnvironment are the flags that can also be set in the environment: URLs of resources, the user, and the configuration
// of servers. Flags that say what a command does are not among them: a variable that leaked into a profile would change
// every command.
var fromEnvironment = []string{
	"data", "staging", "events", "catalog", "bucket", "signing-key", "signing-key-passphrase-file", "key", "key-pair-id", "cdn", "invalidate", "public-url", "edge-url",
	"listen", "edge-listen", "ops-listen", "distributions", "cache", "cache-size", "contents-max-size", "log-format", "log-level",
	"aws-identity", "aws-audience", "create", "max-package-size", "retention", "upload-timeout", "grace", "serve-through",
	"runner", "endpoint", "environment-type", "environment-config", "worker-binary",
	"project", "region", "staging-location", "temp-location", "service-account-email", "worker-machine-type", "worker-region", "worker-zone",
	"network", "subnetwork", "sdk-container-image",
}

// environment gives each flag of fromEnvironment its variable, such as REPOMILL_PUBLIC_URL. A flag with variables in its
// tag keeps those.
func environment() kong.Option {
	return kong.PostBuild(func(k *kong.Kong) error {
		return kong.Visit(k.Model, func(v kong.Visitable, next kong.Next) error {
			f, ok := v.(*kong.Flag)
			if ok && len(f.Envs) == 0 && slices.Contains(fromEnvironment, f.Name) {
				name := "REPOMILL_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
				f.Envs = []string{name}
				f.Value.Tag.Envs = f.Envs
			}
			return next(nil)
		})
	})
}

// Environment returns the environment variables of each flag of a grammar, by the flag's name.
func (l Line) Environment(grammar any) map[string][]string {
	all := map[string][]string{}
	kong.Visit(l.parser(grammar).Model, func(v kong.Visitable, next kong.Next) error { //nolint:errcheck // there is none
		if f, ok := v.(*kong.Flag); ok {
			all[f.Name] = slices.Compact(slices.Sorted(slices.Values(slices.Concat(all[f.Name], f.Envs))))
		}
		return next(nil)
	})
	return all
}
