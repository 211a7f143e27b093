package load

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/muster-go/muster"
)

// usage is what a server says of itself at one moment, in its metrics.
type usage struct {
	cpu      float64 // seconds used since it started
	resident float64 // bytes
	heap     float64 // bytes in use, garbage that was not collected yet included
	live     float64 // bytes that the last collection found in use
}

// Usage is what the server used, by its own account: its metrics process_* and go_memstats_*. Where it keeps those to itself and
// is on this machine, it is what the system knows, and nothing of the heap.
type Usage struct {
	CPU            float64 `json:"cpu"`            // seconds of processor time, while the load ran
	CPUPerSecond   float64 `json:"cpupersecond"`   // of one processor
	CPUPerOp       float64 `json:"cpuperop"`       // microseconds, over all kinds; each heartbeat of a batch is one
	RegisterPerOp  float64 `json:"registerperop"`  // microseconds of processor time by registration, heartbeats meanwhile included
	ResidentBefore float64 `json:"residentbefore"` // bytes, before anything was registered
	ResidentAfter  float64 `json:"residentafter"`  // when the load ended
	HeapBefore     float64 `json:"heapbefore"`
	HeapAfter      float64 `json:"heapafter"`
	LiveBefore     float64 `json:"livebefore"` // of the heap, what the last collection left
	LiveAfter      float64 `json:"liveafter"`
}

// measure reads the server's metrics, or, when they are refused and the server is on this machine, what the system knows.
//
// Errors: those of asking; NotFound when the metrics do not say.
func measure(ctx context.Context, t *Target) (usage, error) {
	u, err := ask(ctx, t)
	if err == nil {
		return u, nil
	}
	u, here := measureProcess(t.Addr)
	if here == nil {
		return u, nil
	}
	return u, fmt.Errorf("%w; %w", err, here)
}

func ask(ctx context.Context, t *Target) (usage, error) {
	c := &client{target: t}
	defer c.close()
	a, err := c.do(ctx, "GET", true, func(b []byte) []byte { return appendEnd(t.appendHead(b, "GET", "/metrics")) })
	if err != nil {
		return usage{}, err
	}
	return parseUsage(a.body)
}

func parseUsage(text []byte) (u usage, err error) {
	found, next, percent := 0, 0.0, 0.0
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), " ")
		var to *float64
		switch name {
		case "process_cpu_seconds_total":
			to = &u.cpu
		case "process_resident_memory_bytes":
			to = &u.resident
		case "go_memstats_heap_inuse_bytes":
			to = &u.heap
		case "go_memstats_next_gc_bytes":
			to = &next
		case "go_gc_gogc_percent":
			to = &percent
		default:
			continue
		}
		if *to, err = strconv.ParseFloat(value, 64); err != nil {
			return u, err
		}
		found++
	}
	u.live = next / (1 + percent/100) // the next collection is due when the heap has grown by so much
	if found < 5 {
		return u, &muster.Error{Op: "bench", Code: muster.NotFound, Err: errors.New("its metrics do not say what the process uses")}
	}
	return u, nil
}
