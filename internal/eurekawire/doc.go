// Package eurekawire turns the bytes of Netflix Eureka's REST protocol into words and back.
//
// It is shared by the Eureka server, which reads single instances and writes lists, and by the Eureka client driver, which does the
// reverse. It knows both media types (JSON and XML), both sizes of each (full and compact) and nothing of HTTP, stores or clocks.
//
// Encoding is exact: what is written equals, byte for byte, what Netflix's own codecs write (EurekaJacksonCodec for JSON,
// XStream for full XML, Jackson's mini codecs for the compact forms). The Append functions grow the slice they are given and
// allocate nothing else, so a server can keep one fragment per instance and form and build every list by joining fragments:
//
//	b = eurekawire.AppendApplicationsStart(b, f, head)
//	for each application, with f.Separator() between them:
//		b = eurekawire.AppendApplicationStart(b, f, name)
//		b = append(b, fragment...) for each instance, with f.Separator() between them
//		b = eurekawire.AppendApplicationEnd(b, f)
//	b = eurekawire.AppendApplicationsEnd(b, f, head)
//
// Decoding is lenient about what clients in the field get wrong and strict about what could hurt: it accepts more than the Java
// server does, refuses what made that server hang (arrays in metadata), and bounds depth, counts and lengths by the Max constants.
// No decoded value keeps a reference to the body it was read from. Every function is safe for concurrent use.
package eurekawire
