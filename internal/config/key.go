package config

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Key is one thing that can be set: by a flag, by a variable of the environment, in muster.yaml, or left at its default.
type Key struct {
	Name    string // in muster.yaml, dotted: "serve.listen"
	Env     string // variable of the environment
	Default string
	Kind    Kind
	About   string // one line
}

// Flag is the name of the key's flag: the last part of Name.
func (k Key) Flag() string { return k.Name[strings.LastIndexByte(k.Name, '.')+1:] }

// Kind says what a value must look like.
type Kind uint8

const (
	Text     Kind = iota
	Duration      // "30s", "1m30s"; not negative
	Switch        // true or false
	List          // in muster.yaml a sequence or one text; elsewhere separated by commas
)

// Check says what is wrong with a value of that kind.
func (k Kind) Check(value string) error {
	switch k {
	case Duration:
		if d, err := time.ParseDuration(value); err != nil || d < 0 {
			return fmt.Errorf("%q is not a duration such as 30s or 1m30s", value)
		}
	case Switch:
		if _, err := strconv.ParseBool(value); err != nil {
			return fmt.Errorf("%q is neither true nor false", value)
		}
	}
	return nil
}

// Value is a key with what it was set to.
type Value struct {
	Key
	Value string
	From  string // "flag --listen", "environment MUSTER_LISTEN", "muster.yaml:12", "default"
}

// Resolve gives the value of key: flag, if it is set, before the environment, the file and the default. file may be nil.
//
// Errors: the value of the flag or of the environment is not of the key's kind.
func Resolve(key Key, flag string, set bool, getenv func(string) string, file *File) (Value, error) {
	if set {
		if err := key.Kind.Check(flag); err != nil {
			return Value{}, fmt.Errorf("flag --%s: %w", key.Flag(), err)
		}
		return Value{key, flag, "flag --" + key.Flag()}, nil
	}
	if v := getenv(key.Env); v != "" {
		if err := key.Kind.Check(v); err != nil {
			return Value{}, fmt.Errorf("environment %s: %w", key.Env, err)
		}
		return Value{key, v, "environment " + key.Env}, nil
	}
	if file != nil {
		if s, ok := file.settings[key.Name]; ok {
			return Value{key, s.value, fmt.Sprintf("%s:%d", file.Path, s.line)}, nil
		}
	}
	return Value{key, key.Default, "default"}, nil
}
