package rpm_test

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"repomill/ingest/rpm"
	"repomill/schemas/catalog"
	"repomill/testdata/rpmtest"
)

func identity(t *testing.T, b []byte) catalog.Package {
	t.Helper()
	p, err := rpm.Peek(bytes.NewReader(b))
	if err != nil {
		t.Fatalf("peek: %v", err)
	}
	return p.Identity()
}

func TestIdentity(t *testing.T) {
	of := func(version, canonical, arch string) catalog.Package {
		return catalog.Package{Format: catalog.RPM, Name: "forged", Version: version, Canonical: canonical, Arch: arch}
	}
	tests := []struct {
		name string
		pkg  []byte
		want catalog.Package
	}{
		{"no epoch is epoch 0 of the canonical version", forge().bytes(), of("1.0-1", "0:1.0-1", "x86_64")},
		{"an epoch of 0 is not in the version", forge().set(int32s(1003, 0)).bytes(), of("1.0-1", "0:1.0-1", "x86_64")},
		{"another epoch is", forge().set(int32s(1003, 1<<32-1)).bytes(), of("4294967295:1.0-1", "4294967295:1.0-1", "x86_64")},
		{"'~', '^' and '+' stay", forge().set(str(1001, "1~rc1^git"), str(1002, "1+b")).bytes(), of("1~rc1^git-1+b", "0:1~rc1^git-1+b", "x86_64")},
		{"a source package is src", forge().drop(1044).set(int32s(1106, 1)).bytes(), of("1.0-1", "0:1.0-1", "src")},
		{"a package with both source tags is src", forge().set(int32s(1106, 1)).bytes(), of("1.0-1", "0:1.0-1", "src")},
		{"SOURCEPACKAGE 0 is a binary package", forge().drop(1044).set(int32s(1106, 0)).bytes(), of("1.0-1", "0:1.0-1", "x86_64")},
		{"neither source tag, paths: binary", forge().drop(1044).bytes(), of("1.0-1", "0:1.0-1", "x86_64")},
		{"neither source tag, no folder: source", forge().drop(1044).set(strs(1118, ""), int32s(1116, 0, 0)).bytes(), of("1.0-1", "0:1.0-1", "src")},
		{"rpm 6", v6().bytes(), of("1.0-1", "0:1.0-1", "x86_64")},
		{"noarch", forge().set(str(1022, "noarch")).bytes(), of("1.0-1", "0:1.0-1", "noarch")},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := identity(t, test.pkg)
			if diff := cmp.Diff(test.want, got, cmpopts.IgnoreFields(catalog.Package{}, "SortKey")); diff != "" {
				t.Errorf("identity (-want +got):\n%s", diff)
			}
		})
	}
}

func TestIdentityOfGeneratedPackage(t *testing.T) {
	got := identity(t, rpmtest.Build(t, rpmtest.Spec{Name: "lib+x", Epoch: 7, Version: "2", Release: "3.el9", Arch: "aarch64"}))
	want := catalog.Package{Format: catalog.RPM, Name: "lib+x", Version: "7:2-3.el9", Canonical: "7:2-3.el9", Arch: "aarch64"}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(catalog.Package{}, "SortKey")); diff != "" {
		t.Errorf("identity (-want +got):\n%s", diff)
	}
}

// A signature header may have entries after its region, from an rpm that added a signature in that
// way, and the region's trailer may be called by its old name.
func TestOldSignatureHeaders(t *testing.T) {
	f := forge()
	f.signed = func(h *forgedHeader) {
		offset := uint32(len(h.data))
		h.data = append(h.data, "late"...)
		h.entries = append(h.entries, forgedEntry{1005, 7, offset, 4})
		h.data[offset-16+3] = 61
	}
	identity(t, f.bytes())
}
