package main

import (
	"log/slog"

	"github.com/muster-go/muster/internal/limits"
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
	if files > 0 && files < fewFiles {
		log.Warn("few files may be open, so few clients may be connected: raise it with ulimit -n, or LimitNOFILE= of systemd", "files", files, "connections", config.Connections)
	}
	return config, nil
}
