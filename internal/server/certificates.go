package server

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/muster-go/muster/internal/nativewire"
)

// TLSFiles names the files of a server that speaks TLS; without Cert it speaks plain HTTP.
type TLSFiles struct {
	Cert     string // chain in PEM, the server's own certificate first
	Key      string // in PEM
	ClientCA string // authorities of client certificates in PEM; "": clients are not asked for one
}

// certificates is the server's key pair and whom it believes of its clients. The files are read again every few seconds, and on
// [Server.Reload]: what they hold counts, so that a link that points elsewhere is noticed, and a file that was merely touched is
// not. A pair that cannot be used leaves the one before in its place.
type certificates struct {
	files TLSFiles
	log   *slog.Logger

	current atomic.Pointer[keyPair]
	trouble atomic.Pointer[string] // why the files on disk are not what is used; nil: they are

	mu   sync.Mutex // guards what follows, and reading
	seen [32]byte   // what was read last

	cancel context.CancelFunc
	done   chan struct{} // closed when the goroutine has ended
}

// keyPair is what new connections get. It is immutable.
type keyPair struct {
	config *tls.Config
	leaf   *x509.Certificate
}

const (
	reloadEvery = 2 * time.Second
	maxPEM      = 1 << 20 // bytes of a file
)

// openCertificates reads the files and begins to watch them. It returns nil without any.
//
// Errors: a file cannot be read, or certificate and key do not belong together.
func openCertificates(files TLSFiles, log *slog.Logger) (*certificates, error) {
	if files == (TLSFiles{}) {
		return nil, nil
	}
	if files.Cert == "" || files.Key == "" {
		return nil, errors.New("TLS needs both a certificate and its key (--tls-cert, --tls-key)")
	}
	c := &certificates{files: files, log: log, done: make(chan struct{})}
	sum, pair, err := c.read()
	if err != nil {
		return nil, err
	}
	c.seen = sum
	c.current.Store(pair)
	ctx, cancel := context.WithCancel(context.Background())
	c.cancel = cancel
	go c.watch(ctx)
	return c, nil
}

// config is what the server listens with.
func (c *certificates) config() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: []string{"h2", "http/1.1"},
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			return c.current.Load().config, nil
		},
	}
}

// watch looks at the files until close.
func (c *certificates) watch(ctx context.Context) {
	defer close(c.done)
	tick := time.NewTicker(reloadEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			c.look(false)
		case <-ctx.Done():
			return
		}
	}
}

// look reads the files and uses what they hold if it is new. What is wrong twice in a row, and so is not merely being written, is
// told; now tells it at once.
func (c *certificates) look(now bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	sum, pair, err := c.read()
	again := sum == c.seen
	c.seen = sum
	switch {
	case err == nil && again && c.trouble.Load() == nil:
	case err == nil:
		c.trouble.Store(nil)
		c.current.Store(pair)
		c.log.Info("TLS certificate read anew", "names", pair.leaf.DNSNames, "until", pair.leaf.NotAfter.UTC().Format(time.RFC3339))
	case again || now:
		text := err.Error()
		if old := c.trouble.Swap(&text); old == nil || *old != text {
			c.log.Error("the TLS files cannot be used; the pair from before is kept", "error", err, "until", c.current.Load().leaf.NotAfter.UTC().Format(time.RFC3339))
		}
	}
}

// read reads the files; sum changes with what they hold, or with why they cannot be read.
func (c *certificates) read() (sum [32]byte, _ *keyPair, err error) {
	hash := sha256.New()
	var texts [3][]byte
	for i, path := range [...]string{c.files.Cert, c.files.Key, c.files.ClientCA} {
		var readErr error
		if path != "" {
			texts[i], readErr = readPEM(path)
		}
		fmt.Fprintf(hash, "%d %x %v/", i, sha256.Sum256(texts[i]), readErr)
		err = errors.Join(err, readErr)
	}
	hash.Sum(sum[:0])
	if err != nil {
		return sum, nil, err
	}
	pair, err := newKeyPair(c.files, texts)
	return sum, pair, err
}

func newKeyPair(files TLSFiles, texts [3][]byte) (*keyPair, error) {
	cert, err := tls.X509KeyPair(texts[0], texts[1])
	if err != nil {
		return nil, fmt.Errorf("%s and %s: %w", files.Cert, files.Key, err)
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}, Certificates: []tls.Certificate{cert}}
	if files.ClientCA != "" {
		config.ClientCAs = x509.NewCertPool()
		if !config.ClientCAs.AppendCertsFromPEM(texts[2]) {
			return nil, fmt.Errorf("%s holds no certificate in PEM", files.ClientCA)
		}
		config.ClientAuth = tls.VerifyClientCertIfGiven
	}
	var key [32]byte
	rand.Read(key[:])                            // never fails, by its contract
	config.SetSessionTicketKeys([][32]byte{key}) // so that nobody resumes what an authority vouched for that is believed no more
	return &keyPair{config: config, leaf: cert.Leaf}, nil
}

func readPEM(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxPEM+1))
	if err == nil && len(text) > maxPEM {
		err = fmt.Errorf("%s has more than %d bytes", path, maxPEM)
	}
	return text, err
}

// status is what operators see of it; nil without TLS.
func (c *certificates) status() *nativewire.Certificate {
	if c == nil {
		return nil
	}
	pair := c.current.Load()
	out := &nativewire.Certificate{Names: append([]string{}, pair.leaf.DNSNames...), NotAfter: pair.leaf.NotAfter.UTC(), Clients: c.files.ClientCA != ""}
	for _, ip := range pair.leaf.IPAddresses {
		out.Names = append(out.Names, ip.String())
	}
	if why := c.trouble.Load(); why != nil {
		out.Trouble = *why
	}
	return out
}

// why says what is wrong; "" is nothing.
func (c *certificates) why() string {
	st := c.status()
	switch {
	case st == nil:
		return ""
	case time.Now().After(st.NotAfter):
		return "certificate: it expired at " + st.NotAfter.Format(time.RFC3339)
	case st.Trouble != "":
		return "certificate: the files cannot be used, the pair from before is kept: " + st.Trouble
	}
	return ""
}

// register adds the metric of when the certificate expires, if there is one.
func (c *certificates) register(r *prometheus.Registry) {
	if c == nil {
		return
	}
	r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "muster_certificate_expiry_timestamp_seconds", Help: "When the certificate that new connections get expires, in Unix time.",
	}, func() float64 { return float64(c.current.Load().leaf.NotAfter.Unix()) }))
}

func (c *certificates) close() {
	if c == nil {
		return
	}
	c.cancel()
	<-c.done
}
