package main

import (
	"context"
	"fmt"
	"runtime"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-go/muster/internal/release"
	"github.com/muster-go/muster/internal/store/bolt"
)

func (c *cli) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version of this program and of the registry's servers",
		Long: `Prints the version of this program, and those of the registry's servers if they answer within a second. Versions that
are up to two minor ones apart understand each other.`,
		Example: `  muster version
  muster version -o json
  muster version -o name     # of this program alone; asks nobody`,
		Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.versions(cmd.Context()) },
	}
}

// versionsShown is what `muster version` prints.
type versionsShown struct {
	Version string          `json:"version"`          // of this program
	Commit  string          `json:"commit,omitempty"` // that it was built from
	Format  int             `json:"format"`           // of the data file that it writes; it reads older ones
	Go      string          `json:"go"`
	OS      string          `json:"os"`
	Arch    string          `json:"arch"`
	Servers []serverVersion `json:"servers,omitempty"` // those that answered
}

// serverVersion is which version one server is of.
type serverVersion struct {
	Server  string `json:"server"`
	Version string `json:"version"`
}

// versionWithin is how long servers have to say theirs: the command has its answer without them.
const versionWithin = time.Second

func (c *cli) versions(ctx context.Context) error {
	v := versionsShown{Version: version(), Commit: release.Commit(), Format: bolt.Format, Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH}
	if c.format() != asName {
		v.Servers = c.serverVersions(ctx)
	}
	err := c.print(printed{
		Value: v,
		Names: []string{v.Version},
		Table: func(bool) *table {
			t := newTable(false, "PROGRAM", "VERSION", "COMMIT", "DATA FORMAT", "GO", "OS", "ARCH")
			t.spare = []string{"GO", "COMMIT"}
			t.add("this", v.Version, fmt.Sprintf("%.12s", v.Commit), strconv.Itoa(v.Format), v.Go, v.OS, v.Arch)
			for _, s := range v.Servers {
				t.add(s.Server, s.Version, "", "", "", "", "")
			}
			return t
		},
	})
	for _, s := range v.Servers {
		if release.TooFar(s.Version, v.Version) {
			c.progress("%s", tooFar(s.Server, s.Version, v.Version))
		}
	}
	return err
}

// serverVersions asks the registry's servers; one that does not answer is left out.
func (c *cli) serverVersions(ctx context.Context) []serverVersion {
	web, err := c.servers()
	if err != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, versionWithin)
	defer cancel()
	var out []serverVersion
	for _, a := range c.askServers(ctx, web) {
		if a.Err == nil {
			out = append(out, serverVersion{a.Server, a.Status.Version})
		}
	}
	return out
}

// version is which version of muster this is.
func version() string { return release.Version() }
