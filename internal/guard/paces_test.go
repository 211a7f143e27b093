package guard_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/muster-go/muster/internal/guard"
)

func TestPatienceIsThatOfItsMethod(t *testing.T) {
	var p guard.Paces
	for n := range 19 {
		p.Add("GET", int64(n), int64(100*time.Millisecond))
	}
	if got := p.Patience("GET", 100); got != 0 {
		t.Errorf("%v by 19 attempts, want none: they are too few", got)
	}
	for range 181 {
		p.Add("GET", 0, int64(100*time.Millisecond))
		p.Add("HEAD", 0, int64(time.Microsecond))
	}
	if got := p.Patience("GET", 0); got < 100*time.Millisecond || got > 115*time.Millisecond {
		t.Errorf("%v, want a little more than 100 ms", got)
	}
	if got := p.Patience("HEAD", 0); got != 5*time.Millisecond {
		t.Errorf("%v, want the least there is", got)
	}
	if got := p.Patience("PUT", 0); got != 0 {
		t.Errorf("%v for a method that nobody used", got)
	}
}

func TestManyMethodsAreMeasuredTogether(t *testing.T) {
	var p guard.Paces
	for n := range 1000 {
		p.Add(fmt.Sprint("method ", n), 0, int64(50*time.Millisecond))
	}
	if got := p.Patience("method 999", 0); got < 50*time.Millisecond {
		t.Errorf("%v for one of many, want that of all of them", got)
	}
	if got := p.Patience("method 0", 0); got != 0 {
		t.Errorf("%v for one of the first, which has its own, want none by one attempt", got)
	}
}
