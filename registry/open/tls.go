package open

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/muster-go/muster"
)

// tlsParams are the parameters of every scheme that goes over the network; tls comes first.
func tlsParams() []string { return []string{"tls", "ca", "cert", "key", "server_name"} }

// only refuses parameters that are not named.
func (u *URL) only(names ...string) error {
	for _, k := range slices.Sorted(maps.Keys(u.Query)) {
		if slices.Contains(names, k) {
			continue
		}
		if len(names) == 0 {
			return invalid("%s: %s takes no parameters, %q is unknown", u, u.Scheme, k)
		}
		return invalid("%s: the parameter %q is unknown; there are: %s", u, k, strings.Join(names, ", "))
	}
	return nil
}

// TLSConfig is what the URL says of TLS, for who connects to its hosts without a driver; nil is no TLS.
//
// Errors: Invalid (a parameter, a file it names).
func (u *URL) TLSConfig() (*tls.Config, error) { return u.tlsConfig() }

// tlsConfig makes of tls, ca, cert, key and server_name what they say; nil is no TLS.
func (u *URL) tlsConfig() (*tls.Config, error) {
	on := u.TLS
	if s, ok := u.param("tls"); ok {
		v, err := strconv.ParseBool(s)
		if err != nil {
			return nil, invalid("%s: tls=%q is neither true nor false", u, s)
		}
		if u.TLS && !v {
			return nil, invalid("%s: the s of %ss:// means TLS, tls=%s does not", u, u.Scheme, s)
		}
		on = v
	}
	if !on {
		for _, k := range tlsParams()[1:] {
			if _, ok := u.param(k); ok {
				return nil, invalid("%s: %s is given, but no TLS: %ss:// is meant", u, k, u.Scheme)
			}
		}
		return nil, nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	c.ServerName, _ = u.param("server_name")
	if file, ok := u.param("ca"); ok {
		pem, err := os.ReadFile(file)
		if err != nil {
			return nil, invalid("%s: ca: %w", u, err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, invalid("%s: ca: %s holds no certificate in PEM", u, file)
		}
	}
	cert, hasCert := u.param("cert")
	key, hasKey := u.param("key")
	if hasCert != hasKey {
		return nil, invalid("%s: cert and key go together", u)
	}
	if hasCert {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			return nil, invalid("%s: cert and key: %w", u, err)
		}
		c.Certificates = []tls.Certificate{pair}
		if u.Scheme == "muster" {
			c.GetClientCertificate = shown(&pair, cert)
		}
	}
	return c, nil
}

// shown gives the certificate to a server that asks for one, and says when it is none that the server believes: crypto/tls would
// leave it out without a word, and the server would answer that nothing was shown.
func shown(pair *tls.Certificate, file string) func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
	return func(asked *tls.CertificateRequestInfo) (*tls.Certificate, error) {
		if err := asked.SupportsCertificate(pair); err != nil {
			return nil, &muster.Error{Code: muster.Denied, Err: fmt.Errorf(
				"the server does not believe the certificate in %s (%s, issued by %s): its --client-ca names other authorities", file, pair.Leaf.Subject, pair.Leaf.Issuer)}
		}
		return pair, nil
	}
}

func (u *URL) param(name string) (string, bool) {
	v, ok := u.Query[name]
	if !ok {
		return "", false
	}
	return v[0], true
}
