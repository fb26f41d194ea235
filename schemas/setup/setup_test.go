package setup_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
	"repomill/schemas/setup"
)

// make test-clients runs these lines in real systems.
func TestSetupLinesOfPrivateRepositories(t *testing.T) {
	const url = "https://p.example.org"
	for distribution, want := range map[string]string{
		"ubuntu/jammy": `token=T &&
printf 'user = "%s:x"\n' "$token" | sudo curl -K - -fsSLo /etc/apt/sources.list.d/acme_secret.sources https://p.example.org/acme/secret/ubuntu/jammy.sources &&
sudo sed -i "/^Suites:/a Architectures: $(echo $(dpkg --print-architecture; dpkg --print-foreign-architectures | grep -xE 'amd64|arm64'))" /etc/apt/sources.list.d/acme_secret.sources &&
printf 'machine p.example.org/acme/secret/ login %s password x\n' "$token" | sudo install -D -m 600 /dev/stdin /etc/apt/auth.conf.d/acme_secret.conf &&
sudo apt-get update &&
sudo apt-get install -y hello`,
		"ubuntu/focal": `token=T &&
printf 'user = "%s:x"\n' "$token" | sudo curl -K - -fsSLo /usr/share/keyrings/acme_secret.asc https://p.example.org/acme/secret/gpgkey &&
echo "deb [arch=$(echo $(dpkg --print-architecture; dpkg --print-foreign-architectures | grep -xE 'amd64|arm64') | tr ' ' ,) signed-by=/usr/share/keyrings/acme_secret.asc] https://p.example.org/acme/secret/ubuntu focal main" | sudo tee /etc/apt/sources.list.d/acme_secret.list >/dev/null &&
printf 'machine p.example.org/acme/secret/ login %s password x\n' "$token" | sudo install -D -m 600 /dev/stdin /etc/apt/auth.conf.d/acme_secret.conf &&
sudo apt-get update &&
sudo apt-get install -y hello`,
		"el/9": `token=T &&
printf 'user = "%s:x"\n' "$token" | sudo curl -K - -fsSLo /etc/yum.repos.d/acme_secret.repo https://p.example.org/acme/secret/el/9.repo &&
sudo chmod 600 /etc/yum.repos.d/acme_secret.repo &&
printf '/^baseurl=/a %s\n' "username=$token" password=x | sudo sed -i -f - /etc/yum.repos.d/acme_secret.repo &&
sudo dnf install -y hello`,
		"el/7": `token=T &&
printf 'user = "%s:x"\n' "$token" | sudo curl -K - -fsSLo /etc/yum.repos.d/acme_secret.repo https://p.example.org/acme/secret/el/7.repo &&
sudo chmod 600 /etc/yum.repos.d/acme_secret.repo &&
printf '/^baseurl=/a %s\n' "username=$token" password=x | sudo sed -i -f - /etc/yum.repos.d/acme_secret.repo &&
sudo yum install -y hello`,
		"opensuse/15.6": `token=T &&
printf 'user = "%s:x"\n' "$token" | sudo curl -K - -fsSLo /etc/zypp/repos.d/acme_secret.repo https://p.example.org/acme/secret/opensuse/15.6.repo &&
printf 'username=%s\npassword=x\n' "$token" | sudo install -D -m 600 /dev/stdin /etc/zypp/credentials.d/acme_secret &&
sudo sed -i '/^baseurl=/s/$/?credentials=acme_secret/' /etc/zypp/repos.d/acme_secret.repo &&
sudo zypper --non-interactive --gpg-auto-import-keys install hello`,
	} {
		system, version, _ := strings.Cut(distribution, "/")
		distro, rej := layout.DefaultTable().Lookup(catalog.Distribution{OS: system, Version: version})
		if rej != nil {
			t.Fatal(rej)
		}
		s := catalog.Settings{Repository: catalog.Repository{Owner: "acme", Name: "secret"}, Visibility: catalog.Private}
		if diff := cmp.Diff(want, strings.Join(setup.Lines(url, s, distro, "hello", "T"), "\n")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", distribution, diff)
		}
	}
}

// They are the lines for the repository, with places below the snapshot: testdata/clients runs such lines in real systems.
func TestSetupLinesOfSnapshots(t *testing.T) {
	const id = "20261129T021500Z"
	for distribution, want := range map[string]string{
		"ubuntu/jammy": `sudo curl -fsSLo /etc/apt/sources.list.d/acme_tools.sources https://p.example.org/acme/tools/snapshots/20261129T021500Z/ubuntu/jammy.sources &&
sudo sed -i "/^Suites:/a Architectures: $(echo $(dpkg --print-architecture; dpkg --print-foreign-architectures | grep -xE 'amd64|arm64'))" /etc/apt/sources.list.d/acme_tools.sources &&
sudo apt-get update`,
		"ubuntu/focal": `sudo curl -fsSLo /usr/share/keyrings/acme_tools.asc https://p.example.org/acme/tools/gpgkey &&
echo "deb [arch=$(echo $(dpkg --print-architecture; dpkg --print-foreign-architectures | grep -xE 'amd64|arm64') | tr ' ' ,) signed-by=/usr/share/keyrings/acme_tools.asc] https://p.example.org/acme/tools/snapshots/20261129T021500Z/ubuntu focal main" | sudo tee /etc/apt/sources.list.d/acme_tools.list >/dev/null &&
sudo apt-get update`,
		"el/9": `sudo curl -fsSLo /etc/yum.repos.d/acme_tools.repo https://p.example.org/acme/tools/snapshots/20261129T021500Z/el/9.repo &&
sudo dnf makecache`,
		"opensuse/15.6": `sudo curl -fsSLo /etc/zypp/repos.d/acme_tools.repo https://p.example.org/acme/tools/snapshots/20261129T021500Z/opensuse/15.6.repo &&
sudo zypper --non-interactive --gpg-auto-import-keys refresh acme_tools-20261129T021500Z`,
	} {
		system, version, _ := strings.Cut(distribution, "/")
		distro, rej := layout.DefaultTable().Lookup(catalog.Distribution{OS: system, Version: version})
		if rej != nil {
			t.Fatal(rej)
		}
		s := catalog.Settings{Repository: catalog.Repository{Owner: "acme", Name: "tools"}, Visibility: catalog.Public}
		if diff := cmp.Diff(want, strings.Join(setup.SnapshotLines("https://p.example.org", s, distro, id, "T"), "\n")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", distribution, diff)
		}
	}
}

// The words of a plain http URL have its scheme: without, apt keeps the token for https (apt_auth.conf(5)).
func TestAptGetsTheTokenOverHTTP(t *testing.T) {
	distro, rej := layout.DefaultTable().Lookup(catalog.Distribution{OS: "ubuntu", Version: "jammy"})
	if rej != nil {
		t.Fatal(rej)
	}
	s := catalog.Settings{Repository: catalog.Repository{Owner: "acme", Name: "secret"}, Visibility: catalog.Private}
	lines := strings.Join(setup.Lines("http://127.0.0.1:8080", s, distro, "", "T"), "\n")
	if want := "'machine http://127.0.0.1:8080/acme/secret/ login"; !strings.Contains(lines, want) || !strings.HasSuffix(lines, "\nsudo apt-get update") {
		t.Errorf("want %q and no package in\n%s", want, lines)
	}
}

// Every value of --token is one word of a shell.
func TestTokensInLinesAreWords(t *testing.T) {
	for _, token := range []string{"TOKEN", "<your token>", "it's", "$(id)", "a b", "`id`", "x;y", "é", "\n"} {
		out, err := exec.Command("sh", "-c", "token="+setup.ShellWord(token)+` && printf '%s.' "$token"`).CombinedOutput()
		if err != nil || string(out) != token+"." {
			t.Errorf("a shell reads %s as %q, %v", setup.ShellWord(token), out, err)
		}
	}
}
