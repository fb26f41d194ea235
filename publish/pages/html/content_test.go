package html_test

import (
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"repomill/publish/pages/model"
	"repomill/publish/pages/pagestest"
	"repomill/schemas/catalog"

	pages "repomill/publish/pages/html"
)

// sitePages are the pages of the site, drawn once.
var sitePages = sync.OnceValue(func() []model.Page { return pagestest.NewSite().Pages(pages.New(pagestest.PublicURL)) })

// shown returns the texts of the elements of a page of the site that an attribute or a name selects, with single spaces.
func shown(t *testing.T, key, element, attribute, value string) (texts []string) {
	t.Helper()
	for _, p := range sitePages() {
		if p.Key != key {
			continue
		}
		for _, n := range elements(parse(t, p)) {
			if got, ok := attr(n, attribute); n.Data == element && (attribute == "" || ok && slices.Contains(strings.Fields(got), value)) {
				texts = append(texts, strings.Join(strings.Fields(text(n)), " "))
			}
		}
		return texts
	}
	t.Fatalf("the site has no %s", key)
	return nil
}

func TestPagesSayWhatTheModelHas(t *testing.T) {
	const acme, hello = "acme/tools/index.html", "acme/tools/p/hello-mill/"
	for _, tt := range []struct {
		fact, key                 string
		element, attribute, value string
		want                      []string // in this order, maybe among others
	}{
		{"three numbers", acme, "dl", "class", "figures", []string{"Packages1432 of 65 names Last publish2026-11-29 21:58 UTC Key expires2028-11-29"}},
		{"numbers of an empty repository", "acme/new/index.html", "dl", "class", "figures", []string{"Packages0 Last publishnone yet Key expiresno key"}},
		{"a fingerprint has no blank in it", acme, "code", "class", "fingerprint", []string{"8F3A6C0D55E1B7249A0CD2E47B61F0953D645A26", "1B9D4470AC2E88F36650C9D1E3AF5B27704C11E9", "C07F92AA41D6358E19BB64F2D0735CEA9D1E6B48"}},
		{"changes, with the reason of a withdrawal", acme, "ol", "class", "changes", []string{
			"hello-mill 2.12-1 2026-11-29 · debian bookworm, trixie · ubuntu jammy, noble hello-mill 2.12-1.el9 2026-11-29 · el 9 · opensuse 15.6 libmill++1 1:3.0~rc2+dfsg-1 2026-11-28 · debian trixie " +
				"hello-mill 2.11-1 withdrawn 2026-11-27 · debian bookworm, trixie · ubuntu jammy, noble It deletes configuration on upgrade; use 2.12-1"}},
		{"a private repository says so", "acme/secret/index.html", "h1", "", "", []string{"acme/secret private"}},
		{"a notice with reason and day, and without the user", hello + "2.11-1/index.html", "div", "class", "notice", []string{"Withdrawn on 2026-11-27. Clients are not offered it any more. It deletes configuration on upgrade; use 2.12-1 Snapshots that were taken while it was published have it."}},
		{"a notice for a part of the packages", hello + "2.12-1/index.html", "div", "class", "notice",
			[]string{"Withdrawn in ubuntu/focal (arm64), ubuntu/jammy (arm64), ubuntu/noble (arm64) on 2026-11-29. Clients are not offered it any more. Built with the wrong compiler Snapshots that were taken while it was published have it."}},
		{"what is in a snapshot and is not withdrawn", hello + "2.12-1.el9/index.html", "dl", "class", "facts", []string{"Published2026-11-29Homepagehttps://hello.acme.example/mill?lang=en&page=1LicenseGPL-3.0-or-laterMaintainerJane Müller <jane@acme.example>SectionutilsSourcehello-millBuilt2026-11-29Installed size1.8 MBSnapshotsthose since it was published Versionsall of hello-mill"}},
		{"nothing of snapshots without any", "acme/wide/p/acme-agent/7.4.1-1/index.html", "dl", "class", "facts", []string{"Published2026-11-29Homepagehttps://agent.acme.example/ Versionsall of acme-agent"}},
		{"rules of retention and snapshots", acme, "section", "aria-labelledby", "retention", []string{
			"Old versions Keeps the newest 3 versions of each package, all that came within the last 14 days, and hello-mill=1.*, libacme*. Other versions leave by themselves, within a day. " +
				"For ubuntu/noble it keeps besides the newest 2 versions in each series such as 1.2 of a package and all that came within the last 90 days. " +
				"The rule is paused: other versions leave when the owner of the repository runs it. " +
				"A snapshot is taken each day; the newest 90 of these are kept. 112 snapshots are kept, the newest is 20261129T021500Z."}},
		{"no rules of retention", "acme/wide/index.html", "section", "aria-labelledby", "retention", []string{"Old versions Versions stay until they are withdrawn: no rule removes old ones."}},
		{"no rules of a deleted repository", "acme/new/index.html", "section", "aria-labelledby", "retention", []string{"Old versions No snapshot is kept."}},
		{"a deleted repository", "acme/new/index.html", "div", "class", "notice", []string{"Deleted on 2026-11-26. The repository is empty. It can be brought back until 2026-12-26 21:58 UTC, and is removed then."}},
		{"snapshots, newest first", "acme/tools/snapshots/index.html", "tr", "", "", []string{
			"SnapshotTakenDistributionsPackagesSince the one beforeKept until",
			"20261129T021500Z before-19.5.0~rc2+security^20261129-with-a-long-name-of-a-release2026-11-29 02:15 UTC911 313324 camedeleted",
			"20261128T021500Z by rule2026-11-28 02:15 UTC911 250216 came, 72 wentdeleted"}},
		{"older snapshots", "acme/tools/snapshots/_1/index.html", "nav", "class", "pages", []string{"Newer snapshots page 1 of 2, from the oldest"}},
		{"the newest snapshots lead to older ones", "acme/tools/snapshots/index.html", "nav", "class", "pages", []string{"page 2 of 2, from the oldest Older snapshots"}},
		{"a private snapshot has lines with a token", "acme/secret/snapshots/20261129T021500Z/index.html", "details", "id", "use-el/7", []string{
			"el/7 yum By hand token=TOKEN && printf 'user = \"%s:x\"\\n' \"$token\" | sudo curl -K - -fsSLo /etc/yum.repos.d/acme_secret.repo https://packages.example.org/acme/secret/snapshots/20261129T021500Z/el/7.repo && " +
				"sudo chmod 600 /etc/yum.repos.d/acme_secret.repo && printf '/^baseurl=/a %s\\n' \"username=$token\" password=x | sudo sed -i -f - /etc/yum.repos.d/acme_secret.repo && sudo yum makecache " +
				"In a file of configuration baseurl=https://packages.example.org/acme/secret/snapshots/20261129T021500Z/el/7/$basearch Configuration file: 7.repo"}},

		{"dependencies by distribution", hello + "2.12-1/index.html", "section", "aria-labelledby", "relations", []string{
			"Dependencies debian/bookworm (amd64, arm64), debian/trixie (amd64, arm64) Dependslibc6 (>= 2.36)libmill++1 (= 1:3.0~rc2+dfsg-1)Recommendslocales | locales-allConflictshello-traditional " +
				"ubuntu/focal (amd64, arm64), ubuntu/jammy (amd64, arm64), ubuntu/noble (amd64, arm64) Dependslibc6 (>= 2.35)libmill++1 (= 1:3.0~rc2+dfsg-1)Recommendslocales | locales-allConflictshello-traditional"}},
		{"the signer, and what that means", hello + "2.12-1.el9/index.html", "section", "aria-labelledby", "signature", []string{
			"Signature The metadata of the repository is signed with its keys and pins the SHA-256 of each package: clients install no other bytes. " +
				"C07F92AA41D6358E19BB64F2D0735CEA9D1E6B48 The signer that the packages name. It is verified only if the repository requires signatures."}},
		{"the newest entries of the changelog", hello + "2.12-1.el9/index.html", "article", "class", "entry",
			[]string{"2026-11-29 · Jane Müller <jane@acme.example> - 2.12-1 - keep configuration on upgrade (bug 4711) - greet in Welsh"}},
		{"the newest page leads to older versions", hello + "index.html", "nav", "class", "pages", []string{"page 2 of 2, from the oldest Older versions"}},
		{"an older page leads to newer versions", hello + "_1/index.html", "nav", "class", "pages", []string{"Newer versions page 1 of 2, from the oldest"}},
		{"versions, newest first", hello + "index.html", "th", "scope", "row", []string{"2.12-1 3 of 10 withdrawn", "2.12-1.el9", "2.11-1 withdrawn", "1.111-1"}},
		{"words to copy, but none for what was withdrawn", hello + "index.html", "td", "class", "word", []string{"hello-mill=2.12-1", "hello-mill-2.12-1.el9", "", "hello-mill=1.111-1"}},
		{"the letters of a list", "acme/tools/names/index.html", "nav", "class", "letters", []string{"Rabcdefghijklmnopqrstuvwxyz"}},
		{"the parts of a list", "globex/big/names/index.html", "ul", "class", "parts", []string{"names before golang-acme from golang-acme to before python3-mill from python3-mill"}},
		{"the parts beside a part", "globex/big/names/0/golang-acme.html", "nav", "class", "pages", []string{"names before golang-acme all packages from python3-mill"}},
		{"repositories of an owner", "acme/index.html", "ul", "class", "repositories",
			[]string{"acme/new acme/tools deb, rpmCommand-line tools of Acme for servers and desktops acme/wide deb, rpmThe agent, for all systems"}},
	} {
		t.Run(tt.fact, func(t *testing.T) {
			if got := shown(t, tt.key, tt.element, tt.attribute, tt.value); len(got) < len(tt.want) || !slices.Equal(got[:len(tt.want)], tt.want) {
				t.Errorf("%s shows\n%q\nwant\n%q", tt.key, got, tt.want)
			}
		})
	}
}

// Nothing of a private repository is on the pages of others.
func TestOtherPagesDoNotNamePrivateRepositories(t *testing.T) {
	for _, p := range sitePages() {
		if strings.Contains(string(p.Body), "secret") && isHTML(p) && !strings.HasPrefix(p.Key, pagestest.Secret.String()+"/") {
			t.Errorf("%s names a private repository", p.Key)
		}
	}
}

// Each package of a version has a row with its digest in full and a link to its file, unless it was withdrawn.
func TestVersionPagesHaveEveryPackage(t *testing.T) {
	site, r := pagestest.NewSite(), pages.New(pagestest.PublicURL)
	rows := 0
	for _, v := range site.Versions {
		p := r.VersionPage(v)[0]
		digests, links := map[string]bool{}, map[string]bool{}
		for _, n := range elements(parse(t, p)) {
			if class, _ := attr(n, "class"); class == "digest copy" {
				digests[text(n)] = true
			}
			if href, ok := attr(n, "href"); ok {
				base := &url.URL{Path: "/" + strings.TrimSuffix(p.Key, "index.html")}
				if u, err := base.Parse(href); err == nil {
					links[strings.TrimPrefix(u.Path, "/")] = true
				}
			}
		}
		for _, k := range v.Packages {
			rows++
			if !digests[k.File.SHA256] || links[k.Key] == (k.State == catalog.Yanked) || k.Files != "" && !links[k.Files] {
				t.Errorf("%s: %s of %s: digest %v, file %v", p.Key, k.Arch, k.Distribution, digests[k.File.SHA256], links[k.Key])
			}
		}
	}
	if rows < 600 {
		t.Errorf("only %d rows were seen", rows)
	}
}
