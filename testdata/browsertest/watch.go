package browsertest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/chromedp/cdproto/audits"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// A watch collects what the browser complains about.
type watch struct {
	mu   sync.Mutex
	said []string
}

func (w *watch) add(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if line := fmt.Sprintf(format, args...); !slices.Contains(w.said, line) {
		w.said = append(w.said, line)
	}
}

// begin listens to all that a tab says from now on.
func (w *watch) begin(p *Page) {
	p.t.Helper()
	if err := chromedp.Listen(p.ctx, func(event any) { w.hear(p, event) }); err != nil {
		p.t.Fatal(err)
	}
	Call(p, log.Enable, cdp.Empty{})
	Call(p, runtime.Enable, cdp.Empty{})
	Call(p, network.Enable, network.EnableParams{})
	Call(p, page.Enable, page.EnableParams{})
	Call(p, audits.Enable, cdp.Empty{})
}

func (w *watch) hear(p *Page, event any) {
	switch e := event.(type) {
	case *log.EventEntryAdded:
		w.add("the console says (%s, %s): %s %s", e.Entry.Source, e.Entry.Level, e.Entry.Text, e.Entry.URL)
	case *runtime.EventConsoleAPICalled:
		var args []string
		for _, a := range e.Args {
			args = append(args, string(a.Value)+a.Description)
		}
		w.add("a script writes to the console (%s): %s", e.Type, strings.Join(args, " "))
	case *runtime.EventExceptionThrown:
		w.add("a script failed: %s", exception(e.ExceptionDetails))
	case *network.EventLoadingFailed:
		if !e.Canceled {
			w.add("a %s did not load: %s%s", e.Type, e.ErrorText, e.BlockedReason)
		}
	case *network.EventResponseReceived:
		if e.Response.Status >= 400 {
			w.add("%s is answered with %d", e.Response.URL, e.Response.Status)
		}
	case *audits.EventIssueAdded:
		w.add("the browser reports %s%s", e.Issue.Code, policy(e.Issue))
	case *page.EventJavascriptDialogOpening:
		w.add("a dialog says %q", e.Message)
		go func() { // the page waits for the answer, and this function must not
			chromedp.Do(p.ctx, chromedp.Func(dismiss)) //nolint:errcheck // the tab may be closed
		}()
	}
}

func policy(i *audits.InspectorIssue) string {
	if i.Details == nil || i.Details.ContentSecurityPolicyIssueDetails == nil {
		return ""
	}
	d := i.Details.ContentSecurityPolicyIssueDetails
	return fmt.Sprintf(" (%s of %s %s)", d.ContentSecurityPolicyViolationType, d.ViolatedDirective, d.BlockedURL)
}

// Complaints returns what the browser complained about since the tab was opened, or since the last call: errors and messages on the
// console, scripts that failed, violations of the policy, requests that were not answered well, dialogs.
func (p *Page) Complaints() []string {
	p.t.Helper()
	Eval[bool](p, "true") // what the page has said before this comes before its answer
	p.watch.mu.Lock()
	defer p.watch.mu.Unlock()
	said := p.watch.said
	p.watch.said = nil
	return said
}

func dismiss(ctx context.Context, tab *chromedp.Target) error {
	_, err := cdp.Call(ctx, tab, page.HandleJavaScriptDialog, page.HandleJavaScriptDialogParams{})
	return err
}
