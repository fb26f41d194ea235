package soak_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"repomill/schemas/catalog"
	"repomill/testdata/debtest"
)

// A pusher pushes packages, and what is none, at random.
type pusher struct {
	*soaking
	rand  *rand.Rand
	n     int // things that were pushed
	moved chan struct{}
}

// The verdicts that uploads must have.
const (
	published = string(catalog.Published)
	duplicate = string(catalog.Duplicate)
	rejected  = string(catalog.Rejected) + " "
)

// run pushes until ctx ends.
func (p *pusher) run(ctx context.Context) error {
	if err := p.fresh(ctx, "new, several at once", 8); err != nil {
		return err
	}
	for ctx.Err() == nil {
		if !p.quiet.Load() && len(p.ledger.waiting()) < p.site.backlog {
			if err := p.push(ctx); err != nil {
				return err
			}
		}
		pause(ctx, time.Duration(30+p.rand.IntN(350))*time.Millisecond)
	}
	return nil
}

// pause waits for a while, or until ctx ends.
func pause(ctx context.Context, length time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(length):
	}
}

// push does one thing.
func (p *pusher) push(ctx context.Context) error {
	defer func() {
		select { // report that something begins, to a killer that waits for it
		case p.moved <- struct{}{}:
		default:
		}
	}()
	switch n := p.rand.IntN(100); {
	case n < 50:
		return p.fresh(ctx, "new", 1)
	case n < 60:
		return p.fresh(ctx, "new, several at once", 2+p.rand.IntN(5))
	case n < 68:
		return p.again(ctx)
	case n < 75:
		return p.garbage(ctx)
	case n < 82:
		return p.conflict(ctx)
	case n < 88:
		return p.overwritten(ctx)
	case n < 92:
		return p.twins(ctx, "twin with other bytes", rejected+"conflict")
	case n < 96:
		return p.twins(ctx, "twin with the same bytes", duplicate)
	default:
		return p.withdrawn(ctx)
	}
}

// first pushes one package to each release.
func (p *pusher) first(ctx context.Context) error {
	for _, at := range [][2]string{{"ubuntu/jammy", "amd64"}, {"ubuntu/noble", "amd64"}, {"el/9", "x86_64"}, {"el/9", "aarch64"}, {"el/9", "src"}} {
		k, object := p.identity(at[0], "", at[1])
		if err := p.put(ctx, &upload{kind: "first", pkg: k, body: p.build(k), want: []string{published}}, object); err != nil {
			return err
		}
	}
	return nil
}

// put stages one upload.
func (p *pusher) put(ctx context.Context, u *upload, object string) error {
	var err error
	u.pushed, u.kills, u.sha256 = time.Now(), int(p.kills.Load()), digest(u.body)
	u.Upload, err = p.site.staging.Put(context.WithoutCancel(ctx), object, bytes.NewReader(u.body), catalog.Pusher{User: "soak"})
	if err == nil {
		p.ledger.note(u)
	}
	return err
}

// fresh pushes new packages.
func (p *pusher) fresh(ctx context.Context, kind string, n int) error {
	for range n {
		k, object := p.make()
		if err := p.put(ctx, &upload{kind: kind, pkg: k, body: p.build(k), want: []string{published}}, object); err != nil {
			return err
		}
	}
	return nil
}

// old takes a package that is out, or was withdrawn, and returns a new staging key for it and its bytes.
func (p *pusher) old(withdrawn bool) (k *pkg, object string, body []byte) {
	k = p.ledger.pick(p.rand.IntN, func(k *pkg) bool {
		body = k.bytes[k.sha256]
		return k.withdrawn() == withdrawn && body != nil
	})
	if k == nil {
		return nil, "", nil
	}
	p.n++
	ext := ".deb"
	if strings.HasPrefix(k.dist, "el/") {
		ext = ".rpm"
	}
	return k, fmt.Sprintf("acme/tools/%s/%sagain-%d%s", k.dist, k.component, p.n, ext), body
}

// again pushes the bytes of a package that is out once more, sometimes under the same staging key.
func (p *pusher) again(ctx context.Context) error {
	k, object, body := p.old(false)
	if k == nil {
		return p.fresh(ctx, "new", 1)
	}
	kind, was := "the same bytes again", p.uploadOf(k)
	if was != nil && p.rand.IntN(2) == 0 {
		kind, object = "removed from staging and pushed again", was.Object
		if err := p.site.staging.Delete(ctx, was.Upload); err != nil {
			return err
		}
		p.ledger.change(func() { was.overwritten = true })
	}
	return p.put(ctx, &upload{kind: kind, pkg: k, body: body, want: []string{duplicate}}, object)
}

// uploadOf returns the upload with which a package was published.
func (p *pusher) uploadOf(k *pkg) *upload {
	p.ledger.mu.Lock()
	defer p.ledger.mu.Unlock()
	for _, u := range p.ledger.uploads {
		if u.pkg == k && u.ended == published && !u.overwritten {
			return u
		}
	}
	return nil
}

// conflict pushes other bytes for a package that is out.
func (p *pusher) conflict(ctx context.Context) error {
	k, object, _ := p.old(false)
	if k == nil {
		return p.fresh(ctx, "new", 1)
	}
	body := p.build(k)
	return p.put(ctx, &upload{kind: "other bytes", pkg: k, body: body, want: []string{rejected + "conflict"}}, object)
}

// withdrawn pushes a package that is withdrawn.
func (p *pusher) withdrawn(ctx context.Context) error {
	k, object, body := p.old(true)
	if k == nil {
		return p.fresh(ctx, "new", 1)
	}
	return p.put(ctx, &upload{kind: "withdrawn", pkg: k, body: body, want: []string{rejected + "yanked"}}, object)
}

// garbage pushes files that are not packages.
func (p *pusher) garbage(ctx context.Context) error {
	p.n++
	name := fmt.Sprintf("garbage-%d", p.n)
	whole := debtest.Build(p.site.t, debtest.Spec{Name: name, Version: "1", Size: 20_000})
	type thing struct {
		object string
		body   []byte
		want   []string
	}
	g := []thing{
		{"ubuntu/jammy/" + name + ".deb", []byte("this is no package: " + name), []string{rejected + "not-a-package", rejected + "truncated"}},
		{"ubuntu/jammy/" + name + ".deb", nil, []string{rejected + "empty"}},
		{"ubuntu/jammy/" + name + ".deb", whole[:15_000], []string{rejected + "truncated", rejected + "malformed"}},
		{"el/9/" + name + ".rpm", whole, []string{rejected + "wrong-format", rejected + "not-a-package"}},
		{"ubuntu/jamy/" + name + ".deb", whole, []string{rejected + "unknown-distribution"}},
	}[p.rand.IntN(5)]
	return p.put(ctx, &upload{kind: "garbage", body: g.body, want: g.want}, "acme/tools/"+g.object)
}

// overwritten pushes a package, and another one over it, sometimes while the first is read. The first is
// published or not, but whole.
func (p *pusher) overwritten(ctx context.Context) error {
	first, object := p.make()
	over := &upload{kind: "overwritten", pkg: first, body: p.build(first), want: []string{published, rejected + "replaced"}, overwritten: true}
	second := &pkg{dist: first.dist, component: first.component, name: first.name, version: "9." + first.version, arch: first.arch, busy: true, bytes: map[string][]byte{}}
	second.releases = releasesOf(second)
	p.ledger.declare(second)
	next := &upload{kind: "over another", pkg: second, body: p.build(second), want: []string{published}}
	if err := p.put(ctx, over, object); err != nil {
		return err
	}
	pause(ctx, time.Duration(p.rand.IntN(150))*time.Millisecond)
	return p.put(ctx, next, object)
}

// twins pushes two files with one identity at a time. One is published, the other one is not.
func (p *pusher) twins(ctx context.Context, kind, loser string) error {
	k, object := p.make()
	body, g := p.build(k), &group{}
	for i := range 2 {
		if i == 1 && loser != duplicate {
			body = p.build(k)
		}
		g.members = append(g.members, &upload{kind: kind, pkg: k, body: body, group: g, want: []string{published, loser}})
	}
	for i, u := range g.members {
		if err := p.put(ctx, u, strings.Replace(object, k.name, fmt.Sprintf("twin%d-%s", i, k.name), 1)); err != nil {
			return err
		}
	}
	return nil
}
