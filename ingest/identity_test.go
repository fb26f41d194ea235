package ingest_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"repomill/schemas/catalog"
	"repomill/testdata/debtest"
	"repomill/testdata/rpmtest"
)

// The same bytes, under any file name, are the package that is there.
func TestSameBytes(t *testing.T) {
	for _, tt := range []struct {
		name, object, again string
		body                []byte
	}{
		{"DEB", debObject, "acme/tools/ubuntu/jammy/main/copy.deb", hello(t)},
		{"RPM", rpmObject, "acme/tools/el/9/copy.rpm", rpmtest.Build(t, rpmtest.Spec{})},
		{"noarch RPM", rpmObject, "acme/tools/el/9/copy.rpm", rpmtest.Build(t, rpmtest.Spec{Arch: "noarch"})},
	} {
		for _, state := range []catalog.PackageState{catalog.Claimed, catalog.Active} {
			t.Run(fmt.Sprintf("%s, %s", tt.name, state), func(t *testing.T) {
				s := newSite(t)
				u := s.put(tt.object, tt.body)
				first := s.store(u)
				if state == catalog.Active {
					if err := s.activate(u, first); err != nil {
						t.Fatal(err)
					}
				}
				row, objects, revisions := s.row(first.Package), s.visible(), s.revisions()
				second := s.store(s.put(tt.again, tt.body))
				if second.Package.Key != first.Package.Key || second.Package.File != first.Package.File || !slices.Equal(second.Dirs, first.Dirs) {
					t.Errorf("first %+v, then %+v", first, second)
				}
				if diff := cmp.Diff(row, s.row(second.Package)); diff != "" {
					t.Errorf("row (-before +after):\n%s", diff)
				}
				if diff := cmp.Diff(objects, s.visible()); diff != "" {
					t.Errorf("bucket (-before +after):\n%s", diff)
				}
				if diff := cmp.Diff(revisions, s.revisions()); diff != "" {
					t.Errorf("revisions (-before +after):\n%s", diff)
				}
			})
		}
	}
}

// A name, version and architecture keep their bytes in all components of a distribution, from the claim on. They may have
// others elsewhere.
func TestI04IdentityIsTaken(t *testing.T) {
	deb, otherDeb := hello(t), debtest.Build(t, debtest.Spec{Arch: "amd64", Seed: 1, Size: 10})
	rpm, otherRPM := rpmtest.Build(t, rpmtest.Spec{}), rpmtest.Build(t, rpmtest.Spec{Summary: "Another"})
	for _, tt := range []struct {
		name   string
		first  []byte
		object string
		second []byte
		reason catalog.Reason // none if it is welcome
		detail []string
	}{
		{"other bytes of a DEB", deb, debObject, otherDeb, catalog.Conflict, []string{sha256Of(deb), sha256Of(otherDeb), "raise the version"}},
		{"other bytes of an RPM", rpm, rpmObject, otherRPM, catalog.Conflict, []string{sha256Of(rpm), sha256Of(otherRPM), "raise the version"}},
		{"other bytes in another component", deb, "acme/tools/ubuntu/jammy/contrib/hello.deb", otherDeb, catalog.Conflict, []string{sha256Of(deb), sha256Of(otherDeb), "component main"}},
		{"an equal version written otherwise", deb, debObject, debtest.Build(t, debtest.Spec{Arch: "amd64", Version: "1.00"}), catalog.Conflict, []string{"hello 1.0 amd64"}},
		{"the same bytes in another component", deb, "acme/tools/ubuntu/jammy/contrib/hello.deb", deb, "", nil},
		{"another architecture", deb, debObject, debtest.Build(t, debtest.Spec{Arch: "arm64"}), "", nil},
		{"another version", rpm, rpmObject, rpmtest.Build(t, rpmtest.Spec{Version: "1.1"}), "", nil},
		{"another distribution", deb, "acme/tools/ubuntu/noble/hello.deb", otherDeb, "", nil},
		{"another repository", deb, "acme/other/ubuntu/jammy/hello.deb", otherDeb, "", nil},
	} {
		for _, state := range []catalog.PackageState{catalog.Claimed, catalog.Active} {
			t.Run(fmt.Sprintf("%s, %s", tt.name, state), func(t *testing.T) {
				s := newSite(t)
				s.Create = true
				object := debObject
				if tt.first[0] != '!' {
					object = rpmObject
				}
				u := s.put(object, tt.first)
				first := s.store(u)
				if state == catalog.Active {
					if err := s.activate(u, first); err != nil {
						t.Fatal(err)
					}
				}
				row, objects, revisions := s.row(first.Package), s.visible(), s.revisions()
				_, err := s.Store(t.Context(), s.put(tt.object, tt.second))
				if tt.reason == "" {
					if err != nil {
						t.Error(err)
					}
					return
				}
				wantRejection(t, err, tt.reason, tt.detail...)
				if diff := cmp.Diff(row, s.row(first.Package)); diff != "" {
					t.Errorf("row (-before +after):\n%s", diff)
				}
				if diff := cmp.Diff(objects, s.visible()); diff != "" {
					t.Errorf("bucket (-before +after):\n%s", diff)
				}
				if diff := cmp.Diff(revisions, s.revisions()); diff != "" {
					t.Errorf("revisions, as of new components (-before +after):\n%s", diff)
				}
			})
		}
	}
}

// The pusher of a package is kept, and named in the rejection of other bytes with its identity.
func TestPusherIsNamed(t *testing.T) {
	for _, tt := range []struct {
		name string
		by   catalog.Pusher
		want string
	}{
		{"unknown", catalog.Pusher{}, "with other bytes: sha256"},
		{"a user in a job", catalog.Pusher{User: "release-bot", Job: "https://ci.example.com/1"}, `(pushed by "release-bot" in job "https://ci.example.com/1")`},
		{"a user", catalog.Pusher{User: "release-bot"}, `(pushed by "release-bot")`},
		{"a job", catalog.Pusher{Job: "https://ci.example.com/1"}, `(pushed in job "https://ci.example.com/1")`},
		{"a user with a strange name", catalog.Pusher{User: "a\n\x1b\"b"}, `by "a\n\x1b\"b"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSite(t)
			s.Staging = pushed{s.staging, tt.by}
			u := s.put(debObject, hello(t))
			first := s.store(u)
			if diff := cmp.Diff(tt.by, first.Package.Pusher); diff != "" {
				t.Errorf("pusher of what was stored (-want +got):\n%s", diff)
			}
			if got := s.row(first.Package).Pusher; got != tt.by {
				t.Errorf("the row has pusher %+v, want %+v", got, tt.by)
			}
			if err := s.activate(u, first); err != nil {
				t.Fatal(err)
			}
			s.Staging = pushed{s.staging, catalog.Pusher{User: "the second one"}}
			_, err := s.Store(t.Context(), s.put(debObject, debtest.Build(t, debtest.Spec{Arch: "amd64", Seed: 1, Size: 10})))
			wantRejection(t, err, catalog.Conflict, tt.want)
		})
	}
}

// Of several files that want one identity at the same time one gets it, and its bytes are whole.
func TestRaceForAnIdentity(t *testing.T) {
	s := newSite(t)
	s.Bucket, s.Catalog = s.bucket.Bucket, s.db.DB
	const rivals = 6
	digests, errs := make([]string, rivals), make([]error, rivals)
	var all sync.WaitGroup
	for i := range rivals {
		body := debtest.Build(t, debtest.Spec{Arch: "amd64", Size: 100_000, Seed: uint64(i / 2)}) // pairs of the same bytes
		digests[i] = sha256Of(body)
		u := s.put(fmt.Sprintf("acme/tools/ubuntu/jammy/%d.deb", i), body)
		all.Go(func() { _, errs[i] = s.Store(t.Context(), u) })
	}
	all.Wait()
	objects := s.visible()
	if len(objects) != 1 || objects[debKey] == "" {
		t.Fatalf("the bucket has %d objects, want %s alone", len(objects), debKey)
	}
	winner := sha256Of([]byte(objects[debKey]))
	for i, err := range errs {
		rej, rejected := errors.AsType[*catalog.Rejection](err)
		switch {
		case digests[i] == winner && err != nil:
			t.Errorf("%d has the winner's bytes: %v", i, err)
		case digests[i] != winner && (!rejected || rej.Reason != catalog.Conflict):
			t.Errorf("%d has other bytes: got %v, want a conflict", i, err)
		}
	}
}
