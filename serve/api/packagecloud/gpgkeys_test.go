package packagecloud_test

import (
	"bytes"
	"fmt"
	"mime/multipart"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/armor"

	"repomill/testdata/pgptest"
)

const gpgKeys = "/api/v1/repos/acme/tools/gpg_keys"

func multipartOf(t *testing.T, field, content string) (kind, body string) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	f, err := w.CreateFormFile(field, "key.asc")
	if err == nil {
		_, err = f.Write([]byte(content))
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return w.FormDataContentType(), b.String()
}

type jsonKey struct {
	Self, Keytype, Fingerprint, Name string
	DownloadURL                      string `json:"download_url"`
}

// Of a secret key, the public part alone is kept.
func TestKeysOfPackages(t *testing.T) {
	s := newSite(t)
	key := pgptest.New(t, pgptest.Options{Kind: pgptest.RSA, Made: time.Now().Add(-time.Hour)})
	var secret bytes.Buffer
	w, err := armor.Encode(&secret, "PGP PRIVATE KEY BLOCK", nil)
	if err == nil {
		err = key.SerializePrivateWithoutSigning(w, nil)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	kind, body := multipartOf(t, "gpg_key[keydata]", secret.String())
	var made jsonKey
	s.makes(sent{"POST", "all", gpgKeys + ".json", kind, body}, 201, &made)
	if made.Keytype != "package" || made.Fingerprint != key.Fingerprint() || made.DownloadURL != "https://packages.example/acme/tools/gpgkeys/"+made.Name {
		t.Errorf("made %+v", made)
	}
	set, err := s.db.Settings(t.Context(), tools)
	if err != nil || len(set.PackageKeys) != 1 || strings.Contains(set.PackageKeys[0].Armor, "PRIVATE") || fmt.Sprint(set.RequireSigned) != "[rpm]" {
		t.Errorf("the settings have %+v, %v", set, err)
	}
	s.makes(sent{"POST", "all", gpgKeys + ".json", isForm, "gpg_key[keydata]=" + url.QueryEscape(key.Package(t).Armor)}, 201, nil)
	var list map[string][]jsonKey
	s.makes(sent{"GET", "pusher", gpgKeys + ".json", "", ""}, 200, &list)
	all := list["gpg_keys"]
	if len(all) != 2 || all[0].Keytype != "repo" || all[0].DownloadURL != "https://packages.example/acme/tools/gpgkey" || all[1] != made {
		t.Fatalf("listed %+v", list)
	}
	s.makes(sent{"GET", "pusher", all[0].Self, "", ""}, 200, nil)
	for _, tt := range []struct {
		fact string
		sent
		answered
	}{
		{"the key of the repository stays", sent{"DELETE", "all", all[0].Self, "", ""}, answered{404, `is changed with repomill key"}`}},
		{"forgotten by who may push", sent{"DELETE", "pusher", made.Self, "", ""}, answered{403, `see repomill token create"}`}},
		{"registered by who may push", sent{"POST", "pusher", gpgKeys + ".json", kind, body}, answered{403, `see repomill token create"}`}},
		{"not a key", sent{"POST", "all", gpgKeys + ".json", isForm, "gpg_key[keydata]=x"}, answered{422, `"]}`}},
		{"nothing", sent{"POST", "all", gpgKeys + ".json", isForm, ""}, answered{422, `it is empty"]}`}},
		{"no such key", sent{"DELETE", "all", gpgKeys + "/acme-tools-0000000000000000.pub.gpg.json", "", ""}, answered{404, `{"error":"not_found"}`}},
		{"a path that is longer", sent{"GET", "all", gpgKeys + "/a/b", "", ""}, answered{404, `{"error":"not_found"}`}},
		{"another method", sent{"PUT", "all", made.Self, "", ""}, answered{405, ""}},
	} {
		if status, body, _ := s.send(tt.sent); status != tt.status || !strings.HasSuffix(body, tt.answered.body) {
			t.Errorf("%s: got %d %s, want %d %s", tt.fact, status, body, tt.status, tt.answered.body)
		}
	}
	s.makes(sent{"DELETE", "all", made.Self, "", ""}, 204, nil)
	if set, err := s.db.Settings(t.Context(), tools); err != nil || len(set.PackageKeys)+len(set.RequireSigned) > 0 {
		t.Errorf("the settings have %+v, %v", set, err)
	}
}
