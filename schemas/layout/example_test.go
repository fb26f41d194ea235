package layout_test

import (
	"fmt"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// A staging key says where a package goes.
func ExampleParseStaging() {
	s, _ := layout.ParseStaging("acme/tools/ubuntu/jammy/contrib/hello_2.10-3_amd64.deb")
	fmt.Println(s.Repository, s.Distribution, s.Component, s.File)

	_, rejection := layout.ParseStaging("acme/tools/hello_2.10-3_amd64.deb")
	fmt.Println(rejection.Reason)
	// Output:
	// acme/tools ubuntu/jammy contrib hello_2.10-3_amd64.deb
	// bad-path
}

// The pool keeps a package under a name that is made of its identity; an epoch is a folder.
func ExamplePoolKey() {
	p := catalog.Package{
		Repository:   catalog.Repository{Owner: "acme", Name: "tools"},
		Distribution: catalog.Distribution{OS: "ubuntu", Version: "jammy"},
		Component:    "main", Name: "libhello", Version: "1:2.10-3", Arch: "amd64",
	}
	fmt.Println(layout.PoolKey(p))
	// Output:
	// acme/tools/ubuntu/pool/jammy/main/libh/libhello/e1/libhello_2.10-3_amd64.deb
}

// One object commits a release: what it names can be installed.
func ExamplePointerKey() {
	tools := catalog.Repository{Owner: "acme", Name: "tools"}
	fmt.Println(layout.PointerKey(catalog.Release{Repository: tools, Distribution: catalog.Distribution{OS: "ubuntu", Version: "jammy"}}))
	fmt.Println(layout.PointerKey(catalog.Release{Repository: tools, Distribution: catalog.Distribution{OS: "el", Version: "9"}, Arch: "x86_64"}))
	// Output:
	// acme/tools/ubuntu/dists/jammy/InRelease
	// acme/tools/el/9/x86_64/repodata/repomd.xml
}

// Public paths are object keys. Base URLs that have the codename lead to the same objects.
func ExampleParse() {
	for _, path := range []string{
		"acme/tools/ubuntu/dists/jammy/InRelease",
		"acme/tools/ubuntu/jammy/dists/jammy/InRelease",
		".repomill/keys.json",
	} {
		ref, ok := layout.Parse(path)
		fmt.Println(ok, ref.Key)
	}
	// Output:
	// true acme/tools/ubuntu/dists/jammy/InRelease
	// true acme/tools/ubuntu/dists/jammy/InRelease
	// false
}

// The headers of an object are a function of its key: pointers are asked for again, and files under a digest are kept.
func ExampleObjectOf() {
	for _, key := range []string{
		"acme/tools/ubuntu/dists/jammy/InRelease",
		layout.ByHashKey("acme/tools/ubuntu/dists/jammy/main/binary-amd64/Packages.gz", "0123abcd"),
	} {
		o := layout.ObjectOf(key)
		fmt.Printf("%s\n  %s\n  %s\n", o.Key, o.ContentType, o.CacheControl)
	}
	// Output:
	// acme/tools/ubuntu/dists/jammy/InRelease
	//   text/plain; charset=utf-8
	//   public, max-age=30, s-maxage=30, must-revalidate
	// acme/tools/ubuntu/dists/jammy/main/binary-amd64/by-hash/SHA256/0123abcd
	//   application/octet-stream
	//   public, max-age=31536000, immutable
}

// A name that a distribution also has is refused, and the right one is named.
func ExampleTable_Lookup() {
	table := layout.DefaultTable()
	d, _ := table.Lookup(catalog.Distribution{OS: "el", Version: "9"})
	fmt.Println(d.Format, d.Client, d.Architectures)

	_, rejection := table.Lookup(catalog.Distribution{OS: "debian", Version: "12"})
	fmt.Println(rejection.Detail)
	// Output:
	// rpm dnf [SRPMS aarch64 x86_64]
	// distribution debian/12 goes by another name here: use debian/bookworm
}
