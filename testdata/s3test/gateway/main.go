package s3test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/embedgw"
)

const (
	gatewayDir = "REPOMILL_S3TEST_GATEWAY" // in the environment: be the server, in this folder
	socketName = "socket"
)

// init makes the process the server if it was started as one. It runs before any test.
func init() {
	if dir := os.Getenv(gatewayDir); dir != "" {
		err := runGateway(dir)
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func runGateway(dir string) error {
	root := filepath.Join(dir, "objects")
	if err := os.Mkdir(root, 0o700); err != nil {
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
		RootUserAccess:    AccessKey,
		RootUserSecret:    SecretKey,
		Region:            Region,
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
	if err := os.Mkdir(opts.SideCarDir, 0o700); err != nil {
		return nil, err
	}
	return meta.NewSideCar(opts.SideCarDir)
}
