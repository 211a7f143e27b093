package eurekawire

// jsonInstanceDocument reads {"instance":{…}}. What follows the root is ignored, as Java does.
func (d *decoder) jsonInstanceDocument(body []byte) (*Instance, error) {
	r := jsonReader{b: body}
	if _, err := r.root("instance"); err != nil {
		return nil, err
	}
	in, err := d.jsonInstance(&r)
	if err != nil {
		return nil, within("instance", err)
	}
	return in, r.endRoot()
}

// jsonApplicationsDocument reads {"applications":{…}} or {"application":{…}}.
func (d *decoder) jsonApplicationsDocument(body []byte) (*Applications, error) {
	r := jsonReader{b: body}
	root, err := r.root("applications", "application")
	if err != nil {
		return nil, err
	}
	list := &Applications{}
	if root == "applications" {
		err = d.jsonApplications(&r, list)
	} else {
		err = d.jsonApplication(&r, list)
	}
	if err != nil {
		return nil, within(root, err)
	}
	return list, r.endRoot()
}

// root consumes the opening of the document's object up to the value of its one key, which must be one of names.
func (r *jsonReader) root(names ...string) (string, error) {
	if err := r.open('{'); err != nil {
		return "", err
	}
	at := r.i
	key, more, err := r.key()
	if err != nil {
		return "", err
	}
	for _, name := range names {
		if more && string(key) == name {
			return name, nil
		}
	}
	r.i = at
	if !more {
		return "", r.fault("the root object is empty, want {%q:…}", names[0])
	}
	return "", r.fault("root is %s, want {%q:…}", quote(key), names[0])
}

// endRoot consumes the end of the document's object.
func (r *jsonReader) endRoot() error {
	key, more, err := r.key()
	if more {
		return r.fault("a second root %s, want one", quote(key))
	}
	return err
}

func (d *decoder) jsonApplications(r *jsonReader, list *Applications) error {
	return r.fields(func(key []byte) error {
		switch string(key) {
		case "versions__delta", "apps__hashcode":
			target := &list.Version
			if key[0] == 'a' {
				target = &list.HashCode
			}
			text, k, err := r.scalar()
			if k != 'n' && err == nil {
				*target = string(text)
			}
			return err
		case "application":
			return r.oneOrMore(func() error { return d.jsonApplication(r, list) })
		}
		return r.skip()
	})
}

func (d *decoder) jsonApplication(r *jsonReader, list *Applications) error {
	if err := r.check(r.i, d.entry()); err != nil {
		return err
	}
	app := Application{}
	first := len(list.Skipped)
	err := r.fields(func(key []byte) error {
		switch string(key) {
		case "name":
			text, k, err := r.scalar()
			if k != 'n' && err == nil {
				app.Name = string(text)
			}
			return err
		case "instance":
			return r.oneOrMore(func() error {
				in, skipped, err := d.jsonInstanceOrSkip(r)
				if skipped != nil {
					list.Skipped = append(list.Skipped, Skipped{Err: skipped})
				} else if err == nil {
					app.Instances = append(app.Instances, in)
				}
				return err
			})
		}
		return r.skip()
	})
	if err != nil {
		return err
	}
	for i := first; i < len(list.Skipped); i++ {
		list.Skipped[i].App = app.Name
	}
	list.Apps = append(list.Apps, app)
	return nil
}

// jsonInstanceOrSkip reads an instance, or steps over one that cannot be read and says why. An error means that the JSON itself is
// broken, so nothing after it can be trusted.
func (d *decoder) jsonInstanceOrSkip(r *jsonReader) (in *Instance, skipped, err error) {
	if err := r.check(r.i, d.entry()); err != nil {
		return nil, nil, err
	}
	at, depth, first := r.i, r.depth, r.first
	in, skipped = d.jsonInstance(r)
	if skipped == nil {
		return in, nil, nil
	}
	r.i, r.depth, r.first = at, depth, first
	return nil, skipped, r.skip()
}

func (d *decoder) jsonInstance(r *jsonReader) (*Instance, error) {
	in := newInstance()
	err := r.fields(func(key []byte) error {
		switch string(key) {
		case "port":
			return r.port(&in.Port)
		case "securePort":
			return r.port(&in.SecurePort)
		case "dataCenterInfo":
			return d.jsonDataCenter(r, &in.DataCenter)
		case "leaseInfo":
			return r.lease(&in.Lease)
		case "metadata":
			return r.pairs(&in.Metadata)
		}
		return r.field(in, key)
	})
	if err != nil {
		return nil, err
	}
	d.finish(in)
	return in, nil
}

// field reads a field that is plain text, or steps over an unknown one.
func (r *jsonReader) field(in *Instance, key []byte) error {
	k, err := r.next()
	if err != nil {
		return err
	}
	if k == '{' || k == '[' {
		if known, _ := setField(&Instance{}, key, nil); !known {
			return r.skip()
		}
	}
	at := r.i
	text, k, err := r.scalar()
	if err != nil || k == 'n' {
		return err
	}
	_, problem := setField(in, key, text)
	return r.check(at, problem)
}

// port reads {"$":8080,"@enabled":"true"}, or, from clients that know no better, 8080.
func (r *jsonReader) port(p *Port) error {
	k, err := r.next()
	if err != nil {
		return err
	}
	if k != '{' {
		return r.portNumber(p)
	}
	return r.fields(func(key []byte) error {
		switch string(key) {
		case "$":
			return r.portNumber(p)
		case "@enabled":
			text, k, err := r.scalar()
			if err == nil && k != 'n' {
				p.Enabled = isTrue(text)
			}
			return err
		}
		return r.skip()
	})
}

func (r *jsonReader) portNumber(p *Port) error {
	r.space()
	at := r.i
	text, k, err := r.scalar()
	if err != nil || k == 'n' {
		return err
	}
	return r.check(at, setPort(p, text))
}

func (d *decoder) jsonDataCenter(r *jsonReader, dc *DataCenter) error {
	k, err := r.next()
	if err != nil {
		return err
	}
	if k == 'n' {
		return r.skip()
	}
	at := r.i
	*dc = DataCenter{}
	var class, name []byte
	err = r.fields(func(key []byte) error {
		switch string(key) {
		case "@class":
			return r.copy(&class)
		case "name":
			return r.copy(&name)
		case "metadata":
			return r.pairs(&dc.Metadata)
		}
		return r.skip()
	})
	if err != nil {
		return err
	}
	return r.check(at, d.setDataCenter(dc, class, name, true))
}

// copy reads text that is needed after the next value has been read.
func (r *jsonReader) copy(to *[]byte) error {
	text, k, err := r.scalar()
	if err != nil || k == 'n' {
		return err
	}
	*to = append((*to)[:0], text...)
	return nil
}

func (r *jsonReader) lease(l *Lease) error {
	k, err := r.next()
	if err != nil {
		return err
	}
	if k == 'n' {
		return r.skip()
	}
	*l = Lease{}
	err = r.fields(func(key []byte) error {
		k, err := r.next()
		if err != nil {
			return err
		}
		if k == '{' || k == '[' {
			return r.skip()
		}
		at := r.i
		text, k, err := r.scalar()
		if err != nil || k == 'n' {
			return err
		}
		return r.check(at, setLease(l, key, text))
	})
	finishLease(l)
	return err
}

// pairs reads a metadata map: text, numbers, booleans and null as the text they are written with. Objects and arrays are refused:
// Netflix's server mangles the first and loops for ever on the second.
func (r *jsonReader) pairs(pairs *Pairs) error {
	k, err := r.next()
	if err != nil {
		return err
	}
	if k == 'n' {
		return r.skip()
	}
	if err := r.open('{'); err != nil {
		return err
	}
	*pairs = (*pairs)[:0]
	for n := 0; ; n++ {
		key, more, err := r.key()
		if !more || err != nil {
			return err
		}
		if n == MaxMetadata {
			return r.fault("more than %d entries", MaxMetadata)
		}
		if len(key) > MaxName {
			return r.fault("key of %d bytes, the limit is %d", len(key), MaxName)
		}
		text, _, err := r.scalar()
		if err != nil {
			return within(plain(key), err)
		}
		if string(key) == "@class" { // Jackson's type, such as java.util.Collections$EmptyMap
			continue
		}
		if *pairs == nil {
			*pairs = make(Pairs, 0, 4)
		}
		*pairs = append(*pairs, Pair{Key: string(key), Value: string(text)})
	}
}

// fields calls each for every key of an object; each must consume the value.
func (r *jsonReader) fields(each func(key []byte) error) error {
	if err := r.open('{'); err != nil {
		return err
	}
	for n := 0; ; n++ {
		key, more, err := r.key()
		if !more || err != nil {
			return err
		}
		if n == MaxFields {
			return r.fault("more than %d fields", MaxFields)
		}
		if err := each(key); err != nil {
			return within(plain(key), err)
		}
	}
}

// oneOrMore calls each for every object of an array, or once for the object that old servers write instead of an array of one.
func (r *jsonReader) oneOrMore(each func() error) error {
	k, err := r.next()
	if err != nil {
		return err
	}
	switch k {
	case 'n':
		return r.skip()
	case '{':
		return each()
	}
	if err := r.open('['); err != nil {
		return err
	}
	for {
		if more, err := r.more(']'); !more || err != nil {
			return err
		}
		if err := each(); err != nil {
			return err
		}
	}
}

// check returns the problem as an error about the place at, or nil if there is none.
func (r *jsonReader) check(at int, problem string) error {
	if problem == "" {
		return nil
	}
	return &DecodeError{Format: "json", Offset: at, Problem: problem}
}
