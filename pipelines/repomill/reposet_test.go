package main_test

import (
	"encoding/json"
	"strings"
	"testing"

	"repomill/schemas/catalog"
	"repomill/testdata/debtest"
	"repomill/testdata/proctest"
	"repomill/testdata/rpmtest"
)

// An architecture that a repository has for nothing can be taken out of it again, and apt does not hear of it any more.
func TestRepoSetTakesArchitecturesOut(t *testing.T) {
	t.Parallel()
	s := shared(t)
	const jammy = "acme/arches/ubuntu/jammy"
	hello := newDEB(t, debtest.Spec{Arch: "riscv64"})
	s.publish(t, jammy, hello, newDEB(t, debtest.Spec{Name: "more"}))
	s.publish(t, "acme/arches/el/9", newRPM(t, rpmtest.Spec{}))
	set := func(args ...string) proctest.Answer {
		return repomill(t, append([]string{"repo", "set", "--data", s.data, "acme/arches"}, args...)...)
	}
	for _, tt := range []struct {
		name string
		args []string
		code int
		says string
	}{
		{"of what", []string{"--remove-arch", "riscv64"}, 2, "--distribution"},
		{"added and removed", []string{"--distribution", "ubuntu/jammy", "--arch", "ppc64el", "--remove-arch", "ppc64el"}, 2, "both name ppc64el"},
		{"with packages", []string{"--distribution", "ubuntu/jammy", "--remove-arch", "riscv64"}, 1, "it is in use: 1 package has it; withdraw what repomill ls lists of it first"},
		{"one of the distribution's own", []string{"--distribution", "el/9", "--remove-arch", "aarch64"}, 1, "every repository has it in el/9"},
		{"one that it does not have", []string{"--distribution", "ubuntu/jammy", "--remove-arch", "armhf"}, 0, ""},
		{"of a distribution that it does not have", []string{"--distribution", "debian/bookworm", "--remove-arch", "armhf"}, 1, "does not have distribution debian/bookworm"},
		{"another way to verify", []string{"--verify-payload", "often"}, 2, "--verify-payload"},
	} {
		if a := set(tt.args...); a.Code != tt.code || !strings.Contains(a.Stderr, tt.says) {
			t.Errorf("%s: %v, want code %d and %q", tt.name, a, tt.code, tt.says)
		}
	}
	if a := repomill(t, "yank", "--data", s.data, "--reason", "nobody has one", jammy, "hello=1.0"); a.Code != 0 {
		t.Fatal(a)
	}
	if a := set("--distribution", "ubuntu/jammy", "--remove-arch", "riscv64"); a.Code != 0 || strings.Contains(a.Stdout, "riscv64") {
		t.Errorf("without packages: %v", a)
	}
	s.publish(t, jammy, newDEB(t, debtest.Spec{Name: "next"}))
	if release := string(s.fetch(t, "acme/arches/ubuntu/dists/jammy/Release")); !strings.Contains(release, "\nArchitectures: all amd64 arm64\n") || strings.Contains(release, "riscv64") {
		t.Errorf("Release is\n%s", release)
	}
	if a := repomill(t, "unyank", "--data", s.data, jammy, "hello=1.0"); a.Code != 1 || !strings.Contains(a.Stderr, "repo set --arch") {
		t.Errorf("unyank: %v", a)
	}
}

// What a repository asks for is in its settings, and in the bucket's.
func TestRepoSetVerifiesPayloads(t *testing.T) {
	t.Parallel()
	s := shared(t)
	const jammy = "acme/verified/ubuntu/jammy"
	s.publish(t, jammy, newDEB(t, debtest.Spec{}))
	for _, tt := range []struct{ value, says string }{{"always", "payloads verified"}, {"default", "0 tokens\n"}} {
		if a := repomill(t, "repo", "set", "--data", s.data, "acme/verified", "--verify-payload", tt.value); a.Code != 0 || !strings.Contains(a.Stdout, tt.says) {
			t.Errorf("%s: %v", tt.value, a)
		}
	}
}

// The description of a repository is in its settings and in the bucket's, and in the list.
func TestRepoDescription(t *testing.T) {
	t.Parallel()
	s := shared(t)
	const name = "acme/described"
	if a := repomill(t, "repo", "create", "--data", s.data, name, "--description", "trials"); a.Code != 0 || !strings.Contains(a.Stdout, "\n  trials\n") {
		t.Fatalf("repo create: %v", a)
	}
	for _, tt := range []struct {
		text string
		code int
		says string
	}{
		{`<b>"größer" & 日本語</b>`, 0, "\n  <b>\"größer\" & 日本語</b>\n"},
		{"two\nlines", 2, `--description: description "two\nlines": use one line of printable UTF-8`},
		{strings.Repeat("x", 301), 2, "it has 301 characters; use at most 300"},
	} {
		a := repomill(t, "repo", "set", "--data", s.data, name, "--description", tt.text)
		if a.Code != tt.code || !strings.Contains(a.Stdout+a.Stderr, tt.says) {
			t.Errorf("--description %.20q: %v", tt.text, a)
		}
	}
	a := repomill(t, "repo", "list", "--data", s.data, "--json", name)
	var listed catalog.Settings
	if err := json.Unmarshal([]byte(a.Stdout), &listed); err != nil || listed.Description != `<b>"größer" & 日本語</b>` {
		t.Errorf("repo list --json: %v, %v", a, err)
	}
	if a := repomill(t, "repo", "set", "--data", s.data, name, "--description", ""); a.Code != 0 || strings.Count(a.Stdout, "\n") != 1 {
		t.Errorf("without a description: %v", a)
	}
	if a := repomill(t, "repo", "set", "--data", s.data, name, "--verify-payload", "always"); a.Code != 0 {
		t.Errorf("another setting: %v", a)
	}
}
