package pipelines

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"repomill/publish/keys"
	"repomill/publish/sign"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

// Distributions are those that something is published for, in the order of the table.
type Distributions []layout.Distro

// ReadDistributions returns the distributions that something is published for. Those that are not in the table are left out.
func ReadDistributions(ctx context.Context, db *catalogdb.DB, table *layout.Table) (all Distributions, err error) {
	states, err := db.Releases(ctx)
	if err != nil {
		return nil, err
	}
	seen := map[catalog.Distribution]bool{}
	for _, s := range states {
		seen[s.Release.Distribution] = seen[s.Release.Distribution] || s.Published > 0
	}
	for _, d := range table.All() {
		if seen[d.Distribution] {
			all = append(all, d)
		}
	}
	return all, nil
}

// Without returns the names of those whose clients read no signature of a key.
func (d Distributions) Without(algorithm string) (names []string) {
	for _, one := range d {
		if !one.ReadsKey(algorithm) {
			names = append(names, one.Distribution.String())
		}
	}
	return names
}

// Locked returns the names of those whose clients take nothing that some keys sign, in their order.
func (d Distributions) Locked(signing ...keys.Key) (names []string) {
	var algorithms []string
	for _, k := range signing {
		algorithms = append(algorithms, AlgorithmOf(k))
	}
	for _, one := range d {
		if !one.ReadsOne(algorithms) {
			names = append(names, one.Distribution.String())
		}
	}
	return names
}

// AlgorithmOf returns the algorithm of a key, or nothing if it cannot be read.
func AlgorithmOf(k keys.Key) string {
	public, err := sign.ReadPublic([]byte(k.Public))
	if err != nil || len(public) == 0 {
		return ""
	}
	return public[0].Algorithm
}

// Unread says that clients of distributions read no signature of a key, or nothing if there are none.
func Unread(algorithm string, distributions []string) string {
	if len(distributions) == 0 || algorithm == "" {
		return ""
	}
	return fmt.Sprintf("it is %s, of which clients of %s read no signature: they need a key of RSA to sign first (repomill key add makes one)",
		algorithm, strings.Join(distributions, ", "))
}

// adviseKeys warns of keys that clients of what is published cannot read.
func (r *Resources) adviseKeys(ctx context.Context) {
	used, err := ReadDistributions(ctx, r.Catalog, r.Ingester.Table)
	if err != nil {
		r.Log.Warn("not known whether clients read the signing keys", "error", err)
		return
	}
	set, _ := r.Keys()
	for _, k := range set.With(keys.Retired) {
		if slices.Contains(r.keys.held(), k.Fingerprint) {
			r.Log.Warn("a retired key is still among the private keys: take it out", "key", k.Fingerprint, "leaked", k.Distrusted)
		}
	}
	for _, k := range set.Out() {
		a := AlgorithmOf(k)
		if why := Unread(a, used.Without(a)); why != "" {
			r.Log.Warn("some clients cannot read a signing key", "key", k.Fingerprint, "role", k.Role, "why", why)
		}
	}
	if names := used.Locked(set.With(keys.Signing)...); len(names) > 0 {
		r.Log.Error("ALARM: clients read no signature of what is published: the first key that signs has to be of RSA", "distributions", strings.Join(names, ", "))
	}
}
