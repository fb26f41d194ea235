package check_test

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
	"time"

	"repomill/publish/check"
)

// What a client looks for is listed and there, or the harm is named.
func TestLookFor(t *testing.T) {
	debs := []check.Sought{
		{Component: "main", Name: "hello", Version: "2.10-3", Arch: "amd64"}, {Component: "main", Name: "hello-data", Version: "1:2.10+b1", Arch: "all"},
		{Component: "main", Name: "hello", Version: "9", Arch: "amd64"}, {Component: "none", Name: "hello", Version: "2.10-3", Arch: "amd64"},
		{Component: "main", Name: "hello", Version: "2.10-3", Arch: "s390x"},
	}
	rpms := []check.Sought{
		{Name: "hello", Version: "2.10-3.el9", Arch: "x86_64"}, {Name: "hello-data", Version: "1:2.10^git1-3", Arch: "noarch"}, {Name: "hello", Version: "9-1", Arch: "x86_64"},
	}
	const pool = aptBase + "/pool/jammy/main/h/hello-data/*"
	for _, tt := range []struct {
		fact, of string
		harm     func(m memTree, name string)
		fault    string // of the package file
		err      string
		is       error
	}{
		{fact: "a sound release", of: dist + "/InRelease"},
		{fact: "a sound RPM release", of: md},
		{fact: "a missing pointer", of: dist + "/InRelease", harm: memTree.gone, err: "InRelease", is: fs.ErrNotExist},
		{fact: "a pointer of a stranger", of: dist + "/InRelease", harm: func(m memTree, name string) { m[name] = must(stranger().Clear(m[dist+"/Release"], now)) }, err: "InRelease: ", is: check.ErrRefused},
		{fact: "a missing index", of: dist + "/main/binary-amd64/by-hash/SHA256/*", harm: func(m memTree, _ string) {
			for name := range m {
				if strings.HasPrefix(name, dist+"/main/binary-") && strings.Contains(name, "/by-hash/") {
					m.gone(name)
				}
			}
		}, err: "is missing", is: check.ErrRefused},
		{fact: "a missing package", of: pool, harm: memTree.gone, fault: "is missing"},
		{fact: "a missing repomd.xml", of: md, harm: memTree.gone, err: "repomd.xml", is: fs.ErrNotExist},
		{fact: "another repomd.xml than was signed", of: md, harm: memTree.bent, err: "repomd.xml: ", is: check.ErrRefused},
		{fact: "a wrong byte of primary", of: rpmBase + "/repodata/*-primary.xml.gz", harm: memTree.bent, err: "-primary.xml.gz", is: check.ErrRefused},
		{fact: "a missing RPM", of: rpmBase + "/e1/*", harm: memTree.gone, fault: "is missing"},
	} {
		t.Run(tt.fact, func(t *testing.T) {
			m, f, sought := newAptSource(t).publish(), debFound, debs
			if strings.HasPrefix(tt.of, rpmBase) {
				m, f, sought = newRPMSource(t).publish(), rpmFound, rpms
			}
			if tt.harm != nil {
				tt.harm(m, m.find(t, tt.of))
			}
			revision, looks, err := check.LookFor(t.Context(), m, f, keyring(t), sought, check.Options{Now: now, Settle: time.Millisecond})
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) || !errors.Is(err, tt.is) {
					t.Errorf("got %v, want %q, which is %v", err, tt.err, tt.is)
				}
				return
			}
			if err != nil || revision.Number != 7 {
				t.Fatalf("revision %v, %v", revision, err)
			}
			for i, look := range looks {
				if look.Listed != (i < 2) || look.Listed && (int(look.Size) != len(m[look.Key]) && tt.fault == "" || len(look.SHA256) != 64) {
					t.Errorf("%+v: %+v", sought[i], look)
				}
			}
			if got := looks[1].Fault; (got != nil) != (tt.fault != "") || got != nil && !strings.Contains(got.Error(), tt.fault) {
				t.Errorf("its file: %v, want %q", got, tt.fault)
			}
		})
	}
	if _, _, err := check.LookFor(t.Context(), failing{newAptSource(t).publish(), dist + "/InRelease"}, debFound, keyring(t), debs, opt); err == nil || errors.Is(err, check.ErrRefused) || !strings.Contains(err.Error(), "the CDN is away") {
		t.Errorf("a CDN that is away: %v", err)
	}
}
