package stats

import (
	"bytes"
	"cmp"
	"slices"

	"repomill/schemas/catalog"
)

// The bounds of what a counter keeps, so that no log can take all memory.
const (
	maxTargets = 500_000 // different paths that are remembered
	maxPackage = 500_000 // different packages of a log; those beyond are not counted
	maxCounts  = 500_000 // different rows; beyond, rows have no version of the client and no country
	maxEnds    = 8       // different ends of answers for one row
)

// A counter counts the entries of a log, or of a part of one. It is used by one goroutine. What it keeps is bounded, and a line
// that is like one before makes no garbage.
type counter struct {
	clients *clients
	targets map[string]int32 // of paths
	numbers map[target]int32
	all     []target

	counts map[countKey]*ends
	lines  catalog.LogLines
}

// A countKey is what answers of one row have in common.
type countKey struct {
	target, client int32
	day            int32
	country        uint16
	redirect       bool
}

func newCounter() *counter {
	return &counter{clients: newClients(), targets: map[string]int32{}, numbers: map[target]int32{{}: 0}, all: []target{{}}, counts: map[countKey]*ends{}}
}

// add counts an entry.
func (c *counter) add(e *entry) {
	redirect := e.status == 301 || e.status == 302 || e.status == 307 || e.status == 308
	good := e.status == 200 || e.status == 206
	switch {
	case !e.get || e.path == nil:
		c.lines.Other++
		return
	case !good && !redirect && e.status != 304:
		c.lines.Failed++
		return
	}
	n := c.targetOf(e)
	t := &c.all[n]
	switch {
	case redirect && t.kind != notCounted && t.legacy != "":
	case redirect || e.status == 304 && t.kind != aPointer:
		c.lines.Failed++
		return
	case t.kind == notCounted || t.kind == otherObject:
		c.lines.Other++
		return
	}
	client := c.clients.of(e.agent)
	if c.clients.all[client].bot {
		c.lines.Bots++
		return
	}
	key := countKey{target: n, client: client, day: int32(e.day), country: e.country, redirect: redirect}
	if t.kind != aPackage || redirect {
		key.country, e.end = 0, 0
	}
	c.count(key, e.end)
}

func (c *counter) count(key countKey, end int64) {
	row := c.counts[key]
	if row == nil && len(c.counts) >= maxCounts {
		coarse := c.clients.all[key.client]
		coarse.version = ""
		key.client, key.country = c.clients.number(coarse), 0
		row = c.counts[key]
	}
	if row == nil {
		row = &ends{}
		c.counts[key] = row
	}
	row.add(end, 1)
}

// targetOf returns the number of the target of an entry; 0 for what is not counted.
func (c *counter) targetOf(e *entry) int32 {
	if n, ok := c.targets[string(e.path)]; ok {
		return n
	}
	t := targetOf(e.path, e.query)
	if t.kind == aPackage && e.status >= 300 || t.kind == otherObject { // a redirect: whether there is such a package is not known
		t.kind, t.key = otherObject, ""
	}
	n, ok := c.numbers[t]
	if !ok {
		if len(c.all) >= maxPackage {
			return 0
		}
		n = int32(len(c.all))
		c.numbers[t] = n
		c.all = append(c.all, t)
	}
	if len(c.targets) < maxTargets && t.kind != otherObject && !(t.kind == anInstall && len(e.query) > 0) {
		c.targets[string(e.path)] = n
	}
	return n
}

// number returns the number of a client.
func (t *clients) number(c client) int32 {
	n, ok := t.byClient[c]
	if !ok {
		n = int32(len(t.all))
		t.byClient[c] = n
		t.all = append(t.all, c)
	}
	return n
}

// ends counts answers by where they ended. It keeps the largest ends alone: an answer with the last byte of an object has the
// largest end there is, and how long the object is does the catalog know. Merging is commutative and associative.
type ends struct {
	largest []catalog.End // descending
	below   int64         // answers with smaller ends
}

func (t *ends) add(end, count int64) {
	i, found := slices.BinarySearchFunc(t.largest, end, func(have catalog.End, end int64) int { return cmp.Compare(end, have.Byte) })
	switch {
	case found:
		t.largest[i].Count += count
	case i == maxEnds:
		t.below += count
	default:
		if len(t.largest) == maxEnds {
			t.below += t.largest[maxEnds-1].Count
			t.largest = t.largest[:maxEnds-1]
		}
		t.largest = slices.Insert(t.largest, i, catalog.End{Byte: end, Count: count})
	}
}

func (t *ends) merge(other *ends) {
	for _, e := range other.largest {
		t.add(e.Byte, e.Count)
	}
	t.below += other.below
}

// A row is what is counted of a log, without numbers of a counter: the key of an element of the pipeline.
type row struct {
	Key     string              `json:"k,omitempty"` // of a package
	Kind    catalog.RequestKind `json:"q,omitempty"` // of another request
	Owner   string              `json:"o,omitempty"`
	Name    string              `json:"n,omitempty"`
	OS      string              `json:"s,omitempty"`
	Version string              `json:"v,omitempty"`
	Day     int64               `json:"d,omitempty"`
	Client  string              `json:"c,omitempty"`
	Release string              `json:"r,omitempty"` // version of the client
	Country string              `json:"y,omitempty"`
	Legacy  string              `json:"l,omitempty"`
}

// rows returns the sums.
func (c *counter) rows(into map[row]*ends) {
	for key, n := range c.counts {
		t, client := c.all[key.target], c.clients.all[key.client]
		r := row{
			Owner: t.repository.Owner, Name: t.repository.Name, OS: t.distribution.OS, Version: t.distribution.Version, Day: int64(key.day),
			Client: client.family, Legacy: t.legacy,
		}
		switch {
		case key.redirect:
			r.Kind = catalog.RedirectRequest
		case t.kind == aPackage:
			r.Key, r.Release, r.Country = t.key, client.version, countryText(key.country)
		case t.kind == aPointer:
			r.Kind = catalog.MetadataRequest
		default:
			r.Kind = catalog.InstallRequest
		}
		if have := into[r]; have != nil {
			have.merge(n)
		} else {
			into[r] = n
		}
	}
}

// block counts the lines of a block, which ends with a line.
func (c *counter) block(f format, block []byte) {
	var e entry
	for len(block) > 0 {
		line, rest, _ := bytes.Cut(block, []byte("\n"))
		block = rest
		line = bytes.TrimSuffix(line, []byte("\r"))
		if len(line) == 0 || line[0] == '#' {
			if bytes.HasPrefix(line, []byte(fieldsLine)) {
				if w, ok := f.(*w3c); !ok || w.setFields(line) != nil {
					c.lines.Lines, c.lines.Malformed = c.lines.Lines+1, c.lines.Malformed+1
				}
			}
			continue
		}
		c.lines.Lines++
		if len(line) > maxLine || bytes.IndexByte(line, 0) >= 0 || !f.parse(line, &e) {
			c.lines.Malformed++
			continue
		}
		c.add(&e)
	}
}
