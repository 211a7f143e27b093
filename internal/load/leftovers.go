package load

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"

	"github.com/muster-go/muster"
	"github.com/muster-go/muster/internal/nativewire"
)

// Prefix begins the name of every namespace that is put under load; others are never touched.
const Prefix = "muster-bench-"

// newNamespace is a name that nobody has.
func newNamespace() string { return fmt.Sprintf("%s%08x", Prefix, rand.Uint32()) }

// CheckNamespace refuses a namespace that is not for benchmarks.
//
// Errors: Invalid.
func CheckNamespace(name string) error {
	if !strings.HasPrefix(name, Prefix) {
		return &muster.Error{Op: "bench", Code: muster.Invalid, Err: fmt.Errorf(
			"namespace %q does not begin with %s: what is put under load, and removed again, must not be anybody else's", name, Prefix)}
	}
	return muster.CheckNamespace(name)
}

// Leftover is a namespace of a run that was killed, or of one that goes on.
type Leftover struct {
	Namespace string
	Instances int
}

// Leftovers lists the namespaces of benchmarks that hold something.
//
// Errors: those of asking.
func Leftovers(ctx context.Context, t *Target) ([]Leftover, error) {
	c := &client{target: t}
	defer c.close()
	var list nativewire.List[nativewire.Namespace]
	if err := getJSON(ctx, c, "/api/v1/namespaces", &list); err != nil {
		return nil, err
	}
	var out []Leftover
	for _, n := range list.Items {
		if strings.HasPrefix(n.Namespace, Prefix) && n.Instances > 0 {
			out = append(out, Leftover{n.Namespace, n.Instances})
		}
	}
	return out, nil
}

// removePage is how many instances are listed before they are deregistered.
const removePage = 1000

// Remove deregisters everything in a namespace of a benchmark, in its owners' names, and returns how many instances that was.
//
// Errors: Invalid (not such a namespace), those of asking.
func Remove(ctx context.Context, t *Target, namespace string) (removed int, err error) {
	if err := CheckNamespace(namespace); err != nil {
		return 0, err
	}
	c := &client{target: t}
	defer c.close()
	for {
		var page nativewire.List[nativewire.Instance]
		if err := getJSON(ctx, c, fmt.Sprintf("/api/v1/namespaces/%s/instances?limit=%d", namespace, removePage), &page); err != nil {
			return removed, err
		}
		if len(page.Items) == 0 {
			return removed, nil
		}
		for _, in := range page.Items {
			path := nativePath(namespace, url.PathEscape(in.Service), url.PathEscape(in.ID))
			if in.Owner != "" {
				path += "?owner=" + url.QueryEscape(in.Owner)
			}
			_, err := c.do(ctx, "DELETE", true, func(b []byte) []byte { return appendEnd(t.appendHead(b, "DELETE", path)) })
			if err != nil && muster.CodeOf(err) != muster.NotFound {
				return removed, err
			}
			removed++
			if err := ctx.Err(); err != nil {
				return removed, err
			}
		}
	}
}

func getJSON(ctx context.Context, c *client, path string, v any) error {
	a, err := c.do(ctx, "GET", true, func(b []byte) []byte { return appendEnd(c.target.appendHead(b, "GET", path)) })
	if err != nil {
		return err
	}
	if err := json.Unmarshal(a.body, v); err != nil {
		return &muster.Error{Op: "bench", Code: muster.Unavailable, Err: fmt.Errorf("%s answered %q to GET %s: is this muster serve?", c.target.Addr, clip(string(a.body)), path)}
	}
	return nil
}
