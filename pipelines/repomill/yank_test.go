package main_test

import (
	"testing"

	"repomill/testdata/debtest"
	"repomill/testdata/rpmtest"
)

// A package that is asked for in another place, architecture or version than it has is answered with what to type.
func TestYankSaysWhatThereIs(t *testing.T) {
	t.Parallel()
	s := shared(t)
	const jammy, el9 = "acme/yanking/ubuntu/jammy", "acme/yanking/el/9"
	s.publish(t, jammy, newDEB(t, debtest.Spec{Arch: "all"}))
	s.publish(t, el9, newRPM(t, rpmtest.Spec{Arch: "noarch"}))
	for _, tt := range []struct {
		fact string
		args []string
		says string
	}{
		{"a noarch package by an architecture", []string{el9, "hello=1.0-1", "--arch", "x86_64"},
			"there is no hello 1.0-1 for x86_64 in " + el9 + "; it is there as noarch: use " + el9 + " hello=1.0-1 --arch noarch"},
		{"an architecture in the target", []string{el9 + "/x86_64", "hello=1.0-1"},
			el9 + "/x86_64 names an architecture in the target, where yank takes none; hello 1.0-1 is there as noarch: use " + el9 + " hello=1.0-1 --arch noarch"},
		{"a package of all by an architecture", []string{jammy, "hello=1.0", "--arch", "amd64"},
			"there is no hello 1.0 for amd64 in " + jammy + "; it is there as all: use " + jammy + " hello=1.0 --arch all"},
		{"another component", []string{jammy + "/contrib", "hello=1.0"},
			"there is no hello 1.0 in " + jammy + "/contrib; it is in component main: use " + jammy + "/main hello=1.0"},
		{"another version", []string{jammy, "hello=2.0"}, "there is no hello 2.0 in " + jammy + "; it has version 1.0"},
		{"another name", []string{jammy, "helo=1.0"}, "there is no helo in " + jammy + "; did you mean hello?"},
		{"another distribution", []string{"acme/yanking/el/8", "hello=1.0-1"}, "there is no acme/yanking/el/8; did you mean " + el9 + "?"},
	} {
		for _, command := range [][]string{{"yank", "--reason", "x"}, {"unyank"}} {
			args := append(append(command, "--data", s.data), tt.args...)
			if a := repomill(t, args...); a.Code != 1 || a.Stderr != "repomill: "+tt.says+"\n" {
				t.Errorf("%s, %s: got %v, want %q", tt.fact, command[0], a, tt.says)
			}
		}
	}
}

// What is so already is not said to have been done.
func TestUnyankOfWhatIsThere(t *testing.T) {
	t.Parallel()
	s := shared(t)
	const jammy = "acme/unyanking/ubuntu/jammy"
	s.publish(t, jammy, newDEB(t, debtest.Spec{}))
	for _, tt := range []struct{ command, says string }{
		{"unyank", "was not yanked: hello 1.0 all in acme/unyanking ubuntu/jammy\n"},
		{"yank", "yanked: hello 1.0 all from acme/unyanking ubuntu/jammy\n"},
		{"unyank", "unyanked: hello 1.0 all in acme/unyanking ubuntu/jammy\n"},
		{"unyank", "was not yanked: hello 1.0 all in acme/unyanking ubuntu/jammy\n"},
	} {
		args := []string{tt.command, "--data", s.data, jammy, "hello=1.0"}
		if tt.command == "yank" {
			args = append(args, "--reason", "x")
		}
		if a := repomill(t, args...); a.Code != 0 || a.Stdout != tt.says {
			t.Errorf("%s: got %v, want %q", tt.command, a, tt.says)
		}
	}
}
