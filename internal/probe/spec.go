package probe

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/muster-go/muster"
)

// Spec says how the instances of the services that it names are asked.
type Spec struct {
	Namespace string // may hold "*", as Service may
	Service   string
	Kind      Kind
	Path      string // of HTTP
}

// ParseSpec reads "[NAMESPACE:]SERVICE=tcp", "…=http:/path" or "…=grpc". A "*" in a name stands for any characters.
//
// Errors: the text is none of these.
func ParseSpec(s string) (Spec, error) {
	of, how, ok := strings.Cut(s, "=")
	if !ok {
		return Spec{}, fmt.Errorf("probe %q is not SERVICE=tcp, SERVICE=http:/path or SERVICE=grpc", s)
	}
	var p Spec
	if ns, service, named := strings.Cut(of, ":"); named {
		p.Namespace, p.Service = ns, service
		if ns == "" {
			return Spec{}, fmt.Errorf("probe %q: the namespace before : is empty", s)
		}
	} else {
		p.Namespace, p.Service = muster.DefaultNamespace, of
	}
	for _, name := range [...]string{p.Namespace, p.Service} {
		if err := checkPattern(name); err != nil {
			return Spec{}, fmt.Errorf("probe %q: %w", s, err)
		}
	}
	path, isHTTP := strings.CutPrefix(how, "http:")
	switch {
	case how == "tcp":
		p.Kind = TCP
	case how == "grpc":
		p.Kind = GRPC
	case isHTTP && strings.HasPrefix(path, "/") && !strings.HasPrefix(path, "//"): // no other host's URL
		if _, err := url.ParseRequestURI(path); err != nil {
			return Spec{}, fmt.Errorf("probe %q: %w", s, err)
		}
		p.Kind, p.Path = HTTP, path
	default:
		return Spec{}, fmt.Errorf("probe %q: %q is not tcp, http:/path or grpc", s, how)
	}
	return p, nil
}

// String is what ParseSpec reads.
func (p Spec) String() string {
	return p.Namespace + ":" + p.Service + "=" + [...]string{"tcp", "http:" + p.Path, "grpc"}[p.Kind]
}

// checkPattern says what is wrong with a name that may hold "*".
func checkPattern(name string) error {
	if name == "" {
		return errors.New("it names no service")
	}
	if plain := strings.ReplaceAll(name, "*", ""); plain != "" {
		return muster.CheckService("x" + plain)
	}
	return nil
}

// within reports whether the spec is for services of the namespace, names whether it is for one of that name.

func (p Spec) within(namespace string) bool {
	return match(muster.Fold(p.Namespace), muster.Fold(namespace))
}
func (p Spec) names(service string) bool { return match(muster.Fold(p.Service), muster.Fold(service)) }

// match reports whether name is what pattern says, in which "*" stands for any characters.
func match(pattern, name string) bool {
	head, rest, star := strings.Cut(pattern, "*")
	if !star {
		return pattern == name
	}
	name, ok := strings.CutPrefix(name, head)
	if !ok {
		return false
	}
	for {
		part, more, star := strings.Cut(rest, "*")
		if !star {
			return strings.HasSuffix(name, part)
		}
		i := strings.Index(name, part)
		if i < 0 {
			return false
		}
		name, rest = name[i+len(part):], more
	}
}

// check is how an instance is asked, or false when it has no endpoint that can be. It is one of its own endpoints, whatever it
// claims elsewhere. Certificates are not verified: instances register addresses, and nothing but the question is sent.
func (p Spec) check(in *muster.Instance) (Check, bool) {
	schemes := ""
	switch p.Kind {
	case HTTP:
		schemes = "http,https"
	case GRPC:
		schemes = "grpc,grpcs,http,https"
	}
	end, ok := in.Endpoint(schemes)
	if !ok || end.Scheme == "udp" {
		return Check{}, false
	}
	return Check{Kind: p.Kind, Address: end.Address, TLS: p.Kind != TCP && (end.Scheme == "https" || end.Scheme == "grpcs"), Path: p.Path}, true
}
