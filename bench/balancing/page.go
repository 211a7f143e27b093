package balancing

import (
	"fmt"
	"strings"
)

// What stands between these lines of a page is written by the command, everything else by hand.
const (
	begin = "<!-- figures: written by make balancing -->\n"
	end   = "<!-- end of figures -->\n"
)

// Replace returns a page with other figures. Errors: the page has no place for them.
func Replace(page, figures string) (string, error) {
	before, rest, found := strings.Cut(page, begin)
	_, after, foundEnd := strings.Cut(rest, end)
	if !found || !foundEnd {
		return "", fmt.Errorf("the page has no lines between which figures go: %q and %q", begin, end)
	}
	return before + begin + "\n" + figures + "\n" + end + after, nil
}
