package catalogdb_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var writesRows = regexp.MustCompile(`^\s*(INSERT|UPDATE|DELETE|REPLACE) `)

// engine are the files below all others, whose methods have names that many types have.
var engine = []string{"db.go", "tx.go", "group.go", "sqlite.go", "sqlitedriver.go", "nosqlite.go", "mysql.go", "mysqlurl.go", "migrate.go", "fragment.go"}

// notRecorded are the methods that write rows which are no change of state for people, and so have no entry in the audit log: what workers do to
// carry out what was recorded, leases, figures, and what is read from the bucket.
var notRecorded = strings.Fields(`
	AskReindexOfRendered CacheSecret EndLeases EndPages EndReindex EndRetention FailContents ForgetContents GiveUp HeldVerdictsWritten
	LockRelease LogFilesSeen PassRecovery PruneStatistics Publish PublishSettings PutContents RaiseGeneration RecordGivenKeys
	RecordPusher RecordReleaseFault RecordSignedBy RecordTrainFault RecordUploadFault Reject Renew RenewPages RenewReindex
	RenewReindexes Return ReturnContents ReturnPages ReturnReindex ReturnRemoval SeeWorker SnapshotFailed SnapshotGone SnapshotMade
	SnapshotsSigned TakePages TakeReindex TakeRetention UnlockRelease Unstaged UseAPIToken UseIDToken VerdictsWritten
	WantSkippedContents
`)

// Every method that changes rows adds to the audit log what it does, in whichever command or call of the API it is used, or is named here.
func TestL6EveryWriteIsRecordedOrNamed(t *testing.T) {
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	type function struct {
		calls           map[string]bool
		writes, records bool
	}
	all, exported := map[string]*function{}, []string{}
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), ".go") || strings.HasSuffix(f.Name(), "_test.go") || slices.Contains(engine, f.Name()) {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), f.Name(), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range parsed.Decls {
			decl, ok := d.(*ast.FuncDecl)
			if !ok || decl.Body == nil {
				continue
			}
			name := decl.Name.Name
			if decl.Recv != nil {
				name = "." + name // methods of one name are one here
			}
			if all[name] == nil {
				all[name] = &function{calls: map[string]bool{}}
			}
			fn := all[name]
			if decl.Recv != nil && decl.Name.IsExported() {
				if star, ok := decl.Recv.List[0].Type.(*ast.StarExpr); ok && star.X.(*ast.Ident).Name == "DB" {
					exported = append(exported, name)
				}
			}
			ast.Inspect(decl.Body, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.BasicLit:
					fn.writes = fn.writes || n.Kind == token.STRING && writesRows.MatchString(strings.Trim(n.Value, "`\""))
				case *ast.Ident: // also of functions that are passed on
					fn.calls[n.Name] = true
					fn.records = fn.records || n.Name == "record" || n.Name == "recordNow"
				case *ast.SelectorExpr:
					fn.calls["."+n.Sel.Name] = true
				}
				return true
			})
		}
	}
	var reach func(name string, seen map[string]bool) (writes, records bool)
	reach = func(name string, seen map[string]bool) (writes, records bool) {
		fn := all[name]
		if fn == nil || seen[name] || name == "record" || name == ".recordNow" {
			return false, false
		}
		seen[name] = true
		writes, records = fn.writes, fn.records
		for _, called := range slices.Sorted(maps.Keys(fn.calls)) {
			w, r := reach(called, seen)
			writes, records = writes || w, records || r
		}
		return writes, records
	}
	var got []string
	for _, name := range exported {
		if writes, records := reach(name, map[string]bool{}); writes && !records {
			got = append(got, strings.TrimPrefix(name, "."))
		}
	}
	slices.Sort(got)
	want := slices.Sorted(slices.Values(notRecorded))
	for _, name := range slices.Compact(got) {
		if !slices.Contains(want, name) {
			t.Errorf("%s changes rows, and adds nothing to the audit log: have it record what it changes, or name it in notRecorded", name)
		}
	}
}
