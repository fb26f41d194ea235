// Package repomill_test checks that imports point down, and that the documents that comments cite exist.
package repomill_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const module = "repomill/"

// house has the packages of this module that each package may import, from the bottom up. Each package of the
// module has exactly one place in it; [mains] stands for every command. Packages whose name ends in "test" are for
// tests only and have none.
var house = []place{
	{"catalog is plain data and imports nothing of ours", []string{"schemas/catalog"}, nil},
	{"layout imports the data alone", []string{"schemas/layout"}, []string{"schemas/catalog"}},
	{"the commands that set up a host are functions of settings", []string{"schemas/setup"}, []string{"schemas/catalog", "schemas/layout"}},
	{"limits on silence are of contexts alone", []string{"schemas/stall"}, nil},
	{"gzip members are of bytes alone", []string{"schemas/gzipmember"}, nil},
	{"the database imports data, paths and the form of its texts", []string{"schemas/catalogdb"}, []string{"schemas/catalog", "schemas/layout", "schemas/gzipmember", "schemas/stall"}},
	{"a format imports data and paths, and no other format",
		[]string{"publish/apt", "publish/keypack", "publish/repomd", "publish/sign", "serve/cloudfront"},
		[]string{"schemas/catalog", "schemas/layout"}},
	{"what readers of packages share is of no format", []string{"ingest/input"}, []string{"schemas/catalog"}},
	{"a reader of packages imports what readers share, data and paths, and no other reader",
		[]string{"ingest/deb", "ingest/rpm"}, []string{"ingest/input", "schemas/catalog", "schemas/layout"}},
	{"what judges signatures in packages is of no format", []string{"ingest/pgp"}, []string{"schemas/catalog"}},
	{"check and keys import sign besides data and paths", []string{"publish/check", "publish/keys"}, []string{"publish/sign", "schemas/catalog", "schemas/layout"}},
	{"indexes are rendered from rows alone", []string{"publish/render"}, []string{"schemas/catalog", "schemas/catalogdb", "schemas/gzipmember"}},
	{"what lies in a published bucket is read with its formats and signatures alone", []string{"publish/tree"},
		[]string{"publish/apt", "publish/repomd", "publish/sign", "schemas/catalog", "schemas/layout"}},
	{"collection imports what reads the bucket, and schemas", []string{"publish/collect"}, []string{"publish/tree", "schemas/..."}},
	{"a replica is judged with what reads the bucket, and as clients do", []string{"publish/replica"},
		[]string{"publish/check", "publish/sign", "publish/tree", "schemas/catalog", "schemas/layout"}},
	{"rows are read back with what reads the bucket and its formats", []string{"publish/restore"},
		[]string{"publish/apt", "publish/repomd", "publish/sign", "publish/tree", "schemas/catalog", "schemas/layout"}},
	{"what a package says of itself is read from rows", []string{"publish/pages/facts"}, []string{"schemas/catalog"}},
	{"what pages say is plain data", []string{"publish/pages/model"}, []string{"publish/pages/facts", "schemas/catalog", "schemas/layout"}},
	{"pages are drawn from plain data", []string{"publish/pages/html", "publish/pages/twin"},
		[]string{"publish/pages/facts", "publish/pages/model", "schemas/catalog", "schemas/layout", "schemas/setup"}},
	{"pages are made of rows, and of pointers that are read back", []string{"publish/pages"},
		[]string{"publish/keys", "publish/pages/...", "publish/sign", "publish/tree", "schemas/..."}},
	{"ingest imports its readers and schemas", []string{"ingest"}, []string{"ingest/...", "schemas/..."}},
	{"the protocol imports what reads, renders and signs, and neither collection nor check", []string{"publish"},
		[]string{"publish/apt", "publish/keys", "publish/render", "publish/repomd", "publish/restore", "publish/sign", "publish/tree", "schemas/..."}},
	{"snapshots are taken with the keys and files of the publisher", []string{"publish/snapshot"},
		[]string{"publish", "publish/sign", "publish/tree", "schemas/catalog", "schemas/layout"}},
	{"serve imports its signer, data and paths, and no database", []string{"serve"}, []string{"serve/cloudfront", "schemas/catalog", "schemas/layout"}},
	{"the API's ground imports serve, data and paths, and no database", []string{"serve/api"}, []string{"serve", "schemas/catalog", "schemas/layout"}},
	{"a door of the API stands on its ground", []string{"serve/api/deletion", "serve/api/history", "serve/api/oidc", "serve/api/retention", "serve/api/trains", "serve/api/upload", "serve/api/yank"},
		[]string{"serve", "serve/api", "schemas/catalog", "schemas/layout"}},
	{"the state of a repository is drawn as its pages are", []string{"serve/api/status"},
		[]string{"publish/pages/html", "publish/pages/model", "serve", "serve/api", "schemas/catalog", "schemas/layout"}},
	{"calls about snapshots are a door of their own", []string{"serve/api/snapshots"},
		[]string{"serve/api", "schemas/catalog", "schemas/layout"}},
	{"packagecloud's calls bring packages through the door of uploads", []string{"serve/api/packagecloud"},
		[]string{"serve", "serve/api", "serve/api/upload", "schemas/catalog", "schemas/layout"}},
	{"who a program is to AWS depends on no other package here: the resolver is small", []string{"pipelines/awsidentity"}, nil},
	{"a storage system imports data, paths and identities", []string{"pipelines/objects/cdn", "pipelines/objects/file", "pipelines/objects/gcs", "pipelines/objects/s3"},
		[]string{"pipelines/awsidentity", "schemas/catalog", "schemas/layout"}},
	{"objects imports its storage systems and what lies below the pipelines", []string{"pipelines/objects"},
		[]string{"pipelines/objects/...", "ingest/...", "publish/...", "serve/...", "schemas/..."}},
	{"queue imports objects and what lies below it", []string{"pipelines/queue"},
		[]string{"pipelines/objects/...", "ingest/...", "publish/...", "serve/...", "schemas/..."}},
	{"a service that keeps keys imports paths and identities: what it signs is not its business", []string{"pipelines/kms"}, []string{"pipelines/awsidentity", "schemas/layout"}},
	{"traces are of plain data", []string{"pipelines/tracing"}, []string{"schemas/catalog"}},
	{"pipelines import neither a queue nor a worker", []string{"pipelines"},
		[]string{"pipelines/awsidentity", "pipelines/kms", "pipelines/tracing", "pipelines/objects/...", "ingest/...", "publish/...", "serve/...", "schemas/..."}},
	{"statistics are read by stores of logs and written to the catalog", []string{"pipelines/stats"}, []string{"pipelines/objects", "schemas/..."}},
	{"the worker imports the pipelines that it runs, and no command", []string{"pipelines/worker"},
		[]string{"pipelines", "pipelines/queue", "ingest/...", "publish/...", "schemas/..."}},
	{"what examines a client host imports signatures, data and paths", []string{"pipelines/client/doctor"},
		[]string{"publish/sign", "schemas/catalog", "schemas/layout"}},
	{"commands that push and ask import no worker", []string{"pipelines/client"},
		[]string{"pipelines/client/doctor", "pipelines/command", "pipelines/objects/...", "ingest/...", "publish/...", "serve/...", "schemas/..."}},
	{"what commands share imports nothing of ours: the resolver is small", []string{"pipelines/command"}, nil},
	{"a command imports whatever it likes", []string{mains}, []string{"..."}},
}

// A place is a row of the table: some packages, and what they may import.
type place struct {
	fact string
	of   []string // packages below the module, or mains
	may  []string // packages of this module that they may import
}

// mains stands for all packages named main.
const mains = "a main"

// confined says where of our packages something may be used.
var confined = []confinement{
	{"Beam is used in pipelines and commands", []string{"github.com/apache/beam/..."}, []string{"pipelines", "pipelines/stats", "pipelines/worker", mains}},
	{"runners are linked by commands", []string{beam + "/runners/...", beam + "/x/beamx/..."}, []string{mains}},
	{"Google's SDKs are used by stores, queues and services that keep keys", []string{"cloud.google.com/...", "google.golang.org/api/..."},
		[]string{"pipelines/kms", "pipelines/objects/gcs", "pipelines/queue"}},
	{"AWS's SDK is used by stores and services that keep keys",
		[]string{aws, aws + "/config/...", aws + "/credentials/...", aws + "/service/...", aws + "/feature/s3/..."},
		[]string{"pipelines/awsidentity", "pipelines/kms", "pipelines/objects/cdn", "pipelines/objects/s3"}},
	{"traces are exported by what makes them", []string{"go.opentelemetry.io/otel/sdk/...", "go.opentelemetry.io/otel/exporters/..."}, []string{"pipelines/tracing"}},
	{"CloudFront's signer is used by cloudfront", []string{aws + "/feature/cloudfront/..."}, []string{"serve/cloudfront"}},
	{"SQL is spoken by catalogdb",
		[]string{"database/sql/...", "github.com/go-sql-driver/...", "modernc.org/sqlite/...", "github.com/pressly/goose/..."},
		[]string{"schemas/catalogdb"}},
	{"flags and environment are read by commands",
		[]string{"flag", "github.com/alecthomas/kong/...", "os.Args", "os.Getenv", "os.LookupEnv", "os.Environ", "os.ExpandEnv"},
		[]string{"pipelines/command", mains}},
	{"the process is ended by commands", []string{"os.Exit", "log.Fatal", "log.Fatalf", "log.Fatalln", "runtime.Goexit", "syscall.Exit"}, []string{mains}},
	{"the clock is read in pipelines and above, and by stores and queues", []string{"time.Now", "time.Since", "time.Until"},
		[]string{"pipelines", "pipelines/client", "pipelines/objects", "pipelines/objects/cdn", "pipelines/objects/file", "pipelines/objects/gcs", "pipelines/objects/s3", "pipelines/queue", "pipelines/stats", "pipelines/worker", mains}},
	{"what helps tests is used by tests", []string{module + "testdata/...", "testing/..."}, nil},
}

const (
	beam = "github.com/apache/beam/sdks/v2/go/pkg/beam"
	aws  = "github.com/aws/aws-sdk-go-v2"
)

// A confinement keeps things in few packages.
type confinement struct {
	fact  string
	these []string // import paths, and functions such as "time.Now"
	in    []string // packages below the module, or mains
}

// A pkg is what the rules see of a package. Tests may use anything.
type pkg struct {
	name string   // below the module, such as "ingest/deb"
	main bool     // a command
	uses []string // sorted: imports, and what is named of the standard library, as "time.Now"; without test files
}

func (p pkg) is(names []string) bool {
	return p.main && slices.Contains(names, mains) || !p.main && slices.Contains(names, p.name)
}

func TestHouse(t *testing.T) {
	pkgs := load(t)
	for _, h := range house {
		t.Run(h.fact, func(t *testing.T) { report(t, h.broken(pkgs)) })
	}
	t.Run("each package has its place", func(t *testing.T) { report(t, homeless(pkgs)) })
}

func TestConfinement(t *testing.T) {
	pkgs := load(t)
	for _, c := range confined {
		t.Run(c.fact, func(t *testing.T) { report(t, c.broken(pkgs)) })
	}
}

// The resolver answers while database, queue and workers are down, so it links none of them.
func TestTheResolverStaysSmall(t *testing.T) {
	const resolver = "serve/resolver"
	// Its command line, and where it reads settings.
	may := []string{module + "pipelines/awsidentity", module + "pipelines/command", module + "pipelines/objects/file", module + "pipelines/objects/s3"}
	if _, err := os.Stat(resolver); errors.Is(err, os.ErrNotExist) {
		t.Skip("there is no " + resolver)
	}
	for _, dep := range strings.Fields(string(golist(t, "-deps", "-f", "{{.ImportPath}}", "./"+resolver))) {
		if matches(dep, []string{"github.com/apache/beam/...", "cloud.google.com/...", "database/sql/...", "modernc.org/sqlite/..."}) ||
			matches(dep, []string{module + "pipelines/..."}) && !matches(dep, may) {
			t.Errorf("%s links %s", resolver, dep)
		}
	}
}

// Rules that cannot fail prove nothing.
func TestRulesCanFail(t *testing.T) {
	for _, tt := range []struct {
		name string
		pkg  pkg
		want []string
	}{
		{"a pointer down", pkg{name: "ingest", uses: []string{module + "ingest/deb", "io"}}, nil},
		{"a pointer up", pkg{name: "schemas/catalog", uses: []string{module + "schemas/layout"}}, []string{"schemas/catalog imports schemas/layout"}},
		{"a pointer aside", pkg{name: "ingest", uses: []string{module + "publish"}}, []string{"ingest imports publish"}},
		{"a protocol that collects", pkg{name: "publish", uses: []string{module + "publish/collect"}}, []string{"publish imports publish/collect"}},
		{"a reader of the bucket that renders", pkg{name: "publish/tree", uses: []string{module + "publish/render"}}, []string{"publish/tree imports publish/render"}},
		{"a reader that imports another", pkg{name: "ingest/rpm", uses: []string{module + "ingest/deb", module + "ingest/input"}}, []string{"ingest/rpm imports ingest/deb"}},
		{"a format that imports another", pkg{name: "publish/check", uses: []string{module + "publish/apt"}}, []string{"publish/check imports publish/apt"}},
		{"a resolver that knows the database", pkg{name: "serve", uses: []string{module + "schemas/catalogdb"}}, []string{"serve imports schemas/catalogdb"}},
		{"a package without a place", pkg{name: "publish/util"}, []string{"publish/util has no place in this table"}},
		{"Beam in a policy", pkg{name: "publish", uses: []string{beam}}, []string{"publish uses " + beam}},
		{"Beam beside the pipelines", pkg{name: "pipelines/queue", uses: []string{beam + "/io/textio"}}, []string{"pipelines/queue uses " + beam + "/io/textio"}},
		{"a pipeline that knows its worker", pkg{name: "pipelines", uses: []string{module + "pipelines/worker"}}, []string{"pipelines imports pipelines/worker"}},
		{"a runner in the worker", pkg{name: "pipelines/worker", uses: []string{beam + "/runners/direct"}}, []string{"pipelines/worker uses " + beam + "/runners/direct"}},
		{"a runner in the pipelines", pkg{name: "pipelines", uses: []string{beam + "/runners/prism"}}, []string{"pipelines uses " + beam + "/runners/prism"}},
		{"a runner in a command", pkg{name: "pipelines/repomill", main: true, uses: []string{beam + "/runners/direct", "os.Exit", "time.Now"}}, nil},
		{"a storage SDK in ingest", pkg{name: "ingest", uses: []string{"cloud.google.com/go/storage"}}, []string{"ingest uses cloud.google.com/go/storage"}},
		{"a KMS in the format of signatures", pkg{name: "publish/sign", uses: []string{"cloud.google.com/go/kms/apiv1", aws + "/service/kms"}},
			[]string{"publish/sign uses cloud.google.com/go/kms/apiv1", "publish/sign uses " + aws + "/service/kms"}},
		{"S3 in publish", pkg{name: "publish", uses: []string{aws + "/service/s3"}}, []string{"publish uses " + aws + "/service/s3"}},
		{"CloudFront's signer in its place", pkg{name: "serve/cloudfront", uses: []string{aws + "/feature/cloudfront/sign"}}, nil},
		{"CloudFront's signer in serve", pkg{name: "serve", uses: []string{aws + "/feature/cloudfront/sign"}}, []string{"serve uses " + aws + "/feature/cloudfront/sign"}},
		{"SQL in a command", pkg{name: "pipelines/repomill", main: true, uses: []string{"database/sql"}}, []string{"pipelines/repomill uses database/sql"}},
		{"a flag in serve", pkg{name: "serve", uses: []string{"flag", "os.Getenv"}}, []string{"serve uses flag", "serve uses os.Getenv"}},
		{"an end in pipelines", pkg{name: "pipelines", uses: []string{"os.Exit"}}, []string{"pipelines uses os.Exit"}},
		{"a clock in publish", pkg{name: "publish", uses: []string{"time.Now"}}, []string{"publish uses time.Now"}},
		{"a made package in the product", pkg{name: "pipelines/repomill", main: true, uses: []string{module + "testdata/debtest"}},
			[]string{"pipelines/repomill uses " + module + "testdata/debtest"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			pkgs := []pkg{tt.pkg}
			got := homeless(pkgs)
			for _, h := range house {
				got = append(got, h.broken(pkgs)...)
			}
			for _, c := range confined {
				got = append(got, c.broken(pkgs)...)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("reported (-want +got):\n%s", diff)
			}
		})
	}
}

// What a file uses is found under any name, also in files for other systems.
func TestUsesOfAFile(t *testing.T) {
	const source = `//go:build plan9
package x

import (
	"fmt"
	. "os"
	clock "time"
	_ "embed"
)

var now = clock.Now

func f() { fmt.Println(clock.Second) }
`
	file := filepath.Join(t.TempDir(), "x_plan9.go")
	if err := os.WriteFile(file, []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	want := []string{"embed", "fmt", "fmt.Println", "os", "os.*", "time", "time.Now", "time.Second"}
	if diff := cmp.Diff(want, uses(t, []string{file})); diff != "" {
		t.Errorf("uses (-want +got):\n%s", diff)
	}
}

func report(t *testing.T, broken []string) {
	t.Helper()
	for _, b := range broken {
		t.Error(b)
	}
}

// broken returns the imports that the place does not allow.
func (h place) broken(pkgs []pkg) (broken []string) {
	for _, p := range pkgs {
		if !p.is(h.of) {
			continue
		}
		for _, use := range p.uses {
			ours, ok := strings.CutPrefix(use, module)
			if ok && !strings.HasPrefix(ours, "testdata/") && !matches(ours, h.may) {
				broken = append(broken, p.name+" imports "+ours)
			}
		}
	}
	return broken
}

// homeless returns the packages that have no place.
func homeless(pkgs []pkg) (broken []string) {
	for _, p := range pkgs {
		if !slices.ContainsFunc(house, func(h place) bool { return p.is(h.of) }) {
			broken = append(broken, p.name+" has no place in this table")
		}
	}
	return broken
}

// broken returns the uses outside the places where they belong.
func (c confinement) broken(pkgs []pkg) (broken []string) {
	for _, p := range pkgs {
		if p.is(c.in) {
			continue
		}
		for _, use := range p.uses {
			dotImported := strings.HasSuffix(use, ".*") && slices.ContainsFunc(c.these, func(s string) bool {
				return strings.HasPrefix(s, strings.TrimSuffix(use, "*"))
			})
			if dotImported || matches(use, c.these) {
				broken = append(broken, p.name+" uses "+use)
			}
		}
	}
	return broken
}

// matches reports whether s is one of the patterns; "a/..." is a and all below it, "..." everything.
func matches(s string, patterns []string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		prefix, below := strings.CutSuffix(p, "...")
		return s == p || below && (s == strings.TrimSuffix(prefix, "/") || strings.HasPrefix(s, prefix))
	})
}

// golist runs go list, which copes with packages that do not compile (-e).
func golist(t *testing.T, args ...string) []byte {
	t.Helper()
	var stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"list", "-e"}, args...)...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s", cmd, err, stderr.String())
	}
	return out
}

// load returns the packages of this module, except those that help tests.
func load(t *testing.T) []pkg {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(golist(t, "-json=ImportPath,Name,Dir,GoFiles,CgoFiles,IgnoredGoFiles", "./...")))
	var pkgs []pkg
	for {
		var l struct {
			ImportPath, Name, Dir             string
			GoFiles, CgoFiles, IgnoredGoFiles []string
		}
		err := dec.Decode(&l)
		if errors.Is(err, io.EOF) {
			return pkgs
		}
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimPrefix(l.ImportPath, module)
		files := slices.Concat(l.GoFiles, l.CgoFiles, l.IgnoredGoFiles)
		files = slices.DeleteFunc(files, func(f string) bool { return strings.HasSuffix(f, "_test.go") })
		if len(files) == 0 || strings.HasSuffix(path.Base(name), "test") {
			continue // this test's own package, or a helper of tests
		}
		for i := range files {
			files[i] = filepath.Join(l.Dir, files[i])
		}
		pkgs = append(pkgs, pkg{name: name, main: l.Name == "main", uses: uses(t, files)})
	}
}

// uses returns what files import, and what they name of the standard library. A variable that shadows
// a package counts as the package.
func uses(t *testing.T, files []string) []string {
	t.Helper()
	found := map[string]bool{}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		imported := map[string]string{} // name in the file -> import path
		for _, spec := range file.Imports {
			target, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			found[target] = true
			local := path.Base(target)
			if spec.Name != nil {
				local = spec.Name.Name
			}
			if local == "." {
				found[target+".*"] = true
			}
			if standard(target) {
				imported[local] = target
			}
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok {
				if x, ok := s.X.(*ast.Ident); ok && imported[x.Name] != "" {
					found[fmt.Sprintf("%s.%s", imported[x.Name], s.Sel.Name)] = true
				}
			}
			return true
		})
	}
	return slices.Sorted(maps.Keys(found))
}

// standard reports whether an import path is of the standard library: only others have a host.
func standard(target string) bool {
	host, _, _ := strings.Cut(target, "/")
	return !strings.Contains(host, ".") && !strings.HasPrefix(target, module)
}
