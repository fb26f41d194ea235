package publish_test

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"repomill/publish"
	"repomill/publish/publishtest"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
	"repomill/testdata/debtest"
	"repomill/testdata/rpmtest"
)

// debs are several versions, an architecture "all", an epoch and two components.
func debs(w *world) []upload {
	w.declare(jammy, "contrib")
	return []upload{
		w.deb(jammy, "main", debtest.Spec{Name: "hello", Version: "1.0", Arch: "amd64"}),
		w.deb(jammy, "main", debtest.Spec{Name: "hello", Version: "1.0~rc1", Arch: "amd64"}),
		w.deb(jammy, "main", debtest.Spec{Name: "hello", Version: "1.10", Arch: "amd64", Fields: []string{"Depends: libc6 (>= 2.35)"}}),
		w.deb(jammy, "main", debtest.Spec{Name: "hello", Version: "1.9", Arch: "arm64"}),
		w.deb(jammy, "main", debtest.Spec{Name: "libhello-data", Version: "1:2.0-1", Arch: "all"}),
		w.deb(jammy, "contrib", debtest.Spec{Name: "extra", Version: "0.1", Arch: "all", Fields: []string{"Section: contrib/utils"}}),
	}
}

// rpms are several versions, noarch, source and an epoch.
func rpms(w *world) []upload {
	return []upload{
		w.rpm(el9, rpmtest.Spec{Name: "hello", Version: "1.0", Release: "1.el9", Files: map[string]string{"/usr/bin/hello": "hello"}}),
		w.rpm(el9, rpmtest.Spec{Name: "hello", Version: "1.10", Release: "1.el9", Requires: []string{"bash >= 4.0"}}),
		w.rpm(el9, rpmtest.Spec{Name: "hello", Version: "1.9", Release: "1.el9", Arch: "aarch64"}),
		w.rpm(el9, rpmtest.Spec{Name: "hello-data", Epoch: 1, Version: "2.0", Release: "1", Arch: "noarch"}),
		w.rpm(el9, rpmtest.Spec{Name: "hello", Version: "1.10", Release: "1.el9", Source: true}),
	}
}

func TestDEBRelease(t *testing.T) {
	w := newWorld(t)
	w.push(debs(w)...)
	res := w.publish(jammy)
	want := publish.Result{Release: jammy, Revision: w.state(jammy).Revision, Changed: true, Packages: 6}
	if diff := cmp.Diff(want, res); diff != "" {
		t.Errorf("result (-want +got):\n%s", diff)
	}
	if got := w.check(jammy); !got.Date.Equal(publishtest.Start) || got.Indexes != 16 {
		t.Errorf("read %+v, want 16 indexes of %v", got, publishtest.Start)
	}
}

func TestRPMRelease(t *testing.T) {
	w := newWorld(t)
	w.push(rpms(w)...)
	for arch, packages := range map[string]int{"x86_64": 3, "aarch64": 2, "SRPMS": 1} {
		r := in(el9, arch)
		res := w.publish(r)
		want := publish.Result{Release: r, Revision: w.state(r).Revision, Changed: true, Packages: packages}
		if diff := cmp.Diff(want, res); diff != "" {
			t.Errorf("result (-want +got):\n%s", diff)
		}
		w.check(r)
	}
}

// A release exists from its declaration, empty but valid.
func TestEmptyRelease(t *testing.T) {
	w := newWorld(t)
	for _, r := range []catalog.Release{jammy, el9, in(el9, "SRPMS")} {
		w.publish(r)
		if got := w.check(r); got.Packages != 0 {
			t.Errorf("%s: got %+v", r, got)
		}
	}
}

func TestGpgvReads(t *testing.T) {
	for _, program := range []string{"gpg", "gpgv"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip("no " + program + " on this machine")
		}
	}
	w := newWorld(t)
	w.publish(jammy)
	w.publish(el9)
	dir := t.TempDir()
	file := func(key string) string {
		name := filepath.Join(dir, filepath.Base(key))
		if err := os.WriteFile(name, w.bucket.Bytes(key), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	run := func(program string, args ...string) {
		if out, err := exec.Command(program, args...).CombinedOutput(); err != nil {
			t.Errorf("%s %v: %v\n%s", program, args, err, out)
		}
	}
	ring := filepath.Join(dir, "keyring.gpg")
	run("gpg", "--homedir", dir, "--batch", "--output", ring, "--dearmor", file(layout.GPGKeyKey(tools)))
	dists, repodata := layout.DebDir(jammy), layout.RPMDir(el9)+"/repodata"
	run("gpgv", "--keyring", ring, file(dists+"/InRelease"))
	run("gpgv", "--keyring", ring, file(dists+"/Release.gpg"), file(dists+"/Release"))
	run("gpgv", "--keyring", ring, file(repodata+"/repomd.xml.asc"), file(repodata+"/repomd.xml"))
}

// Neither the order of arrival nor the number of publishes on the way is in the indexes.
func TestEqualRowsGiveEqualIndexes(t *testing.T) {
	for _, r := range []catalog.Release{jammy, el9} {
		var want []string
		for range 4 {
			simulate(t, func(t *testing.T, w *world) {
				uploads := append(debs(w), rpms(w)...)
				rand.Shuffle(len(uploads), func(i, j int) { uploads[i], uploads[j] = uploads[j], uploads[i] })
				for len(uploads) > 0 {
					n := 1 + rand.IntN(len(uploads))
					w.push(uploads[:n]...)
					if uploads = uploads[n:]; rand.IntN(2) == 0 {
						w.publish(r)
					}
				}
				w.publish(r)
				got := listed(w, r)
				if want == nil {
					want = got
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%s: indexes (-first order +this order):\n%s", r, diff)
				}
			})
		}
	}
}

// listed returns the names of the indexes that a release's newest manifest has.
func listed(w *world, r catalog.Release) []string {
	var names []string
	for _, x := range newestManifest(w, r).Indexes {
		names = append(names, x.Key)
	}
	return names
}

func TestNothingChangedWritesNothing(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		w.push(append(debs(w), rpms(w)...)...)
		for _, r := range []catalog.Release{jammy, el9, in(el9, "SRPMS")} {
			w.publish(r)
			w.bucket.Writes()
			for name, run := range map[string]func(catalog.Release) publish.Result{"Release": w.publish, "Repair": w.repair} {
				res := run(r)
				w.checkSilent(name + " again")
				if want := (publish.Result{Release: r, Revision: w.state(r).Revision}); res != want {
					t.Errorf("%s again: got %+v, want %+v", name, res, want)
				}
			}
		}
	})
}
