package main

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/muster-go/muster/internal/debugwire"
)

// FuzzAnswer reads and shows whatever a socket answers: it never panics, and nothing of it steers a terminal.
func FuzzAnswer(f *testing.F) {
	f.Add(true, 200, "application/json", `{"pid":1,"clients":[{"service":"S","explanation":{"breaker":{"state":"open","force":"auto","left":"1s","calls":1},"instances":[{"id":"a","score":1e308,"ejected":"3s"}]}}]}`)
	f.Add(false, 200, "application/json", `{"pid":1,"clients":[{"explanation":null},{"explanation":{"more":-1,"schemes":["a","b"],"skipped":[{}]}}]}`)
	f.Add(true, 403, "application/problem+json", `{"code":"denied","detail":"\u001b[0m"}`)
	f.Add(false, 500, "text/html", "<html>")
	f.Fuzz(func(t *testing.T, wide bool, status int, kind, body string) {
		var out, errs output
		c := &cli{stdin: strings.NewReader(""), stdout: &out, stderr: &errs, getenv: func(string) string { return "" }}
		c.keys = settingKeys(c.getenv)
		if err := c.resolve(c.root()); err != nil {
			t.Fatal(err)
		}
		if wide {
			v := c.set.values["output"]
			v.Value = asWide
			c.set.values["output"] = v
		}
		res := &http.Response{StatusCode: status, Status: http.StatusText(status), Header: http.Header{"Content-Type": {kind}}, Body: io.NopCloser(nil)}
		var p debugwire.Process
		if err := readAnswer("/run/x.sock", res, []byte(body), &p); err != nil {
			c.report(nil, err)
		} else if err := c.explainLive([]running{{Process: p}}); err != nil {
			t.Error(err)
		}
		if text := out.String() + errs.String(); strings.ContainsAny(text, "\x1b\x07\r\u202e") {
			t.Errorf("control characters came through: %q", text)
		}
	})
}
