// Package browsertest opens pages in a real browser, Debian's chromium without a window, and finds what is wrong with them: what the
// browser complains about, and what would be in the way of a person who has a phone, a keyboard, a screen reader, a dark room or no
// scripts. Each check has a broken page in the tests of this package, which it must find.
package browsertest

import (
	"context"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"repomill/testdata/proctest"
)

// limit is how long the browser may take for one action, also on a busy machine.
const limit = time.Minute

// A Browser is a running browser. It reaches this machine alone.
type Browser struct {
	ctx context.Context
	out *proctest.Output
}

// New starts a browser, which ends with the test. Without chromium the test is skipped.
func New(t testing.TB) *Browser {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("chromium is not installed (make test installs it as root): nothing shows here how pages look on a phone and a desktop, light and dark, " +
			"with a keyboard and without scripts, nor that the browser runs and refuses nothing")
	}
	home, err := os.MkdirTemp("", "repomill-browser-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(home) }) //nolint:errcheck // best effort: a process of the browser may still write
	b := &Browser{out: new(proctest.Output)}
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options(path, home, b.out)...)
	t.Cleanup(stop)
	b.ctx, _ = chromedp.NewContext(allocator, chromedp.WithErrorf(t.Logf), chromedp.WithLogf(t.Logf))
	// The first action starts the browser, and its context is that of the browser: the limit is another's.
	late := time.AfterFunc(limit, stop)
	err = chromedp.Do(b.ctx)
	late.Stop()
	if err != nil {
		t.Fatalf("chromium does not start: %v\n%s", err, b.out)
	}
	t.Cleanup(func() { b.stop(t) })
	return b
}

func (b *Browser) stop(t testing.TB) {
	process := chromedp.FromContext(b.ctx).Browser.Process()
	late := time.AfterFunc(limit, func() { process.Kill() }) //nolint:errcheck // it may have ended
	defer late.Stop()
	if err := chromedp.Cancel(b.ctx); err != nil {
		t.Logf("chromium: %v", err)
	}
}

func options(path, home string, out *proctest.Output) []chromedp.ExecAllocatorOption {
	o := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.UserDataDir(home+"/profile"), chromedp.CombinedOutput(out),
		chromedp.NoInheritEnv, chromedp.Env("PATH="+os.Getenv("PATH"), "LC_ALL=C.UTF-8", "HOME="+home, "TMPDIR="+home, "XDG_CONFIG_HOME="+home, "XDG_CACHE_HOME="+home),
		chromedp.Flag("headless", "new"), chromedp.DisableGPU,
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND , EXCLUDE 127.0.0.1 , EXCLUDE localhost"),
	)
	if os.Getuid() == 0 { // the sandbox of the browser refuses to work for root
		o = append(o, chromedp.NoSandbox)
	}
	return o
}
