package apt_test

import (
	"fmt"
	"strings"
	"time"

	"repomill/publish/apt"
	"repomill/schemas/catalog"
)

// A Release lists the indexes of a release. InRelease is this body, signed.
func ExampleRelease_Render() {
	r := apt.Release{
		Origin: "acme/tools", Label: "tools", Codename: "jammy",
		Date:          time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC),
		Revision:      catalog.Revision{Number: 7, Nonce: "4f1c5d0e9a7b3c21"},
		Architectures: []string{"all", "amd64"}, Components: []string{"main"},
		Files: []apt.File{{Path: "main/binary-amd64/Packages.gz", Size: 530, SHA256: "b8730b6c38448a3fd7d7333256dc57f88766e5b7b7c5d18f3b0bce1cad41f91d"}},
	}
	fmt.Printf("%s", r.Render())
	// Output:
	// Origin: acme/tools
	// Label: tools
	// Suite: jammy
	// Codename: jammy
	// Date: Sat, 01 Aug 2026 12:00:00 UTC
	// Repomill-Revision: 7 4f1c5d0e9a7b3c21
	// Architectures: all amd64
	// Components: main
	// Acquire-By-Hash: yes
	// SHA256:
	//  b8730b6c38448a3fd7d7333256dc57f88766e5b7b7c5d18f3b0bce1cad41f91d 530 main/binary-amd64/Packages.gz
}

// Stanzas reads an index of any size, one package after the other.
func ExampleStanzas() {
	const packages = "Package: hello\nVersion: 1.0\n\nPackage: hello\nVersion: 1.1\n\n"
	for stanza, err := range apt.Stanzas(strings.NewReader(packages)) {
		fmt.Printf("%q %v\n", stanza, err)
	}
	// Output:
	// "Package: hello\nVersion: 1.0\n" <nil>
	// "Package: hello\nVersion: 1.1\n" <nil>
}
