package main

// Help shows how a command is used. Commands with more to say have theirs beside their code.

func (upCmd) Help() string {
	return `Example:
  repomill up --data /srv/repomill --listen 0.0.0.0:8080 --public-url http://packages.example.org:8080`
}

func (statusCmd) Help() string {
	return `Examples:
  repomill status acme/tools
  repomill status acme/tools hello=1.0`
}

func (lsCmd) Help() string {
	return `Examples:
  repomill ls acme/tools/ubuntu/jammy
  repomill ls acme/tools/el/9/x86_64 hello
  repomill ls acme/tools/el/9 hello=1.0-1`
}

func (reindexListCmd) Help() string {
	return `Examples:
  repomill reindex list
  repomill reindex list 7`
}

func (repoCreateCmd) Help() string {
	return settingsHelp + `

Example:
  repomill repo create acme/tools --distribution ubuntu/jammy --distribution el/9`
}

func (repoSetCmd) Help() string {
	return settingsHelp + `

Example:
  repomill repo set acme/tools --visibility private`
}

func (repoListCmd) Help() string {
	return `Example:
  repomill repo list acme/tools`
}

func (tokenCreateCmd) Help() string {
	return `The token is printed on the standard output, alone; how clients use it, on the standard error. repomill hint prints the
same at any time.

` + settingsHelp + `

Example:
  repomill token create acme/tools customer-42 --expires 90d`
}

func (tokenListCmd) Help() string {
	return `Example:
  repomill token list acme/tools`
}

func (tokenRevokeCmd) Help() string {
	return settingsHelp + `

Example:
  repomill token revoke acme/tools customer-42`
}
