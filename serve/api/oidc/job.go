package oidc

import (
	"net/url"
	"regexp"
	"strings"
	"unicode"
)

var (
	number      = regexp.MustCompile(`\A[0-9]{1,20}\z`)
	projectPath = regexp.MustCompile(`\A[A-Za-z0-9_][A-Za-z0-9_.-]*(?:/[A-Za-z0-9_][A-Za-z0-9_.-]*)+\z`)
)

// jobURL returns where people see the CI job that a token was issued to; "" if its claims do not say.
func jobURL(issuer string, c claims) string {
	project, job := c.text("project_path"), c.text("job_id")
	if projectPath.MatchString(project) && number.MatchString(job) { // GitLab
		return strings.TrimSuffix(issuer, "/") + "/" + project + "/-/jobs/" + job
	}
	repository, run := c.text("repository"), c.text("run_id")
	if server := githubServer(issuer); server != "" && projectPath.MatchString(repository) && number.MatchString(run) {
		at := server + "/" + repository + "/actions/runs/" + run
		if attempt := c.text("run_attempt"); number.MatchString(attempt) {
			at += "/attempts/" + attempt
		}
		return at
	}
	return ""
}

// githubServer returns the URL of the GitHub whose jobs have tokens of an issuer: github.com, an enterprise's place at
// ghe.com, or a server of a company's own.
func githubServer(issuer string) string {
	u, err := url.Parse(issuer)
	if err != nil {
		return ""
	}
	enterprise, isAt := strings.CutPrefix(u.Host, "token.actions.")
	switch {
	case u.Host == githubIssuer:
		return "https://github.com"
	case isAt && strings.HasSuffix(enterprise, ".ghe.com"):
		return "https://" + enterprise
	case strings.HasSuffix(u.Path, "/_services/token"):
		return "https://" + u.Host
	}
	return ""
}

// maxName bounds a name in the audit log, in bytes.
const maxName = 500

// printable makes a text of a token fit for a log: other characters become '?', and it is cut.
func printable(s string) string {
	if len(s) > maxName {
		s = strings.ToValidUTF8(s[:maxName], "?")
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, s)
}
