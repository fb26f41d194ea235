// Command server is the Cloud Storage server of tests: fake-gcs-server, on a socket in a folder. It is in a module of its own,
// so that what it needs is not a requirement of the product.
package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/fsouza/fake-gcs-server/fakestorage"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: server FOLDER")
		os.Exit(2)
	}
	fmt.Fprintln(os.Stderr, run(os.Args[1]))
	os.Exit(1)
}

// run serves until the process ends.
func run(dir string) error {
	fake, err := fakestorage.NewServerWithOptions(fakestorage.Options{NoListener: true, Scheme: "http"})
	if err != nil {
		return err
	}
	l, err := net.Listen("unix", filepath.Join(dir, "socket"))
	if err != nil {
		return err
	}
	return (&http.Server{Handler: fake.HTTPHandler(), ReadHeaderTimeout: time.Minute}).Serve(l)
}
