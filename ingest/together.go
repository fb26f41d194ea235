package ingest

import (
	"context"
	"errors"
	"sync"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

// Together stores the uploads of a batch. It asks the catalog once for what several of them ask at the same time: the questions of the
// uploads that are being stored wait for each other, unless one of them takes long. An upload that is alone in its batch waits for none.
// Methods may be called concurrently.
type Together struct {
	*Ingester
	slots int // as many uploads are stored at a time, at most

	mu      sync.Mutex
	left    int         // uploads that are not finished
	waiting int         // of them, those that wait until others are finished
	asked   []*question // that wait to be put
	put     int         // questions that are being answered
	overdue *time.Timer // of those that wait; nil if none does
}

// gatherTime is how long a question waits for those of other uploads of its batch.
var gatherTime = 20 * time.Millisecond

// A question is one that an upload has for the catalog: whether a row has the identity of a package, or a claim.
type question struct {
	ctx   context.Context
	find  catalog.Package
	claim *catalogdb.NewClaim
	done  chan struct{} // closed when the rest is set

	alone   bool // it was not answered: it is to be asked alone
	found   *catalog.Package
	claimed bool
}

// Together returns what stores so many uploads of one batch, slots at a time. Call [Together.Finished] for each.
func (g *Ingester) Together(uploads, slots int) *Together {
	return &Together{Ingester: g, slots: slots, left: uploads}
}

// Finished says that an upload is stored or given up: others do not wait for it any more.
func (t *Together) Finished() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.left--
	if all := t.complete(); len(all) > 0 {
		go t.answer(all)
	}
}

// Waits says that n uploads more, or less, wait for room that others have: their questions are not waited for.
func (t *Together) Waits(n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.waiting += n
	if all := t.complete(); len(all) > 0 {
		go t.answer(all)
	}
}

// find is [catalogdb.DB.Find].
func (t *Together) find(ctx context.Context, k catalog.Package) (catalog.Package, error) {
	if k.Variant == "" && t.several() {
		q := t.ask(&question{ctx: ctx, find: k, done: make(chan struct{})})
		switch {
		case q.alone:
		case q.found != nil:
			return *q.found, nil
		default:
			return k, catalogdb.ErrNotFound
		}
	}
	return t.Catalog.Find(ctx, k)
}

// claim is [catalogdb.DB.Claim].
func (t *Together) claim(ctx context.Context, k catalog.Package, u catalog.Upload) (holder catalog.Package, claimed bool, err error) {
	if k.Variant == "" && t.several() {
		c, err := catalogdb.MakeClaim(k, u)
		if err != nil {
			return k, false, err
		}
		if q := t.ask(&question{ctx: ctx, claim: &c, done: make(chan struct{})}); q.claimed {
			return k, true, nil
		}
	}
	return t.Catalog.Claim(ctx, k, u)
}

// several reports whether there are questions of other uploads to wait for.
func (t *Together) several() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.left > 1
}

// ask puts a question together with those of others, and returns it with its answer. A question whose context ends has none.
func (t *Together) ask(q *question) *question {
	t.mu.Lock()
	t.asked = append(t.asked, q)
	all := t.complete()
	if len(all) == 0 && t.overdue == nil {
		t.overdue = time.AfterFunc(gatherTime, func() {
			t.mu.Lock()
			all := t.take()
			t.mu.Unlock()
			t.answer(all)
		})
	}
	t.mu.Unlock()
	t.answer(all)
	select {
	case <-q.done:
		return q
	case <-q.ctx.Done():
		return &question{alone: true} // the other one may be answered still
	}
}

// complete takes the questions that wait, if no upload can be expected to have one more soon. The caller holds the lock.
func (t *Together) complete() []*question {
	if len(t.asked)+t.put < min(t.slots, t.left)-t.waiting {
		return nil
	}
	return t.take()
}

// take takes the questions that wait. The caller holds the lock, and answers them.
func (t *Together) take() []*question {
	all := t.asked
	t.asked, t.put = nil, t.put+len(all)
	if t.overdue != nil {
		t.overdue.Stop()
		t.overdue = nil
	}
	return all
}

// answer asks the catalog. What cannot be answered so is left to be asked alone.
func (t *Together) answer(all []*question) {
	var finds, claims []*question
	for _, q := range all {
		if q.claim != nil {
			claims = append(claims, q)
		} else {
			finds = append(finds, q)
		}
	}
	t.settle(finds, t.answerFinds)
	t.settle(claims, t.answerClaims)
}

// settle answers questions of one kind.
func (t *Together) settle(some []*question, answer func([]*question) error) {
	err := errors.New("not answered") // unless answer returns
	defer func() {
		recover() //nolint:errcheck // a question that makes this panic does so again, alone
		t.mu.Lock()
		t.put -= len(some)
		t.mu.Unlock()
		for _, q := range some {
			q.alone = err != nil
			close(q.done)
		}
	}()
	if len(some) > 1 {
		err = answer(some)
	}
}

func (t *Together) answerFinds(finds []*question) error {
	identities := make([]catalog.Package, len(finds))
	for i, q := range finds {
		identities[i] = q.find
	}
	found, err := t.Catalog.FindAll(finds[0].ctx, identities)
	if err != nil {
		return err
	}
	for i, q := range finds {
		if k, has := found[i]; has {
			q.found = &k
		}
	}
	return nil
}

func (t *Together) answerClaims(claims []*question) error {
	all := make([]catalogdb.NewClaim, len(claims))
	for i, q := range claims {
		all[i] = *q.claim
	}
	claimed, err := t.Catalog.ClaimNew(claims[0].ctx, all)
	if err != nil {
		return err
	}
	for i, q := range claims {
		q.claimed = claimed[i]
	}
	return nil
}
