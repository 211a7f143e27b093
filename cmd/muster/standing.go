package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/muster-go/muster/internal/debugwire"
)

// How explain shows what running programs make of a service.

// explainLive shows each client of each program.
func (c *cli) explainLive(found []running) error {
	if c.structured() {
		var names []string
		for _, p := range found {
			names = append(names, strconv.Itoa(p.PID))
		}
		return c.print(printed{Value: explained{Live: processes(found)}, Names: names})
	}
	first := true
	for i := range found {
		p := &found[i]
		for j := range p.Clients {
			client := &p.Clients[j]
			if client.Explanation == nil {
				continue
			}
			if !first {
				c.say("")
			}
			first = false
			c.say("%s, pid %d:", caller(client.Service, client.Instance), p.PID)
			if err := c.printTable(c.standingTable(client.Explanation.Instances, c.format() == asWide)); err != nil {
				return err
			}
			c.aboutClient(client)
		}
	}
	return nil
}

func processes(found []running) []debugwire.Process {
	var out []debugwire.Process
	for _, p := range found {
		out = append(out, p.Process)
	}
	return out
}

// caller names a client by who calls.
func caller(service, instance string) string {
	if service == "" && instance == "" {
		return "a client without a name"
	}
	return strings.Trim(service+"/"+instance, "/")
}

// standingTable lists instances as a client sees them.
func (c *cli) standingTable(rows []debugwire.Standing, wide bool) *table {
	head := []string{"ID", "WEIGHT", "SHARE", "SCORE", "OK", "FAILED", "LATENCY", "EFFECTIVE", "BECAUSE"}
	if wide {
		head = []string{
			"ID", "ENDPOINTS", "ZONE", "VERSION", "TIER", "WEIGHT", "SHARE", "SCORE", "IN-FLIGHT", "OK", "FAILED", "EXCLUDED", "LATENCY", "EJECTED", "SHADOW",
			"EFFECTIVE", "BECAUSE",
		}
	}
	t := newTable(c.paint(), head...)
	for i := range rows {
		row := &rows[i]
		weight, share := strconv.FormatFloat(row.Weight, 'g', 4, 64), percent(row.Share)
		ok, failed := strconv.FormatInt(row.Success, 10), strconv.FormatInt(row.Failure, 10)
		if wide {
			t.add(row.ID, strings.Join(row.Endpoints, " "), row.Zone, row.Version, strconv.Itoa(row.Tier), weight, share, score(row.Score),
				strconv.FormatInt(row.InFlight, 10), ok, failed, strconv.FormatInt(row.Excluded, 10), took(time.Duration(row.Latency)),
				took(time.Duration(row.Ejected)), row.Would, row.Effective, row.Because)
			continue
		}
		because := row.Because
		if row.Ejected > 0 {
			because += ", " + took(time.Duration(row.Ejected)) + " more"
		}
		t.add(row.ID, weight, share, score(row.Score), ok, failed, took(time.Duration(row.Latency)), row.Effective, because)
	}
	return t
}

// aboutClient says what a client keeps of the service as a whole, and by what it goes.
func (c *cli) aboutClient(client *debugwire.Client) {
	ex := client.Explanation
	if ex.More > 0 {
		c.say("… and %s more.", count(ex.More, "instance"))
	}
	zone := ""
	if client.Zone != "" {
		zone = " in zone " + client.Zone
	}
	c.say("Policy %s%s; it uses %d of the %d that may get traffic%s.", client.Policy, zone, ex.Subset-ex.Ejected, ex.Usable, ejected(ex))
	joint := ", "
	if ex.Breaker.By != "" {
		joint = " "
	}
	c.say("Breaker %s%s.", breakerState(&ex.Breaker), after(joint, breakerBecause(&ex.Breaker)))
	c.say("Throttle drops %s; %.0f more attempts may be repeated or hedged; so far %d were hedged and %d refused.",
		percent(ex.Dropped), ex.Retries, ex.Hedged, ex.Refused)
	if len(ex.Schemes) > 1 {
		c.say("It calls over %s: weights, shares and scores are those of %s.", strings.Join(ex.Schemes, ", "), ex.Schemes[0])
	}
	if !ex.Known {
		c.say("The registry does not list the service any more.")
	}
	if client.Stale != "" {
		c.say("Its list is %s old and is not refreshed: %s", short(time.Duration(client.Fresh)), clipped(client.Stale))
	}
	for _, s := range ex.Skipped {
		c.say("Not readable: %s: %s", s.Key, s.Why)
	}
}

// ejected says how many a client leaves alone.
func ejected(ex *debugwire.Explanation) string {
	switch {
	case ex.Panic:
		return "; so many keep failing that none is left alone"
	case ex.Ejected > 0:
		return fmt.Sprintf("; it leaves %d alone for a while", ex.Ejected)
	}
	return ""
}

// after is text behind what stands before it; nothing when there is no text.
func after(before, text string) string {
	if text == "" {
		return ""
	}
	return before + text
}

// score writes what a policy compares in three digits; nothing where it compares nothing.
func score(x float64) string {
	if x == 0 {
		return ""
	}
	unit := ""
	for _, u := range []string{"k", "M", "G", "T"} {
		if math.Abs(x) < 1000 {
			break
		}
		x, unit = x/1000, u
	}
	return strconv.FormatFloat(x, 'g', 3, 64) + unit
}

// took writes a duration in three digits or so; nothing for 0.
func took(d time.Duration) string {
	switch {
	case d == 0:
		return ""
	case d < time.Millisecond:
		return d.Round(time.Microsecond).String()
	case d < 10*time.Millisecond:
		return d.Round(10 * time.Microsecond).String()
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	}
	return d.Round(100 * time.Millisecond).String()
}
