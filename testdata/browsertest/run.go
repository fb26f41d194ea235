package browsertest

import (
	"context"
	_ "embed"
	"encoding/json"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// Call gives the browser a command of its protocol for a tab.
func Call[P, R any](p *Page, command cdp.Command[P, R], params P) R {
	p.t.Helper()
	return Do(p, command.Method, func(ctx context.Context, target *chromedp.Target) (R, error) {
		return cdp.Call(ctx, target, command, params)
	})
}

// Do does something in a tab. The test ends if the browser cannot, or takes too long.
func Do[T any](p *Page, what string, action chromedp.Action[T]) T {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, limit)
	defer cancel()
	result, err := chromedp.Run(ctx, action)
	if err != nil {
		p.t.Fatalf("the browser cannot %s: %v", what, err)
	}
	return result
}

//go:embed checks.js
var checks string

// Eval returns the value of a JavaScript expression in a page, where browsertest has the functions of checks.js. It works as well on a
// page whose own scripts are off. A promise is awaited.
func Eval[T any](p *Page, expression string) T {
	p.t.Helper()
	yes := true
	answer := Call(p, runtime.Evaluate, runtime.EvaluateParams{Expression: checks + "\n;" + expression, ReturnByValue: &yes, AwaitPromise: &yes})
	if e := answer.ExceptionDetails; e != nil {
		p.t.Fatalf("%.200s: %s", expression, exception(e))
	}
	var value T
	if err := json.Unmarshal(answer.Result.Value, &value); err != nil {
		p.t.Fatalf("%.200s: %v", expression, err)
	}
	return value
}

func exception(e *runtime.ExceptionDetails) string {
	if e.Exception != nil && e.Exception.Description != "" {
		return e.Exception.Description
	}
	return e.Text
}

// quote returns a string as JavaScript has it.
func quote(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err) // strings always have one
	}
	return string(b)
}
