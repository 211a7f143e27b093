package probe

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxBecause is how many bytes a reason has at the most.
const MaxBecause = 200

// Because says for people why a program that did not answer well for times in a row counts as down: at most MaxBecause bytes
// without control characters, whatever it was that answered.
func Because(err error, times int) string {
	suffix := ""
	if times > 1 {
		suffix = fmt.Sprintf(", %d times", times)
	}
	return Clean(err.Error(), MaxBecause-len(suffix)) + suffix
}

// Clean makes text from outside fit to be shown: valid UTF-8 of at most limit bytes, with a space in place of every character
// that is not printed.
func Clean(s string, limit int) string {
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s[:min(len(s), 4*limit)], "?"))
	if len(s) <= limit {
		return s
	}
	s = s[:limit-len("…")]
	for !utf8.ValidString(s) {
		s = s[:len(s)-1]
	}
	return s + "…"
}
