// Command terraform-provider-NAME serves the schemas of a provider, and nothing else: with it Terraform validates
// configurations and runs mocked tests where the provider itself cannot be had. The name of the file says which provider it
// is. The schemas are the output of terraform providers schema -json, in NAME.json.gz in the folder that
// $REPOMILL_PROVIDER_SCHEMAS names.
package main

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	tfjson "github.com/hashicorp/terraform-json"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6/tf6server"
)

const (
	schemasVariable = "REPOMILL_PROVIDER_SCHEMAS"
	filePrefix      = "terraform-provider-"
)

func main() {
	if err := run(os.Args[0], os.Getenv(schemasVariable)); err != nil {
		fmt.Fprintln(os.Stderr, "stubprovider:", err)
		os.Exit(1)
	}
}

func run(program, folder string) error {
	name, ok := strings.CutPrefix(filepath.Base(program), filePrefix)
	if !ok || name == "" {
		return fmt.Errorf("name this program %sNAME: NAME.json.gz has the schemas", filePrefix)
	}
	name, _, _ = strings.Cut(name, "_v")
	if folder == "" {
		return errors.New("set " + schemasVariable + " to the folder of NAME.json.gz")
	}
	address, schemas, err := load(filepath.Join(folder, name+".json.gz"))
	if err != nil {
		return err
	}
	s, err := newServer(schemas)
	if err != nil {
		return err
	}
	return tf6server.Serve(address, func() tfprotov6.ProviderServer { return s })
}

// load reads a file of schemas, and returns the address of the one provider in it.
func load(path string) (string, *tfjson.ProviderSchema, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", nil, err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return "", nil, fmt.Errorf("read %s: %w", path, err)
	}
	body, err := io.ReadAll(z)
	if err != nil {
		return "", nil, fmt.Errorf("read %s: %w", path, err)
	}
	var all tfjson.ProviderSchemas
	if err := json.Unmarshal(body, &all); err != nil {
		return "", nil, fmt.Errorf("read %s: %w", path, err)
	}
	for address, schema := range all.Schemas {
		if len(all.Schemas) == 1 && schema.ConfigSchema != nil {
			return address, schema, nil
		}
	}
	return "", nil, fmt.Errorf("%s has %d providers: want one, with the schema of its own block", path, len(all.Schemas))
}
