package doctor

import "testing"

// Files of a host may be broken in any way: nothing of them ends the examination.
func FuzzFiles(f *testing.F) {
	for _, seed := range []string{
		"deb [arch=amd64] http://h/acme/tools/ubuntu jammy main\n# deb h",
		"Types: deb\nURIs: https://t@h/priv/x/a/b/ubuntu/jammy\nSuites: jammy a/\nSigned-By: /a\n .\n",
		"[a]\nbaseurl=http://h/a/b/el/$releasever/${basearch}?credentials=c\n gpgkey=x\n",
		"machine h login x password y machine", "A { B \"x\"; }; } {", "ID=x\nVERSION_ID=", "https://h/%2F/a%2Fb/../priv/",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		all := append(readList("f.list", text), readDeb822("f.sources", text)...)
		for _, sec := range readSections(text) {
			all = append(all, source{client: "dnf", id: sec.name, fields: sec.values, url: sec.values["baseurl"]})
		}
		all = append(all, source{client: "apt", url: text, suite: text}, source{client: "zypper", url: text})
		e := &exam{apt: parseAptConfig(text), logins: readNetrc("f", text), root: root{"/nonexistent"}}
		e.conflicts(all)
		for _, s := range all {
			_, _ = s.repository()
			_, _ = s.String(), s.pointer()
			s.matches(location{path: []string{"a", "b"}})
			e.loginFor(s)
			e.judgeEntry(s)
		}
	})
}
