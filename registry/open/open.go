// Package open is the one switch from a registry's URL to its driver. It is opt-in: importing it brings every driver along.
//
//	local:NAMESPACE                         in this process
//	muster://h1:8761,h2:8761/NAMESPACE      muster serve; musters:// with TLS
//	musters://x:TOKEN@h1:8761               with a token, or with ?token=TOKEN, or ?token=file:PATH
//
// Every scheme that goes over the network takes tls, ca, cert, key and server_name; a trailing s of the scheme means TLS.
// Parameters that a scheme does not have are errors. URLs are printed without their secrets.
package open

import (
	"cmp"
	"fmt"
	"log/slog"
	"strings"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/registry/local"
	"github.com/muster-go/muster/registry/remote"
)

// Options says what a URL does not. The zero value is ready to use; a nil *Options means the same.
type Options struct {
	Namespace string       // for a URL that names none; it must not differ from one that does
	Token     string       // for a URL that brings none, where its scheme takes one
	By        string       // who acts, for the audit; "" means user@host of this process
	Log       *slog.Logger // nil discards
}

// Schemes are the schemes of this build, as users write them.
const Schemes = "local:, muster://, musters://"

// Open returns the driver that rawURL names. It connects to nothing yet.
//
// Errors: Invalid (the URL, a parameter, a file it names), Unsupported (a scheme that is planned).
func Open(rawURL string, opt *Options) (muster.Driver, error) {
	if opt == nil {
		opt = new(Options)
	}
	u, err := Parse(rawURL)
	if err != nil {
		return nil, err
	}
	switch u.Scheme {
	case "local":
		return openLocal(u, opt)
	case "muster":
		return openMuster(u, opt)
	case "eureka", "eureka+dns", "etcd", "zk", "amqp":
		return nil, &muster.Error{Op: "open", Code: muster.Unsupported, Err: fmt.Errorf("%s:// is planned; this build has: %s", u.Scheme, Schemes)}
	}
	return nil, invalid("%s: there is no scheme %q; this build has: %s", u, u.name(), Schemes)
}

func openLocal(u *URL, opt *Options) (muster.Driver, error) {
	namespace, err := u.namespace(opt)
	if err != nil {
		return nil, err
	}
	if len(u.Hosts) > 0 || u.User != "" || u.TLS {
		return nil, invalid("%s: local: is in this process and has no host; local:NAMESPACE is meant", u)
	}
	if err := u.only(); err != nil {
		return nil, err
	}
	return local.Open(&local.Options{Namespace: namespace, Log: opt.Log}), nil
}

func openMuster(u *URL, opt *Options) (muster.Driver, error) {
	namespace, err := u.namespace(opt)
	if err != nil {
		return nil, err
	}
	token, err := u.Token()
	if err != nil {
		return nil, err
	}
	hosts, err := u.hosts("8761")
	if err != nil {
		return nil, err
	}
	if err := u.only(append(tlsParams(), "token")...); err != nil {
		return nil, err
	}
	tls, err := u.tlsConfig()
	if err != nil {
		return nil, err
	}
	return remote.Open(remote.Options{Hosts: hosts, Namespace: namespace, TLS: tls, Token: cmp.Or(token, opt.Token), By: opt.By, Log: opt.Log})
}

// namespace is the one that the path names, else the options', else the default.
func (u *URL) namespace(opt *Options) (string, error) {
	name := strings.TrimSuffix(u.Path, "/")
	if name != "" && opt.Namespace != "" && !muster.EqualFold(name, opt.Namespace) {
		return "", invalid("%s names the namespace %q, but %q is asked for", u, name, opt.Namespace)
	}
	name = cmp.Or(name, opt.Namespace, muster.DefaultNamespace)
	if err := muster.CheckNamespace(name); err != nil {
		return "", invalid("%s: %w", u, err)
	}
	return name, nil
}

func invalid(format string, args ...any) error {
	return &muster.Error{Op: "open", Code: muster.Invalid, Err: fmt.Errorf(format, args...)}
}
