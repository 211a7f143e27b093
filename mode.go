package muster

// Mode says what a mechanism may do. The zero value leaves it to the mechanism, whose documentation says which of the others
// that is.
type Mode uint8

const (
	Default Mode = iota // as the mechanism's documentation says
	Enforce             // it acts
	Shadow              // it is computed and counted, and changes nothing
	Off                 // it is not computed
)

var modeNames = [...]string{"default", "enforce", "shadow", "off"}

// String returns the mode in lower case.
func (m Mode) String() string { return modeNames[min(int(m), len(modeNames)-1)] }

// or returns m, or what Default stands for.
func (m Mode) or(d Mode) Mode {
	if m == Default {
		return d
	}
	return m
}
