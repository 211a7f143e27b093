package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/muster-go/muster/internal/debugwire"
	"github.com/muster-go/muster/internal/demo"
	"github.com/muster-go/muster/internal/load"
	"github.com/muster-go/muster/internal/nativewire"
	"github.com/muster-go/muster/test/golden"
)

// TestPromisedCommandLine holds commands, flags, settings, exit codes and findings to the list of docs/compatibility.md.
func TestPromisedCommandLine(t *testing.T) {
	c := &cli{getenv: func(string) string { return "" }}
	c.keys = settingKeys(c.getenv)
	var lines []string
	say := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	for _, key := range c.keys {
		say("setting %s, environment %s", key.Name, key.Env)
	}
	for _, f := range findings() {
		say("finding %s %s", f.Code, f.Title)
	}
	for line := range strings.Lines(exitCodesHelp().Long) {
		if text := strings.TrimSpace(line); text != "Exit codes:" {
			say("exit code %s", text)
		}
	}
	for _, f := range formats() {
		say("output %s", f)
	}
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		if cmd.Hidden {
			return
		}
		say("command %s", cmd.CommandPath())
		for _, alias := range cmd.Aliases {
			say("command %s, also %s", cmd.CommandPath(), alias)
		}
		flags := func(f *pflag.Flag) {
			if f.Name != "help" && !f.Hidden {
				say("command %s, flag --%s %s %s", cmd.CommandPath(), f.Name, f.Shorthand, f.Value.Type())
			}
		}
		cmd.LocalFlags().VisitAll(flags)
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
	}
	walk(c.root())
	golden.Lines(t, "testdata/promises/commands.txt", lines)
}

// shapes are what each command prints with -o json, and arguments with which it does so in a lab.
func shapes() map[string]struct {
	shape any
	args  []string
} {
	type printing = struct {
		shape any
		args  []string
	}
	records := nativewire.List[nativewire.AuditRecord]{}
	return map[string]printing{
		"services":                   {nativewire.List[nativewire.Service]{}, []string{"services"}},
		"instances":                  {nativewire.List[nativewire.Instance]{}, []string{"instances"}},
		"explain":                    {explained{}, []string{"explain", "ORDERS"}},
		"watch":                      {change{}, nil}, // one a line; it ends when it is told to
		"audit":                      {records, []string{"audit"}},
		"status":                     {statuses{}, []string{"status"}},
		"doctor":                     {findingsShown{}, []string{"doctor"}},
		"disable":                    {records, []string{"disable", "ORDERS", "10.0.0.1:8080"}},
		"enable":                     {records, []string{"enable", "ORDERS", "10.0.0.1:8080"}},
		"weight":                     {records, []string{"weight", "ORDERS", "10.0.0.1:8080", "5"}},
		"note":                       {records, []string{"note", "ORDERS", "10.0.0.1:8080", "text"}},
		"drain":                      {records, []string{"drain", "ORDERS", "10.0.0.1:8080", "--grace", "0s"}},
		"undo":                       {records, []string{"undo"}},
		"register":                   {nativewire.Instance{}, []string{"register", "PRINTER", "--url", "tcp://10.0.0.9:9100", "--static"}},
		"deregister":                 {nativewire.List[nativewire.Instance]{}, []string{"deregister", "ORDERS", "10.0.0.3:8080"}},
		"breaker":                    {explained{}, nil}, // needs a running program
		"breaker SERVICE WORD":       {nativewire.List[debugwire.Forced]{}, nil},
		"config":                     {settingsShown{}, []string{"config"}},
		"version":                    {versionsShown{}, []string{"version"}},
		"status of another registry": {listStatus{}, []string{"status", "--registry", "local:"}},
		"demo":                       {demo.Report{}, nil}, // takes twenty seconds
		"bench":                      {load.Report{}, nil},
		"backup":                     {kept{}, nil}, // of a data directory, which the lab has not
		"restore":                    {restored{}, nil},
		"token":                      {nativewire.TokenList{}, nil}, // list
		"token create":               {nativewire.NewToken{}, nil},
	}
}

func TestPromisedJSON(t *testing.T) {
	l := fleet(t)
	var lines []string
	for command, x := range shapes() {
		say := func(path string, kind reflect.Type) {
			lines = append(lines, fmt.Sprintf("%s: %s %s", command, path, kind))
		}
		fields(reflect.TypeOf(x.shape), "", map[reflect.Type]bool{}, say)
		if x.args == nil {
			continue
		}
		if command == "undo" { // of whatever comes last otherwise, in no order
			l.must("note", "ORDERS", "10.0.0.2:8080", "to be undone", "--yes")
		}
		res := l.run(append(x.args, "-o", "json", "--yes")...)
		if strings.Contains(res.stderr, "unknown flag: --yes") {
			res = l.run(append(x.args, "-o", "json")...)
		}
		dec := json.NewDecoder(bytes.NewReader([]byte(res.stdout)))
		dec.DisallowUnknownFields()
		if err := dec.Decode(reflect.New(reflect.TypeOf(x.shape)).Interface()); err != nil {
			t.Errorf("muster %s prints what its shape does not have: %v\n%s%s", strings.Join(x.args, " "), err, res.stdout, res.stderr)
		}
	}
	golden.Lines(t, "testdata/promises/json.txt", lines)
}

// fields says each field of a shape, as its JSON has it.
func fields(typ reflect.Type, path string, inside map[reflect.Type]bool, say func(string, reflect.Type)) {
	switch typ.Kind() {
	case reflect.Pointer:
		fields(typ.Elem(), path, inside, say)
	case reflect.Slice:
		fields(typ.Elem(), path+"[]", inside, say)
	case reflect.Struct:
		if typ == reflect.TypeFor[time.Time]() || inside[typ] { // what refers to itself is said once
			say(path, typ)
			return
		}
		inside[typ] = true
		for _, f := range reflect.VisibleFields(typ) {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if name == "" && f.IsExported() && !f.Anonymous {
				name = f.Name
			}
			if name != "" && name != "-" {
				fields(f.Type, strings.TrimPrefix(path+"."+name, "."), inside, say)
			}
		}
		delete(inside, typ)
	default:
		say(path, typ)
	}
}

func TestEveryCommandThatPrintsHasAShape(t *testing.T) {
	l := newLab(t)
	silent := []string{"call", "completion", "exit-codes", "help", "ready", "serve", "top", "wait"} // and what they print is not ours, or a table
	for _, cmd := range l.cli().root().Commands() {
		if _, ok := shapes()[cmd.Name()]; !ok && !strings.Contains(" "+strings.Join(silent, " ")+" ", " "+cmd.Name()+" ") {
			t.Errorf("muster %s: add what it prints with -o json, or that it prints nothing of its own", cmd.Name())
		}
	}
}

func TestEverySettingOfServeIsInItsDocument(t *testing.T) {
	text, err := os.ReadFile("../../docs/serve.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range settingKeys(func(string) string { return "" }) {
		flag, of := strings.CutPrefix(key.Name, "serve.")
		if of && (!strings.Contains(string(text), "`--"+flag) || !strings.Contains(string(text), "`"+key.Env+"`")) {
			t.Errorf("docs/serve.md has no row for --%s and %s", flag, key.Env)
		}
	}
}

func TestEveryCommandIsInItsDocument(t *testing.T) {
	text, err := os.ReadFile("../../docs/cli.md")
	if err != nil {
		t.Fatal(err)
	}
	c := &cli{getenv: func(string) string { return "" }}
	for _, cmd := range c.root().Commands() {
		if cmd.Runnable() && !cmd.Hidden && !regexp.MustCompile("`(muster (help )?)?"+cmd.Name()+"[ `]").Match(text) {
			t.Errorf("docs/cli.md does not name muster %s", cmd.Name())
		}
	}
}

// A name of several words is written as one, as in the native API.
func TestFieldsAreLowerCase(t *testing.T) {
	for command, x := range shapes() {
		fields(reflect.TypeOf(x.shape), "", map[reflect.Type]bool{}, func(path string, _ reflect.Type) {
			if path != strings.ToLower(path) || strings.ContainsAny(path, "-") {
				t.Errorf("%s: %s has capitals or a hyphen", command, path)
			}
		})
	}
}
