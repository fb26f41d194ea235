package packagecloud

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"repomill/schemas/catalog"
)

const (
	perPage    = 30
	maxPerPage = 250
)

// A paging is the part of a list that a call asks for.
type paging struct {
	page, perPage int
}

// pagingOf reads page and per_page. Values that are no numbers from 1 on are left out; a per_page that is too large is the maximum.
func pagingOf(q url.Values) paging {
	p := paging{1, perPage}
	if n, err := strconv.Atoi(q.Get("per_page")); err == nil && n > 0 {
		p.perPage = min(n, maxPerPage)
	}
	if n, err := strconv.Atoi(q.Get("page")); err == nil && n > 0 && n < 1<<31/maxPerPage {
		p.page = n
	}
	return p
}

// of limits a query to the part.
func (p paging) of(q catalog.PackageQuery) catalog.PackageQuery {
	q.Limit, q.Offset = p.perPage, (p.page-1)*p.perPage
	return q
}

// write sends the headers that clients page by: Link for next, prev and last (RFC 8288), and the counts.
func (p paging) write(h http.Header, publicURL string, u *url.URL, total int) {
	last := max((total+p.perPage-1)/p.perPage, 1)
	var links []string
	link := func(page int, rel string) {
		q := u.Query()
		q.Set("page", strconv.Itoa(page))
		links = append(links, fmt.Sprintf("<%s%s?%s>; rel=%q", publicURL, u.EscapedPath(), q.Encode(), rel))
	}
	if p.page > 1 {
		link(min(p.page-1, last), "prev")
	}
	if p.page < last {
		link(last, "last")
		link(p.page+1, "next")
	}
	if len(links) > 0 {
		h.Set("Link", strings.Join(links, ", "))
	}
	h.Set("Total", strconv.Itoa(total))
	h.Set("Per-Page", strconv.Itoa(p.perPage))
	h.Set("Max-Per-Page", strconv.Itoa(maxPerPage))
}
