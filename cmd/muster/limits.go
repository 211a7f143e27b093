package main

import (
	"fmt"
	"log/slog"
	"runtime/debug"

	"github.com/muster-go/muster/internal/limits"
	"github.com/muster-go/muster/internal/nativewire"
)

// fewFiles is less than what a server with a few hundred clients needs.
const fewFiles = 4096

// limits are those of the setting, on top of what goes with this machine. What the operator should know of the machine goes to
// the log.
//
// Errors: a mistake in the setting.
func (c *cli) limits(log *slog.Logger) (limits.Config, error) {
	memory, _ := limits.Memory()
	files := limits.Files()
	config, err := limits.Default(memory, files).With(c.text("serve.limits"))
	if err != nil {
		return config, usage("--limits: %v", err)
	}
	if c.getenv("GOMEMLIMIT") == "" { // the collector works harder before the system ends the process
		debug.SetMemoryLimit(memory / 10 * 9)
	}
	if files > 0 && files < fewFiles {
		log.Warn("few files may be open, so few clients may be connected: raise it with ulimit -n, or LimitNOFILE= of systemd", "files", files, "connections", config.Connections)
	}
	return config, nil
}

// nearLimits says which clients of a server have used four fifths of one of their limits. Requests are left out unless some were
// refused: a burst uses up many of them, and is over in a second.
func nearLimits(st *nativewire.LimitStatus) (out []string) {
	if st == nil {
		return nil
	}
	for _, p := range st.Payers {
		refused := ""
		if p.Refused > 0 {
			refused = fmt.Sprintf("; %d of its requests or connections were refused", p.Refused)
		}
		if refused != "" || p.Limit != "requests" && p.Used*5 >= p.Most*4 {
			out = append(out, fmt.Sprintf("%s has %d of %d %s%s", p.Payer, p.Used, p.Most, p.Limit, refused))
		}
	}
	return out
}

func findLimits(x *examination) (out []symptom) {
	for _, a := range x.servers {
		for _, near := range nearLimits(a.Status.Limits) {
			out = append(out, symptom{What: a.Server + ": " + near})
		}
	}
	return out
}
