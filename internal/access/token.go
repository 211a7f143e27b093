package access

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"strings"
)

// A token is mst_, 26 characters that are 130 random bits, and 6 characters of a checksum, which tells a token that was cut
// or mistyped from one that is not known, and lets scanners find tokens that were published.
const (
	tokenPrefix = "mst_"
	tokenRandom = 26
	tokenSum    = 6
	tokenLength = len(tokenPrefix) + tokenRandom + tokenSum
)

// alphabet is base32's, in lower case.
const alphabet = "abcdefghijklmnopqrstuvwxyz234567"

// NewToken returns a new token, which is to be shown once, and the hash to keep in its place. The token has 130 bits that
// nobody can guess, so that one round of SHA-256 keeps it as well as many would.
func NewToken() (text string, hash [32]byte) {
	var b [tokenRandom]byte
	rand.Read(b[:]) // never fails, by its contract
	out := make([]byte, 0, tokenLength)
	out = append(out, tokenPrefix...)
	for _, c := range b {
		out = append(out, alphabet[c%32]) // 256 is a multiple of 32: every letter is as likely
	}
	out = append(out, checksum(string(out))...)
	return string(out), HashToken(string(out))
}

// HashToken is what a token is looked up by. To compare by hash takes the same time whatever part of a token is right.
func HashToken(text string) [32]byte { return sha256.Sum256([]byte(text)) }

// wellFormed reports whether text can be a token.
func wellFormed(text string) bool {
	return len(text) == tokenLength && strings.HasPrefix(text, tokenPrefix) &&
		checksum(text[:tokenLength-tokenSum]) == text[tokenLength-tokenSum:]
}

func checksum(text string) string {
	sum := sha256.Sum256([]byte(text))
	return strings.ToLower(base32.StdEncoding.EncodeToString(sum[:5]))[:tokenSum]
}
