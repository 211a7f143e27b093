package open

import (
	"fmt"
	"io"
	"os"
	"strings"
)

// maxToken bounds a token's file, in bytes.
const maxToken = 4 << 10

// Token is the token that the URL brings: as the password before its hosts, or in the parameter token, which may be file:PATH.
// "" is none.
//
// Errors: Invalid: both are there, a user without a token, a file that cannot be read. The text shows no secret.
func (u *URL) Token() (string, error) {
	name, token, ok := strings.Cut(u.User, ":")
	if u.User != "" && !ok {
		if !strings.HasPrefix(name, "mst_") {
			return "", invalid("%s: a user without a token; %s://x:TOKEN@host is the shape", u, u.name())
		}
		token = name
	}
	param, given := u.param("token")
	switch {
	case given && token != "":
		return "", invalid("%s: there is a token before the hosts and one in the parameter token", u)
	case u.User != "" && token == "", given && param == "":
		return "", invalid("%s: the token is empty", u)
	case !given:
		return token, nil
	}
	path, ok := strings.CutPrefix(param, "file:")
	if !ok {
		return param, nil
	}
	token, err := readToken(path)
	if err != nil {
		return "", invalid("%s: token: %w", u, err)
	}
	return token, nil
}

// readToken reads a file that holds a token, without the line end that editors leave.
func readToken(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxToken+1))
	switch {
	case err != nil:
		return "", err
	case len(text) > maxToken:
		return "", fmt.Errorf("%s has more than %d bytes", path, maxToken)
	}
	token := strings.TrimSpace(string(text))
	if token == "" {
		return "", fmt.Errorf("%s is empty", path)
	}
	return token, nil
}
