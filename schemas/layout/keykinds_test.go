package layout_test

import (
	"strings"
	"testing"

	"repomill/schemas/layout"
)

func TestReadsKey(t *testing.T) {
	table := layout.DefaultTable()
	for _, tt := range []struct {
		distributions string
		reads         map[string]bool
	}{
		{"el/7 ol/7 amazon/2 sles/12.5 ubuntu/xenial", map[string]bool{"RSA 2048": true, "RSA 4096": true, "Ed25519": false, "ECDSA P256": false}},
		{"opensuse/15.6 sles/15.7", map[string]bool{"RSA 4096": true, "Ed25519": true, "ECDSA P384": false}},
		{"el/8 el/9 el/10 amazon/2023 fedora/43 sles/16.0 ubuntu/bionic debian/stretch", map[string]bool{"RSA 4096": true, "Ed25519": true, "ECDSA P256": true}},
	} {
		for name := range strings.FieldsSeq(tt.distributions) {
			d, rej := table.Lookup(distribution(name))
			if rej != nil {
				t.Fatal(rej)
			}
			for algorithm, want := range tt.reads {
				if got := d.ReadsKey(algorithm); got != want {
					t.Errorf("%s reads %s: got %t", name, algorithm, got)
				}
			}
		}
	}
}

func TestReadsOne(t *testing.T) {
	table := layout.DefaultTable()
	for _, tt := range []struct {
		name, distribution, algorithms string
		want                           bool
	}{
		{"none", "el/9", "", false},
		{"one that all read", "el/7", "RSA", true},
		{"yum goes by the first: good", "el/7", "RSA Ed25519", true},
		{"yum goes by the first: bad", "el/7", "Ed25519 RSA", false},
		{"zypper goes by the first key's, which is the last again", "sles/12.5", "Ed25519 RSA", false},
		{"apt takes any", "ubuntu/xenial", "Ed25519 RSA", true},
		{"apt takes none that it does not read", "ubuntu/xenial", "Ed25519 ECDSA", false},
		{"dnf takes any", "el/8", "ECDSA Ed25519", true},
	} {
		d, rej := table.Lookup(distribution(tt.distribution))
		if rej != nil {
			t.Fatal(rej)
		}
		if got := d.ReadsOne(strings.Fields(tt.algorithms)); got != tt.want {
			t.Errorf("%s: got %t", tt.name, got)
		}
	}
}

func TestReadsKeyOfAddedDistribution(t *testing.T) {
	table := layout.DefaultTable()
	err := table.Extend(strings.NewReader(`[{"name": "a/1", "format": "rpm", "rpm": "4.11", "keys": ["RSA", "Ed25519"]},
		{"name": "a/2", "format": "rpm", "rpm": "4.11"}, {"name": "a/3", "format": "deb", "keys": ["RSA"]}]`))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{"a/1": true, "a/2": false, "a/3": false} {
		if d, _ := table.Lookup(distribution(name)); d.ReadsKey("Ed25519") != want {
			t.Errorf("%s: got %q", name, d.Keys)
		}
	}
}
