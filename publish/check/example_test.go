package check_test

import (
	"context"
	"fmt"

	"repomill/publish/check"
	"repomill/publish/sign"
)

// A published tree is read as apt reads it: the signature first, then the indexes, then the packages that they list. Here
// the tree is in memory; check.Dir and check.URL are those of a folder and of a web server.
func ExampleApt() {
	tree, keyring := publishedHello()
	fmt.Println(check.Find(tree.fs()))

	r, problems, err := check.Apt(context.Background(), tree, "acme/tools/ubuntu", "jammy", keyring, check.Options{Content: true})
	fmt.Println(r.Name, r.Packages, problems, err)

	delete(tree, "acme/tools/ubuntu/pool/hello_1.0_amd64.deb")
	_, problems, err = check.Apt(context.Background(), tree, "acme/tools/ubuntu", "jammy", keyring, check.Options{})
	fmt.Println(problems, err)
	// Output:
	// [{deb acme/tools/ubuntu jammy}] <nil>
	// acme/tools/ubuntu/jammy 1 [] <nil>
	// [acme/tools/ubuntu/pool/hello_1.0_amd64.deb: is missing (listed in acme/tools/ubuntu/dists/jammy/main/binary-amd64/Packages)] <nil>
}

// publishedHello returns a release of one package, and the keyring of a client that trusts its key.
func publishedHello() (memTree, sign.Keyring) {
	deb := []byte("a package")
	s := aptSource{
		fields: []string{"Origin: acme/tools", "Label: tools", "Suite: jammy", "Codename: jammy", "Architectures: all amd64", "Components: main", "Acquire-By-Hash: yes"},
		date:   now,
		indexes: map[string]string{
			"main/binary-amd64/Packages": fmt.Sprintf("Package: hello\nVersion: 1.0\nArchitecture: amd64\nFilename: pool/hello_1.0_amd64.deb\nSize: %d\nSHA256: %s\n\n", len(deb), sha(deb)),
			"main/binary-all/Packages":   "",
			"main/source/Sources":        "",
		},
		pool:   memTree{"pool/hello_1.0_amd64.deb": deb},
		signer: signer(),
	}
	return s.publish(), must(sign.ReadKeyring(s.signer.Public()))
}
