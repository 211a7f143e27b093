package main

import (
	"github.com/spf13/cobra"

	"github.com/muster-go/muster/internal/config"
	"github.com/muster-go/muster/registry/open"
)

func (c *cli) configCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "config",
		Short: "Show every setting, and where its value came from",
		Long: `Shows every setting with its value and where that came from: a flag before the environment, before muster.yaml,
before the default. muster.yaml is read from the working directory, else from the user's configuration directory;
unknown keys in it are errors, and so is a registry that is neither a URL nor a name in it. It may give registries names:

  registry: prod
  registries:
    lab: muster://lab:8761
    prod:
      url: musters://reg1:8761,reg2:8761
      options: {ca: /etc/muster/ca.pem}
  serve:
    listen: 10.0.0.5:8761

Values of registries may hold ${NAME} from the environment, or be file:PATH.`,
		Example: `  muster config
  muster config -o json
  MUSTER_REGISTRY=lab muster config`,
		Args: none,
		RunE: func(*cobra.Command, []string) error { return c.showConfig() },
	}
}

// shownSetting is one row of `muster config`.
type shownSetting struct {
	Key   string `json:"key"`
	Value string `json:"value"`
	From  string `json:"from"`
}

// settingsShown is what `muster config` prints.
type settingsShown struct {
	Items []shownSetting `json:"items"`
}

func (c *cli) showConfig() error {
	var rows []shownSetting
	for _, key := range c.keys {
		v := c.set.values[key.Name]
		rows = append(rows, shownSetting{key.Name, shown(v), v.From})
	}
	for _, name := range c.set.file.Names() {
		reg := c.set.file.Registries[name]
		rows = append(rows, shownSetting{"registries." + name, open.Mask(reg.URL), reg.From()})
	}
	var names []string
	for _, r := range rows {
		names = append(names, r.Key)
	}
	err := c.print(printed{
		Value: settingsShown{rows},
		Names: names,
		Table: func(bool) *table {
			t := newTable(false, "KEY", "VALUE", "FROM")
			for _, r := range rows {
				t.add(r.Key, r.Value, r.From)
			}
			return t
		},
	})
	if err != nil {
		return err
	}
	return c.checkName(c.text("registry"))
}

// shown is a value that may be printed: passwords in URLs are masked.
func shown(v config.Value) string {
	switch {
	case v.Name == "registry":
		return open.Mask(v.Value)
	case v.Name == tokenKey && v.Value != "":
		return "***"
	}
	return v.Value
}
