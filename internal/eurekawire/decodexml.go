package eurekawire

// xmlInstanceDocument reads <instance>…</instance>. What follows the root is ignored, as in JSON.
func (d *decoder) xmlInstanceDocument(body []byte) (*Instance, error) {
	r := xmlReader{b: body}
	if err := r.root("instance"); err != nil {
		return nil, err
	}
	in, err := d.xmlInstance(&r)
	if err != nil {
		return nil, within("instance", err)
	}
	return in, nil
}

// xmlApplicationsDocument reads <applications>…</applications> or <application>…</application>.
func (d *decoder) xmlApplicationsDocument(body []byte) (*Applications, error) {
	r := xmlReader{b: body}
	if err := r.root("applications", "application"); err != nil {
		return nil, err
	}
	list := &Applications{}
	read := d.xmlApplications
	if string(r.name) == "application" {
		read = d.xmlApplication
	}
	if err := read(&r, list); err != nil {
		return nil, within(string(r.opened[0]), err)
	}
	return list, nil
}

// root enters the root element, which must be one of names.
func (r *xmlReader) root(names ...string) error {
	if err := r.start(); err != nil {
		return err
	}
	for _, name := range names {
		if string(r.name) == name {
			return nil
		}
	}
	return r.fault("root is <%s>, want <%s>", plain(r.name), names[0])
}

func (d *decoder) xmlApplications(r *xmlReader, list *Applications) error {
	for {
		more, err := r.child()
		if !more || err != nil {
			return err
		}
		name := r.name
		switch string(name) {
		case "versions__delta":
			err = r.string(&list.Version)
		case "apps__hashcode":
			err = r.string(&list.HashCode)
		case "application":
			err = d.xmlApplication(r, list)
		default:
			err = r.skip()
		}
		if err != nil {
			return within(plain(name), err)
		}
	}
}

func (d *decoder) xmlApplication(r *xmlReader, list *Applications) error {
	if err := r.check(r.i, d.entry()); err != nil {
		return err
	}
	app := Application{}
	first := len(list.Skipped)
	for {
		more, err := r.child()
		if err != nil {
			return err
		}
		if !more {
			break
		}
		name := r.name
		switch string(name) {
		case "name":
			err = r.string(&app.Name)
		case "instance":
			var in *Instance
			var skipped error
			in, skipped, err = d.xmlInstanceOrSkip(r)
			if skipped != nil {
				list.Skipped = append(list.Skipped, Skipped{Err: skipped})
			} else if err == nil {
				app.Instances = append(app.Instances, in)
			}
		default:
			err = r.skip()
		}
		if err != nil {
			return within(plain(name), err)
		}
	}
	for i := first; i < len(list.Skipped); i++ {
		list.Skipped[i].App = app.Name
	}
	list.Apps = append(list.Apps, app)
	return nil
}

// xmlInstanceOrSkip reads an instance, or steps over one that cannot be read and says why. An error means that the XML itself is
// broken, so nothing after it can be trusted.
func (d *decoder) xmlInstanceOrSkip(r *xmlReader) (in *Instance, skipped, err error) {
	if err := r.check(r.i, d.entry()); err != nil {
		return nil, nil, err
	}
	at, depth, empty := r.i, r.depth, r.empty
	in, skipped = d.xmlInstance(r)
	if skipped == nil {
		return in, nil, nil
	}
	r.i, r.depth, r.empty = at, depth, empty
	return nil, skipped, r.skip()
}

func (d *decoder) xmlInstance(r *xmlReader) (*Instance, error) {
	in := newInstance()
	for n := 0; ; n++ {
		more, err := r.child()
		if err != nil {
			return nil, err
		}
		if !more {
			d.finish(in)
			return in, nil
		}
		if n == MaxFields {
			return nil, r.fault("more than %d elements", MaxFields)
		}
		name := r.name
		switch string(name) {
		case "port":
			err = r.port(&in.Port)
		case "securePort":
			err = r.port(&in.SecurePort)
		case "dataCenterInfo":
			err = d.xmlDataCenter(r, &in.DataCenter)
		case "leaseInfo":
			err = r.lease(&in.Lease)
		case "metadata":
			err = r.pairs(&in.Metadata)
		default:
			err = r.field(in, name)
		}
		if err != nil {
			return nil, within(plain(name), err)
		}
	}
}

// field reads a field that is plain text, or steps over an unknown one.
func (r *xmlReader) field(in *Instance, name []byte) error {
	at := r.i
	if !r.leaf() {
		if known, _ := setField(&Instance{}, name, nil); !known {
			return r.skip()
		}
	}
	text, err := r.text()
	if err != nil {
		return err
	}
	_, problem := setField(in, name, text)
	return r.check(at, problem)
}

func (r *xmlReader) port(p *Port) error {
	at := r.i
	if enabled := r.attr("enabled"); enabled != nil {
		p.Enabled = isTrue(enabled)
	}
	text, err := r.text()
	if err != nil {
		return err
	}
	return r.check(at, setPort(p, text))
}

func (d *decoder) xmlDataCenter(r *xmlReader, dc *DataCenter) error {
	at := r.i
	*dc = DataCenter{}
	class, name := r.attr("class"), ""
	class = append([]byte(nil), class...)
	for n := 0; ; n++ {
		more, err := r.child()
		if err != nil {
			return err
		}
		if !more {
			return r.check(at, d.setDataCenter(dc, class, []byte(name), false))
		}
		if n == MaxFields {
			return r.fault("more than %d elements", MaxFields)
		}
		element := r.name
		switch string(element) {
		case "name":
			err = r.string(&name)
		case "metadata":
			err = r.pairs(&dc.Metadata)
		default:
			err = r.skip()
		}
		if err != nil {
			return within(plain(element), err)
		}
	}
}

func (r *xmlReader) lease(l *Lease) error {
	*l = Lease{}
	for n := 0; ; n++ {
		more, err := r.child()
		if err != nil {
			return err
		}
		if !more {
			finishLease(l)
			return nil
		}
		if n == MaxFields {
			return r.fault("more than %d elements", MaxFields)
		}
		name, at := r.name, r.i
		text, err := r.text()
		if err == nil {
			err = r.check(at, setLease(l, name, text))
		}
		if err != nil {
			return within(plain(name), err)
		}
	}
}

// pairs reads a metadata map: every element is an entry, its name the escaped key.
func (r *xmlReader) pairs(pairs *Pairs) error {
	*pairs = (*pairs)[:0]
	var key []byte
	for n := 0; ; n++ {
		more, err := r.child()
		if !more || err != nil {
			return err
		}
		if n == MaxMetadata {
			return r.fault("more than %d entries", MaxMetadata)
		}
		if key = appendKey(key[:0], r.name); len(key) > MaxName {
			return r.fault("key of %d bytes, the limit is %d", len(key), MaxName)
		}
		text, err := r.text()
		if err != nil {
			return within(plain(key), err)
		}
		if *pairs == nil {
			*pairs = make(Pairs, 0, 4)
		}
		*pairs = append(*pairs, Pair{Key: string(key), Value: string(text)})
	}
}

func (r *xmlReader) string(s *string) error {
	value, err := r.text()
	*s = text(value)
	return err
}

// check returns the problem as an error about the place at, or nil if there is none.
func (r *xmlReader) check(at int, problem string) error {
	if problem == "" {
		return nil
	}
	return &DecodeError{Format: "xml", Offset: at, Problem: problem}
}
