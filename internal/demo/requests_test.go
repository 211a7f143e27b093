package demo

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/muster-go/muster"
)

func TestRequestsAreReadAsTheServiceWroteThem(t *testing.T) {
	var out bytes.Buffer
	log, before := NewRequestLog(&out), time.Now().Round(0)
	for _, s := range []muster.Span{
		{Kind: muster.ServeSpan, Took: time.Millisecond},
		{Kind: muster.ServeSpan, Took: time.Millisecond, Outcome: muster.Failure},
		{Kind: muster.ServeSpan, Took: time.Millisecond, Outcome: muster.Excluded},
		{Kind: muster.CallSpan, Took: time.Hour}, // not served
	} {
		log.End(log.Start(t.Context(), s), s)
	}
	after := time.Now()
	var r requests
	for line := range strings.Lines(out.String()) {
		r.hear(strings.TrimSuffix(line, "\n"))
	}
	if count, failed, latency := r.totals(); count != 3 || failed != 1 || latency != time.Millisecond {
		t.Errorf("%d requests, %d failed, %v each, want 3, 1, 1ms, from\n%s", count, failed, latency, &out)
	}
	before = before.Add(-time.Millisecond) // they began that much earlier
	if n := r.between(before, after); n != 3 {
		t.Errorf("%d requests from %v to %v, want 3, from\n%s", n, before, after, &out)
	}
	if n := r.between(after, after.Add(time.Hour)); n != 0 {
		t.Errorf("%d requests after the end, want none", n)
	}
	if at, ok := r.first(before); !ok || at.After(r.last()) {
		t.Errorf("the first began at %v (%v), the last at %v", at, ok, r.last())
	}
}

func TestOtherLinesAreNoRequests(t *testing.T) {
	var r requests
	for _, line := range []string{"", "request", "request 1 2", "request x 2 success", "request 1 x success", "request 1 2 success more", "serving 127.0.0.1:1"} {
		r.hear(line)
	}
	if count, _, _ := r.totals(); count != 0 {
		t.Errorf("%d requests, want none", count)
	}
}

func TestOldRequestsAreForgotten(t *testing.T) {
	var r requests
	for range 2*maxBegan + 1 {
		r.hear("request 1000000000 5 success")
	}
	if count, _, _ := r.totals(); count != 2*maxBegan+1 || len(r.began) > maxBegan {
		t.Errorf("%d requests, %d remembered, want all counted and at most %d remembered", count, len(r.began), maxBegan)
	}
}

func TestLinesAreCutWhereTheyEnd(t *testing.T) {
	var got []string
	l := &lines{heard: func(line string) { got = append(got, line) }}
	for _, part := range []string{"one\ntw", "o\n", "\nthr", "ee", "\n" + strings.Repeat("x", maxLine+5) + "\nend\nno end"} {
		if n, err := l.Write([]byte(part)); n != len(part) || err != nil {
			t.Fatalf("write: %d, %v", n, err)
		}
	}
	want := []string{"one", "two", "", "three", strings.Repeat("x", maxLine), "end"}
	if strings.Join(got, "|") != strings.Join(want, "|") {
		t.Errorf("lines %.200q, want %.200q", got, want)
	}
}
