package nativewire

import (
	"fmt"

	"github.com/muster-go/muster"
)

func malformed(format string, args ...any) error {
	return &muster.Error{Code: muster.Invalid, Err: fmt.Errorf(format, args...)}
}
