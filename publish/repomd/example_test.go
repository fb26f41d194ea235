package repomd_test

import (
	"bytes"
	"fmt"
	"time"

	"repomill/publish/repomd"
	"repomill/schemas/catalog"
)

// A Repomd names the indexes of a release by their digests.
func ExampleRepomd_Render() {
	r := repomd.Repomd{
		Revision: catalog.Revision{Number: 7, Nonce: "4f1c5d0e9a7b3c21"},
		Date:     time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC),
		Data:     []repomd.Data{{Type: "primary", SHA256: "1803e166", Size: 868, OpenSHA256: "b60040ec", OpenSize: 2877}},
	}
	fmt.Printf("%s", r.Render())
	// Output:
	// <?xml version="1.0" encoding="UTF-8"?>
	// <repomd xmlns="http://linux.duke.edu/metadata/repo" xmlns:rpm="http://linux.duke.edu/metadata/rpm">
	//   <revision>7</revision>
	//   <tags>
	//     <repo>repomill-nonce:4f1c5d0e9a7b3c21</repo>
	//   </tags>
	//   <data type="primary">
	//     <checksum type="sha256">1803e166</checksum>
	//     <open-checksum type="sha256">b60040ec</open-checksum>
	//     <location href="repodata/1803e166-primary.xml.gz"/>
	//     <timestamp>1785585600</timestamp>
	//     <size>868</size>
	//     <open-size>2877</open-size>
	//   </data>
	// </repomd>
}

// An index is a header, the elements of its packages as the intake made them, and a footer. Packages reads it back.
func ExamplePackages() {
	index := bytes.Join([][]byte{
		repomd.Header("other", 2),
		[]byte("<package pkgid=\"c161\" name=\"hello\" arch=\"x86_64\">\n</package>\n"),
		[]byte("<package pkgid=\"a615\" name=\"hello-data\" arch=\"noarch\">\n</package>\n"),
		repomd.Footer("other"),
	}, nil)
	for element, err := range repomd.Packages(bytes.NewReader(index), "other") {
		first, _, _ := bytes.Cut(element, []byte("\n"))
		fmt.Printf("%s %v\n", first, err)
	}
	// Output:
	// <package pkgid="c161" name="hello" arch="x86_64"> <nil>
	// <package pkgid="a615" name="hello-data" arch="noarch"> <nil>
}
