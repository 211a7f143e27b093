package httprpc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/muster-go/muster"
)

// ServeOptions configures Serve. The zero value is ready to use; nil means the same.
type ServeOptions struct {
	Gate     *muster.Gate                   // nil means one without a limit
	Grace    time.Duration                  // for stopping, all steps together; 0 means 20 s
	Observer muster.Observer                // of the requests served; nil hears nothing
	Log      *slog.Logger                   // nil discards
	Started  func(reg *muster.Registration) // called when srv serves and the instance is registered; may be nil
}

// lastStep is what deregistering gets when the rest of Grace is used up.
const lastStep = 2 * time.Second

// Serve runs srv as the instance in of a service, until ctx ends: it listens on srv.Addr ("" means 127.0.0.1 and a free port;
// ":0" a free port on every address), serves srv.Handler as a [Handler], and registers with the port it got. Then it leaves in
// order: out of traffic ([muster.Registration.Leave], which waits the registry's Drain), no new requests and the end of those
// inside ([muster.Gate.Drain]), connections closed, deregistered.
//
// An instance without endpoints gets the one listened on; one written with port 0 gets the real port. Its metadata says
// muster.probe=1, so that clients ask it how busy it is ([ProbeHeader]); whoever does not want that sets [muster.ProbeKey] to 0. srv belongs to Serve
// from now on; timeouts that it leaves at zero for headers and idle connections are set. With a certificate in srv.TLSConfig
// it serves https.
//
// Errors: Unavailable (cannot listen: nothing was registered), those of [muster.Registry.Register]; Conflict when another
// process took the key over; the first that kept it from stopping in order. After a clean stop it is nil.
func Serve(ctx context.Context, r *muster.Registry, srv *http.Server, in muster.Instance, opt *ServeOptions) error {
	s := server{srv: srv}
	if opt != nil {
		s.opt = *opt
	}
	if err := s.listen(ctx); err != nil {
		return &muster.Error{Op: "serve", Service: in.Service, Code: muster.Unavailable, Err: err}
	}
	s.endpoints(&in)
	declareProbe(&in)
	s.begin(in.Service)
	reg, err := r.Register(ctx, in)
	if err != nil {
		_ = srv.Close() // nobody knew of it
		<-s.ended
		return err
	}
	if s.opt.Started != nil {
		s.opt.Started(reg)
	}
	var broken error
	select {
	case <-ctx.Done():
	case broken = <-s.ended:
		s.ended <- nil
		broken = &muster.Error{Op: "serve", Service: in.Service, Code: muster.Internal, Err: broken}
	case <-reg.Done():
		broken = reg.Err()
	}
	err = s.stop(ctx, reg)
	if broken != nil {
		return broken
	}
	return err
}

// server is one run of Serve.
type server struct {
	srv   *http.Server
	opt   ServeOptions
	ln    net.Listener
	gate  *muster.Gate
	tls   bool
	ended chan error // what srv.Serve returned; capacity 1
}

func (s *server) listen(ctx context.Context) error {
	addr := s.srv.Addr
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("listen on %s: the port is taken (is another copy running? port 0 takes a free one): %w", addr, err)
	}
	if err != nil {
		return fmt.Errorf("listen on %s: %w", addr, err)
	}
	s.ln = ln
	cfg := s.srv.TLSConfig
	s.tls = cfg != nil && (len(cfg.Certificates) > 0 || cfg.GetCertificate != nil || cfg.GetConfigForClient != nil)
	return nil
}

// endpoints puts the port listened on where in has none. A wildcard host is left for the registry to fill in.
func (s *server) endpoints(in *muster.Instance) {
	addr := s.ln.Addr().(*net.TCPAddr)
	_, port, _ := net.SplitHostPort(addr.String()) // a TCP address has one
	in.Endpoints = slices.Clone(in.Endpoints)
	for i, e := range in.Endpoints {
		if host, ok := strings.CutSuffix(e.Address, ":0"); ok {
			in.Endpoints[i].Address = host + ":" + port
		}
	}
	if len(in.Endpoints) > 0 {
		return
	}
	e := muster.Endpoint{Scheme: "http", Address: addr.String()}
	if s.tls {
		e.Scheme = "https"
	}
	if addr.IP.IsUnspecified() {
		e.Address = ":" + port
	}
	in.Endpoints = []muster.Endpoint{e}
}

// declareProbe says that the instance answers probes, unless its metadata says something about that already.
func declareProbe(in *muster.Instance) {
	if _, said := in.Metadata[muster.ProbeKey]; said {
		return
	}
	if in.Metadata = maps.Clone(in.Metadata); in.Metadata == nil {
		in.Metadata = make(map[string]string, 1)
	}
	in.Metadata[muster.ProbeKey] = "1"
}

// begin starts serving: the first caller may come the moment the instance is listed.
func (s *server) begin(service string) {
	h := NewHandler(s.srv.Handler, &HandlerOptions{Service: service, Gate: s.opt.Gate, Observer: s.opt.Observer, Log: s.opt.Log})
	s.gate, s.srv.Handler = h.Gate(), h
	if s.srv.ReadHeaderTimeout == 0 && s.srv.ReadTimeout == 0 {
		s.srv.ReadHeaderTimeout = 10 * time.Second
	}
	if s.srv.IdleTimeout == 0 {
		s.srv.IdleTimeout = 90 * time.Second
	}
	s.ended = make(chan error, 1)
	go func() {
		if s.tls {
			s.ended <- s.srv.ServeTLS(s.ln, "", "")
		} else {
			s.ended <- s.srv.Serve(s.ln)
		}
	}()
}

// stop leaves in order, and goes on when a step fails; the first failure is returned.
func (s *server) stop(ctx context.Context, reg *muster.Registration) error {
	grace := s.opt.Grace
	if grace <= 0 {
		grace = 20 * time.Second
	}
	ctx = context.WithoutCancel(ctx)
	steps, cancel := context.WithTimeout(ctx, grace)
	defer cancel()
	var errs []error
	if err := reg.Leave(steps); muster.CodeOf(err) != muster.Closed { // another owner has the key: nothing to leave
		errs = append(errs, err)
	}
	errs = append(errs, s.gate.Drain(steps))
	err := s.srv.Shutdown(steps)
	if err != nil {
		_ = s.srv.Close() // Shutdown's error says it all
	}
	errs = append(errs, err)
	<-s.ended
	last, cancel := context.WithTimeout(ctx, lastStep)
	defer cancel()
	errs = append(errs, reg.Close(last))
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
