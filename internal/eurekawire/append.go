package eurekawire

// Head is what a list says about itself. It must be the same at the start and at the end of one document.
type Head struct {
	Version  string // versions__delta; Netflix's full lists always say "1"
	HashCode string // apps__hashcode: Counts.Hash of the whole registry
	Empty    bool   // the list has no application; only the compact forms say so
}

// AppendApplications appends the whole document that answers GET apps, apps/delta, vips/V and svips/V.
func AppendApplications(b []byte, f Form, a *Applications) []byte {
	head := Head{Version: a.Version, HashCode: a.HashCode, Empty: len(a.Apps) == 0}
	b = AppendApplicationsStart(b, f, head)
	for i := range a.Apps {
		if i > 0 {
			b = append(b, f.Separator()...)
		}
		b = AppendApplicationStart(b, f, a.Apps[i].Name)
		for j, in := range a.Apps[i].Instances {
			if j > 0 {
				b = append(b, f.Separator()...)
			}
			b = AppendInstance(b, f, in)
		}
		b = AppendApplicationEnd(b, f)
	}
	return AppendApplicationsEnd(b, f, head)
}

// AppendApplicationsStart appends what precedes the first application of a list.
func AppendApplicationsStart(b []byte, f Form, h Head) []byte {
	switch f {
	case JSONFull:
		b = append(b, `{"applications":{`...)
		b = appendJSONHead(b, h)
		return append(b, `,"application":[`...)
	case JSONCompact:
		return append(b, `{"applications":{"application":[`...)
	case XMLCompact:
		return append(b, "<applications>"...)
	}
	w := xmlWriter{b: b, pretty: true}
	w.open("applications")
	w.head(h)
	return w.b
}

// AppendApplicationsEnd appends what follows the last application of a list.
func AppendApplicationsEnd(b []byte, f Form, h Head) []byte {
	switch f {
	case JSONFull:
		return append(b, `]}}`...)
	case JSONCompact:
		b = append(b, `],"registeredApplicationsEmpty":`...)
		b = append(b, claim(h.Empty)...)
		b = append(b, ',')
		b = appendJSONHead(b, h)
		return append(b, `}}`...)
	case XMLCompact:
		w := xmlWriter{b: b}
		w.bool("registeredApplicationsEmpty", h.Empty)
		w.head(h)
		w.close("applications")
		return w.b
	}
	return append(b, "</applications>"...)
}

// AppendApplicationStart appends what precedes the first instance of an application within a list.
func AppendApplicationStart(b []byte, f Form, name string) []byte {
	if f.JSON() {
		return appendJSONApplicationStart(b, name)
	}
	w := xmlWriter{b: b, pretty: f == XMLFull, level: 1}
	w.open("application")
	w.text("name", name)
	return w.b
}

// AppendApplicationEnd appends what follows the last instance of an application within a list.
func AppendApplicationEnd(b []byte, f Form) []byte {
	if f.JSON() {
		return append(b, `]}`...)
	}
	w := xmlWriter{b: b, pretty: f == XMLFull, level: 2}
	w.close("application")
	return w.b
}

// AppendInstance appends in as it stands inside a list: in JSON an object, in full XML indented lines with the last line's end, so
// that fragments joined with f.Separator() make the list.
func AppendInstance(b []byte, f Form, in *Instance) []byte {
	if f.JSON() {
		return appendJSONInstance(b, in, f.Compact())
	}
	w := xmlWriter{b: b, pretty: f == XMLFull, level: 2}
	w.instance(in)
	return w.b
}

// AppendApplicationDocument appends the whole document that answers GET apps/APP. It takes instances, not fragments, because in full
// XML they stand one level further left than in a list.
func AppendApplicationDocument(b []byte, f Form, app *Application) []byte {
	if f.JSON() {
		b = append(b, `{"application":`...)
		b = appendJSONApplicationStart(b, app.Name)
		for i, in := range app.Instances {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendJSONInstance(b, in, f.Compact())
		}
		return append(b, `]}}`...)
	}
	w := xmlWriter{b: b, pretty: f == XMLFull}
	w.open("application")
	w.text("name", app.Name)
	for _, in := range app.Instances {
		w.instance(in)
	}
	w.end("application")
	return w.b
}

// AppendInstanceDocument appends the whole document that answers GET apps/APP/ID and instances/ID, and that a client posts.
func AppendInstanceDocument(b []byte, f Form, in *Instance) []byte {
	if f.JSON() {
		b = append(b, `{"instance":`...)
		b = appendJSONInstance(b, in, f.Compact())
		return append(b, '}')
	}
	w := xmlWriter{b: b, pretty: f == XMLFull}
	w.instance(in)
	w.endDocument()
	return w.b
}

// compactKey reports whether the compact forms keep this key of Amazon's metadata.
// Source: Netflix eureka, com.netflix.discovery.converters.jackson.builder, the mini AmazonInfo.
func compactKey(key string) bool {
	switch key {
	case "instance-id", "public-ipv4", "public-hostname", "local-ipv4", "availability-zone":
		return true
	}
	return false
}

// word returns the text of s on the wire.
func (s Status) word() string {
	if s == "" {
		return string(Unknown)
	}
	return string(s)
}

// country returns the countryId to write.
func (in *Instance) country() int64 {
	if in.CountryID == 0 {
		return 1
	}
	return int64(in.CountryID)
}

// sid returns the sid to write, "" for none.
func (in *Instance) sid() string {
	if in.Sid == "na" || in.Sid == "unknown" {
		return ""
	}
	return in.Sid
}

func claim(b bool) string {
	if b {
		return "true"
	}
	return "false"
}
