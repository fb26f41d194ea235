package deb

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"repomill/ingest/input"
)

// maxTrigger is the longest line of triggers, in bytes with its newline (lib/dpkg/dpkg.h, MAXTRIGDIRECTIVE).
const maxTrigger = 255

// The names of triggers. dpkg allows printable ASCII in them, and two forms of those in which a package is interested
// (lib/dpkg/triglib.c, trig_classify_byname).
var (
	triggerName     = regexp.MustCompile(`^[!-~]+$`)
	explicitTrigger = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9+.-]*$`)
	fileTrigger     = regexp.MustCompile(`^(/[^/]+)+$`)
)

// triggerFiles are files of dpkg in the folder where it makes a file for each explicit trigger. An interest in a
// trigger with such a name makes dpkg overwrite its file, and then fail each time it is run.
var triggerFiles = map[string]bool{"File": true, "Lock": true, "Unincorp": true}

// checkTriggers checks a triggers member (deb-triggers(5)) as dpkg does (lib/dpkg/triglib.c, trig_parse_ci).
func checkTriggers(r io.Reader) error {
	const blank = " \t\n" // its iswhite
	err := readLines(r, maxTrigger, func(line string) error {
		line = strings.TrimLeft(line, blank)
		if strings.HasPrefix(line, "#") {
			return nil
		}
		if line = strings.TrimRight(line, blank); line == "" {
			return nil
		}
		i := strings.IndexAny(line, blank)
		if i < 0 {
			return errors.New("it needs a directive and the name of a trigger")
		}
		directive, name := line[:i], strings.TrimLeft(line[i:], blank)
		if !triggerName.MatchString(name) {
			return fmt.Errorf("the name %s has a character that is not printable ASCII", input.Quote(name))
		}
		switch directive {
		case "activate", "activate-await", "activate-noawait":
			return nil
		case "interest", "interest-await", "interest-noawait":
			return checkInterest(name)
		}
		return fmt.Errorf("%s is not a directive, such as interest-noawait or activate-noawait", input.Quote(directive))
	})
	if err != nil {
		return listingRejection("triggers", err)
	}
	return nil
}

func checkInterest(name string) error {
	switch {
	case triggerFiles[name]:
		return fmt.Errorf("%s is a file of dpkg's own, which dpkg would overwrite with it; use another name", input.Quote(name))
	case !explicitTrigger.MatchString(name) && !fileTrigger.MatchString(name):
		return fmt.Errorf("%s is neither a name of letters, digits, '+', '-' and '.', of which the first is a letter or digit, nor a path without empty parts", input.Quote(name))
	}
	return nil
}
