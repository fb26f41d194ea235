// Command gateway is the S3 server of tests: versitygw, on a socket in a folder. It is in a module of its own, so that what it
// needs is not a requirement of the product.
package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/embedgw"
)

func main() {
	if len(os.Args) != 5 {
		fmt.Fprintln(os.Stderr, "usage: gateway FOLDER ACCESS-KEY SECRET-KEY REGION")
		os.Exit(2)
	}
	fmt.Fprintln(os.Stderr, run(os.Args[1], os.Args[2], os.Args[3], os.Args[4]))
	os.Exit(1)
}

// socketName is the file in the folder on which the server listens.
const socketName = "socket"

// run serves until the process ends.
func run(dir, accessKey, secretKey, region string) error {
	root := filepath.Join(dir, "objects")
	if err := os.MkdirAll(root, 0o700); err != nil { // it is there after a kill
		return err
	}
	if err := os.Remove(filepath.Join(dir, socketName)); err != nil && !errors.Is(err, fs.ErrNotExist) { // likewise
		return err
	}
	opts := posix.PosixOpts{CopyObjectThreshold: 5 << 30, Concurrency: 100}
	attributes, err := storeAttributes(dir, root, &opts)
	if err != nil {
		return err
	}
	backend, err := posix.New(root, attributes, opts)
	if err != nil {
		return err
	}
	return embedgw.RunVersityGW(context.Background(), backend, &embedgw.Config{
		RootUserAccess:    accessKey,
		RootUserSecret:    secretKey,
		Region:            region,
		Ports:             []string{filepath.Join(dir, socketName)},
		MaxConnections:    1000,
		MaxRequests:       1000,
		MultipartMaxParts: 10_000,
		Quiet:             true,
		KeepAlive:         true,
	})
}

// storeAttributes chooses where headers and ETags are kept: with the files, if the file system takes
// extended attributes, else in a folder beside.
func storeAttributes(dir, root string, opts *posix.PosixOpts) (meta.MetadataStorer, error) {
	if (meta.XattrMeta{}).Test(root) == nil {
		return meta.XattrMeta{}, nil
	}
	opts.SideCarDir = filepath.Join(dir, "attributes")
	if err := os.MkdirAll(opts.SideCarDir, 0o700); err != nil {
		return nil, err
	}
	return meta.NewSideCar(opts.SideCarDir)
}
