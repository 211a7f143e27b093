package social

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/observe/debug"
	"github.com/muster-go/muster/registry/open"
	"github.com/muster-go/muster/rpc/httprpc"
)

// The roles, which are the names of the services too.
const (
	RegisterRole = "register"
	PushRole     = "push"
	CommentsRole = "comments" // the HTTP API
)

// Roles returns every role.
func Roles() []string { return []string{RegisterRole, PushRole, CommentsRole} }

// Options says where a role finds the others and who it is. Registry and Store are needed.
type Options struct {
	Registry  string        // URL, as registry/open reads it
	Namespace string        // "" means the URL's, or the default one
	Store     string        // URL of a [NewStoreServer]
	Addr      string        // to listen on; "" means 127.0.0.1 and a free port
	ID        string        // of the instance; "" means host:port
	Zone      string        // may be empty
	Version   string        // may be empty
	Limit     int           // requests at once; 0 means no limit
	TTL       time.Duration // of the lease; 0 means the registry's default
	Drain     time.Duration // as muster.Options.Drain
	Debug     string        // where to show its client, as [debug.Listen] reads it; "" means nowhere
	Log       *slog.Logger  // nil discards

	// Observer hears of the requests that the instance serves; nil hears nothing.
	Observer muster.Observer
	// Started is called when the instance serves and is registered; may be nil.
	Started func(*muster.Registration)
}

// Run runs an instance of a role until ctx ends, and then takes it out of service in order.
//
// Errors: Invalid (the role, a URL), those of [debug.Listen] and [httprpc.Serve].
func Run(ctx context.Context, role string, opt Options) error {
	driver, err := open.Open(opt.Registry, &open.Options{Namespace: opt.Namespace, Log: opt.Log})
	if err != nil {
		return err
	}
	registry := muster.New(driver, &muster.Options{
		TTL: opt.TTL, Drain: opt.Drain, Zone: opt.Zone, Log: opt.Log,
	})
	remote := NewRemote(opt.Store)
	defer remote.Close()
	err = Serve(ctx, role, registry, NewStore(remote), opt)
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	if cerr := registry.Close(end); err == nil {
		err = cerr
	}
	return err
}

// Serve is Run with a registry and a store that are handed in, and stay open; of opt it reads what is about the instance.
//
// Errors: Invalid (the role), those of [debug.Listen] and [httprpc.Serve].
func Serve(ctx context.Context, role string, registry *muster.Registry, store *Store, opt Options) error {
	client := muster.NewClient(registry, &muster.ClientOptions{Service: role, Instance: opt.ID, Zone: opt.Zone, Timeout: callTimeout})
	defer client.Close()
	socket, err := debug.Listen(opt.Debug, debug.NewHandler(client))
	if err != nil {
		return err
	}
	defer socket.Close()
	calls := NewHTTPCaller(client)
	defer calls.Close()
	handler, err := handlerOf(role, store, calls, opt.Log)
	if err != nil {
		return err
	}
	return httprpc.Serve(ctx, registry, &http.Server{Addr: opt.Addr, Handler: handler}, muster.Instance{
		Service: role, ID: opt.ID, Zone: opt.Zone, Version: opt.Version,
	}, &httprpc.ServeOptions{Gate: &muster.Gate{Limit: opt.Limit}, Observer: opt.Observer, Log: opt.Log, Started: opt.Started})
}

// callTimeout bounds a call from one service to another, all attempts together.
const callTimeout = 3 * time.Second

func handlerOf(role string, store *Store, calls Caller, log *slog.Logger) (http.Handler, error) {
	switch role {
	case RegisterRole:
		return NewRegister(store).Handler(), nil
	case PushRole:
		return NewPush(store, calls).Handler(), nil
	case CommentsRole:
		return NewAPI(store, calls, log), nil
	}
	return nil, &muster.Error{Op: "run", Code: muster.Invalid, Err: fmt.Errorf("no role %q, there are %v", role, Roles())}
}
