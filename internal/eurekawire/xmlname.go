package eurekawire

import (
	"bytes"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// appendXMLName appends a metadata key as an element name in XStream's escaping: "_" as "__", "$" as "_-", and every UTF-16 unit
// that may not stand there as "_." and four hexadecimal digits. Unlike XStream it escapes ":" too, which readers that know name
// spaces (Python's ElementTree) would take for an undeclared prefix and refuse the whole list.
// Source: XStream 1.4, com.thoughtworks.xstream.io.xml.XmlFriendlyNameCoder.
func appendXMLName(b []byte, key string) []byte {
	for i, r := range key {
		switch {
		case r == '_':
			b = append(b, "__"...)
		case r == '$':
			b = append(b, "_-"...)
		case nameStart(r) || i > 0 && nameRest(r):
			b = utf8.AppendRune(b, r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			b = appendNameUnit(appendNameUnit(b, high), low)
		default:
			b = appendNameUnit(b, r)
		}
	}
	return b
}

func appendNameUnit(b []byte, unit rune) []byte {
	const hex = "0123456789abcdef"
	return append(b, '_', '.', hex[unit>>12&15], hex[unit>>8&15], hex[unit>>4&15], hex[unit&15])
}

// appendKey appends the metadata key that an element name stands for. What is no escape is kept, because some clients (fargo) write
// their keys raw: a_b stays a_b.
func appendKey(b, name []byte) []byte {
	for i := 0; i < len(name); i++ {
		if name[i] != '_' || i+1 == len(name) {
			b = append(b, name[i])
			continue
		}
		switch name[i+1] {
		case '_':
			b = append(b, '_')
			i++
		case '-':
			b = append(b, '$')
			i++
		case '.':
			unit, ok := nameUnit(name[i:])
			if !ok {
				b = append(b, '_')
				continue
			}
			i += 5
			if utf16.IsSurrogate(unit) {
				if low, ok := nameUnit(name[i+1:]); ok && utf16.DecodeRune(unit, low) != utf8.RuneError {
					unit = utf16.DecodeRune(unit, low)
					i += 6
				}
			}
			b = utf8.AppendRune(b, unit) // a lone half becomes U+FFFD
		default:
			b = append(b, '_')
		}
	}
	return b
}

// nameUnit reads "_.XXXX" at the start of name.
func nameUnit(name []byte) (rune, bool) {
	if len(name) < 6 || !bytes.HasPrefix(name, []byte("_.")) {
		return 0, false
	}
	n, err := strconv.ParseUint(string(name[2:6]), 16, 16)
	return rune(n), err == nil
}

// nameStart reports whether an element name may begin with r, underscore apart. XStream goes by the fifth edition of XML 1.0, while
// expat (Python) and encoding/xml go by the fourth, which has far fewer letters; these ranges are letters to both.
func nameStart(r rune) bool {
	switch {
	case r < 0xc0:
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
	case r < 0x180: // Latin
		return r != 0xd7 && r != 0xf7 && r != 0x132 && r != 0x133 && r != 0x13f && r != 0x140 && r != 0x149 && r != 0x17f
	case r < 0x400: // Greek
		return r >= 0x388 && r <= 0x38a || r >= 0x38e && r <= 0x3ce && r != 0x3a2
	case r < 0x500: // Cyrillic
		return r >= 0x401 && r <= 0x481 && r != 0x40d && r != 0x450 && r != 0x45d
	case r < 0x3041: // Hebrew, Arabic
		return r >= 0x5d0 && r <= 0x5ea || r >= 0x621 && r <= 0x63a || r >= 0x641 && r <= 0x64a
	}
	kana := r <= 0x3094 || r >= 0x30a1 && r <= 0x30fa
	return kana || r >= 0x4e00 && r <= 0x9fa5 || r >= 0xac00 && r <= 0xd7a3 // Chinese, Korean
}

// nameRest reports whether an element name may go on with r, where it may not begin with it.
func nameRest(r rune) bool { return r >= '0' && r <= '9' || r == '-' || r == '.' }
