// Package server puts what `muster serve` is made of together: a store on a journal, the faces that serve it, the pages for
// people and for monitoring, and one http.Server with every bound set.
//
// A request passes, in this order: the check of the Host that a browser sends, counting, the toll that its payer can afford or
// not, its face, and there the door, which says whether its principal may. Faces are mounted in handler.go and nowhere else.
package server

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"sync"
	"syscall"
	"time"

	"github.com/muster-go/muster/internal/access"
	"github.com/muster-go/muster/internal/limits"
	"github.com/muster-go/muster/internal/probe"
	"github.com/muster-go/muster/internal/store"
	"github.com/muster-go/muster/internal/store/bolt"
)

// Server is a registry on one listener. Serve runs it, Close frees what it holds; Close without Serve is fine.
type Server struct {
	opt      Options
	listener net.Listener
	store    *store.Store
	door     *access.Door
	limits   *limits.Limits
	certs    *certificates // nil: plain HTTP
	http     *http.Server
	control  *control // nil: there is none
	probes   *probes
	fresh    fresh
	streams  context.CancelFunc // ends the requests that would go on for ever
	stopping chan struct{}      // closed when Serve begins to stop
	once     sync.Once
	closed   error
}

// Options configures a Server. Listen or Listener must be set.
type Options struct {
	Listen    string             // host:port; port 0 takes a free one
	Listener  net.Listener       // already open, instead of Listen; the server closes it
	Data      string             // directory of the journal, made if it is not there; "" keeps everything in memory
	Recover   bool               // when the journal is damaged, move it aside and start with what can still be read
	TLS       TLSFiles           // the zero value is plain HTTP
	Hosts     []string           // names under which browsers may reach the server, besides localhost and IP addresses
	Preserve  store.Preservation // the zero value is on
	Limits    limits.Config      // of payers and in all; what is 0 has none
	Anonymous *access.Level      // what those may who show no token; nil: all on a loopback address, else none
	Probe     probe.Options      // which instances are asked whether they are well; without Specs none
	Version   string             // of the program
	Log       *slog.Logger       // nil discards
}

// Times and sizes of the HTTP side. Faces set narrower ones for what they read, and longer ones for streams.
const (
	headerWithin = 10 * time.Second
	bodyWithin   = 30 * time.Second
	writeWithin  = 30 * time.Second
	idleWithin   = 3 * time.Minute // beyond Eureka's 30 s heartbeat, so that clients may keep their connection
	maxHeader    = 64 << 10
	stopWithin   = 5 * time.Second
	freshWithin  = 500 * time.Millisecond // for the first request of who has just connected
	streamsStop  = 100 * time.Millisecond // after that, for short requests under way
)

// Open takes the listener and the journal. Nothing is answered before Serve.
//
// Errors: the address cannot be listened on; the directory is locked, damaged or cannot be written; the TLS files cannot be used.
func Open(opt Options) (*Server, error) {
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	listener, err := listen(opt)
	if err != nil {
		return nil, err
	}
	st, err := openStore(opt)
	if err != nil {
		listener.Close()
		return nil, err
	}
	certs, err := openCertificates(opt.TLS, opt.Log)
	if err != nil {
		listener.Close()
		return nil, errors.Join(err, st.Close())
	}
	memory, _ := limits.Memory()
	s := &Server{
		opt: opt, listener: listener, store: st, certs: certs, probes: newProbes(st, opt), stopping: make(chan struct{}),
		limits: limits.New(opt.Limits.For(memory, runtime.GOMAXPROCS(0))),
	}
	s.door = access.New(access.Options{Anonymous: s.anonymous(), Tokens: st, Log: opt.Log})
	ctx, cancel := context.WithCancel(context.Background())
	s.streams = cancel
	s.http = &http.Server{
		Handler:           s.handler(),
		ReadHeaderTimeout: headerWithin,
		WriteTimeout:      writeWithin,
		IdleTimeout:       idleWithin,
		MaxHeaderBytes:    maxHeader,
		ConnState:         s.fresh.note,
		ErrorLog:          log.New(complaints{opt.Log, s.door.DeniedHandshake}, "", 0),
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return withAccount(s.door.Meet(ctx, c), c)
		},
	}
	if certs != nil {
		s.http.TLSConfig = certs.config()
	}
	if s.control, err = s.newControl(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// listen takes the listener that was handed in, or opens one.
func listen(opt Options) (net.Listener, error) {
	if opt.Listener != nil {
		return opt.Listener, nil
	}
	if opt.Listen == "" { // to package net that means every network, on any port
		return nil, errors.New("listen: no address is given; host:port is meant, such as 127.0.0.1:8761")
	}
	listener, err := net.Listen("tcp", opt.Listen)
	if err != nil {
		return nil, listenError(opt.Listen, err)
	}
	return listener, nil
}

func openStore(opt Options) (*store.Store, error) {
	so := store.Options{
		Preserve: opt.Preserve, Log: opt.Log,
		Quota: store.Quota{
			Instances: int(opt.Limits.Instances), Bytes: opt.Limits.Metadata, Namespaces: int(opt.Limits.Namespaces),
			Total: opt.Limits.Total, Each: limits.PerInstance,
		},
	}
	if opt.Data != "" {
		journal, err := bolt.Open(opt.Data, &bolt.Options{Recover: opt.Recover, Version: opt.Version, Log: opt.Log})
		if err != nil {
			return nil, err
		}
		so.Journal = journal
	}
	st, err := store.Open(so)
	if err != nil && so.Journal != nil {
		so.Journal.Close()
	}
	return st, err
}

// anonymous is what those may who show no token.
func (s *Server) anonymous() access.Level {
	if s.opt.Anonymous != nil {
		return *s.opt.Anonymous
	}
	if s.Local() {
		return access.All
	}
	return access.None
}

// Anonymous is what those may who show no token.
func (s *Server) Anonymous() access.Level { return s.door.Anonymous() }

// exposed says that others than on this machine need no token; "" when they do.
func (s *Server) exposed() string {
	if s.Local() || s.Anonymous() == access.None {
		return ""
	}
	return fmt.Sprintf("Whoever reaches this server may do this without a token: --anonymous %v.", s.Anonymous())
}

// Local reports whether only this machine can reach the server.
func (s *Server) Local() bool {
	at, ok := s.listener.Addr().(*net.TCPAddr)
	return ok && at.IP.IsLoopback()
}

// Secure reports whether the server speaks TLS.
func (s *Server) Secure() bool { return s.certs != nil }

// Addr is where the server listens.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// URL is how a client on this machine reaches the server.
func (s *Server) URL() string {
	host, port, err := net.SplitHostPort(s.Addr().String())
	if ip := net.ParseIP(host); err == nil && ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	scheme := "http://"
	if s.certs != nil {
		scheme = "https://"
	}
	return scheme + net.JoinHostPort(host, port)
}

// Store is what the server serves.
func (s *Server) Store() *store.Store { return s.store }

// Handler is what the server answers with, for those who bring a listener of their own.
func (s *Server) Handler() http.Handler { return s.http.Handler }

// Serve answers until ctx ends, then stops: it takes no new connections, lets requests finish, ends streams, and closes.
// Who has connected gets an answer; who connects later waits for the next process, if somebody else holds the socket open too.
//
// Errors: the listener's or the journal's. A stop that ctx asked for is none.
func (s *Server) Serve(ctx context.Context) error {
	if why := s.exposed(); why != "" {
		s.opt.Log.Warn("others than on this machine need no token", "address", s.Addr().String(), "anonymous", s.Anonymous().String())
	}
	s.probes.start()
	s.control.start()
	failed := make(chan error, 1)
	go func() { failed <- s.serve(listener{s.listener, s.limits}) }()
	load := make(chan error, 1)
	go func() { load <- s.store.AwaitLoad(ctx) }()
	for {
		select {
		case err := <-failed:
			return errors.Join(fmt.Errorf("listener %s: %w", s.Addr(), err), s.Close())
		case err := <-load:
			if err != nil && ctx.Err() == nil {
				return errors.Join(err, s.stop(failed))
			}
			load = nil
		case <-ctx.Done():
			return s.stop(failed)
		}
	}
}

func (s *Server) serve(l net.Listener) error {
	if s.certs != nil {
		return s.http.ServeTLS(l, "", "") // with its TLSConfig
	}
	return s.http.Serve(l)
}

// Reload reads the TLS files again, which happens by itself a few seconds after they changed.
func (s *Server) Reload() {
	if s.certs != nil {
		s.certs.look(true)
	}
}

// stop ends the HTTP side in order, then the store.
func (s *Server) stop(failed <-chan error) error {
	close(s.stopping)
	s.http.SetKeepAlivesEnabled(false)
	s.listener.Close()
	<-failed // whoever was taken is counted from here on
	s.fresh.await(freshWithin)
	ctx, cancel := context.WithTimeout(context.Background(), stopWithin)
	defer cancel()
	cut := time.AfterFunc(streamsStop, s.streams)
	defer cut.Stop()
	if err := s.http.Shutdown(ctx); err != nil {
		s.opt.Log.Warn("requests were cut off", "after", stopWithin)
	}
	return s.Close()
}

// Close frees the listener and the journal. It is idempotent.
//
// Errors: what the journal answered to the last write.
func (s *Server) Close() error {
	s.once.Do(func() {
		s.streams()
		s.http.Close()
		s.listener.Close()
		s.control.close()
		s.certs.close()
		s.probes.stop()
		s.closed = s.store.Close()
	})
	return s.closed
}

// listenError says what can be done about an address that cannot be listened on.
func listenError(address string, err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("listen on %s: the port is taken; is muster serve running already? Choose another with --listen, or port 0 for any (%w)", address, err)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("listen on %s: not allowed; ports below 1024 need rights of their own (%w)", address, err)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Errorf("listen on %s: this machine has no such address (%w)", address, err)
	}
	return fmt.Errorf("listen on %q: %w; host:port is meant, such as 127.0.0.1:8761", address, err)
}
