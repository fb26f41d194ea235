package main

// listHelp is the help of the commands that list repositories and tokens.
const listHelp = `Exit codes: 0 listed, 1 the repository is not declared, 2 usage, 4 the catalog cannot be reached.`

// Help methods with an example and exit codes only. Longer ones are beside the code of their command.

func (upCmd) Help() string {
	return `Exit codes:
  0  ended by a signal
  1  failed; the standard error says why
  2  usage
  4  the folder, an address or the key cannot be used

Example:
  repomill up --data /srv/repomill --listen 0.0.0.0:8080 --public-url http://packages.example.org:8080`
}

func (repoCreateCmd) Help() string {
	return settingsHelp + `

Examples:
  repomill repo create acme/tools --distribution ubuntu/jammy --distribution el/9
  repomill repo create acme/nightly --mutable --distribution ubuntu/jammy
  repomill repo create acme/tools --description "Compilers and linkers of the build farm"`
}

func (repoSetCmd) Help() string {
	return settingsHelp + "\n" + keyringHelp + `
Examples:
  repomill repo set acme/tools --visibility private
  repomill repo set acme/tools --keyring-package on`
}

func (repoListCmd) Help() string {
	return listHelp + `

Example:
  repomill repo list acme/tools`
}

func (tokenListCmd) Help() string {
	return listHelp + `

Example:
  repomill token list acme/tools`
}

func (tokenRevokeCmd) Help() string {
	return settingsHelp + `

Example:
  repomill token revoke acme/tools customer-42`
}
