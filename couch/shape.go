package couch

// shape says what the body of a request contains.
type shape uint8

const (
	opaque      shape = iota // nothing that a rule needs: it is not read
	document                 // one document
	documents                // {"docs": […], "new_edits": …}
	purges                   // {"id": ["rev", …], …}
	replication              // {"source": …, "target": …, "create_target": …}
	setup                    // {"action": …}
)

// shapes are the functions that read the whole body, by shape.
var shapes = [...]func(*reader) error{
	document:    (*reader).readDocument,
	documents:   (*reader).readDocuments,
	purges:      (*reader).readPurges,
	replication: (*reader).readReplication,
	setup:       (*reader).readSetup,
}

// readAll reads a body of the shape. An empty one is an empty document.
func (r *reader) readAll(s shape) error {
	if r.next() == 0 {
		if s == document {
			r.entries = append(r.entries, entry{})
		}
		return r.finish()
	}
	r.unreadByte()
	if err := shapes[s](r); err != nil {
		return err
	}
	return r.finish()
}

func (r *reader) openObject() error {
	if r.next() != '{' {
		return r.malformed("an object is expected")
	}
	return nil
}

// The keys that matter, as bits.
const (
	keyID uint = 1 << iota
	keyRev
	keyRevisions
	keyDeleted
	keyCreateTarget
	keyCancel
	keyTarget
	keyAction
	keyEnsure
	keyDocs
	keyNewEdits
	keyAllOrNothing
)

func (r *reader) readDocument() error {
	e, err := r.entry(true)
	if err != nil {
		return err
	}
	return r.add(e)
}

// readReplication is readDocument: a document of _replicator has the same members.
func (r *reader) readReplication() error { return r.readDocument() }

// entry reads a document. Its id is kept if it requires a closer look, or if closely
// is set.
func (r *reader) entry(closely bool) (e entry, err error) {
	if err := r.openObject(); err != nil {
		return e, err
	}
	err = r.object(func(key []byte) (uint, error) {
		switch string(key) {
		case "_id":
			return keyID, r.readID(&e, closely)
		case "_rev":
			e.rev = true
			return keyRev, r.skipMember()
		case "_revisions": // a history, whose newest revision is what _rev would be
			e.rev = true
			return keyRevisions, r.skipMember()
		case "_deleted":
			v, err := r.readMember()
			e.deleted = v.truthy()
			return keyDeleted, err
		case "__proto__": // PouchDB takes its members for the document's
			return 0, r.malformed("a document has a prototype")
		}
		if !closely {
			return 0, r.skipMember()
		}
		return r.instruction(&e, key)
	})
	return e, err
}

// instruction reads a member that matters in the documents of _replicator.
func (r *reader) instruction(e *entry, key []byte) (uint, error) {
	switch string(key) {
	case "create_target":
		v, err := r.readMember()
		e.createTarget = v.truthy()
		return keyCreateTarget, err
	case "cancel":
		v, err := r.readMember()
		e.cancel = v.kind == 't'
		return keyCancel, err
	case "target":
		return keyTarget, r.readTarget(e)
	}
	return 0, r.skipMember()
}

func (r *reader) readID(e *entry, closely bool) error {
	if err := r.colon(); err != nil {
		return err
	}
	if r.next() != '"' {
		return r.malformed("an _id is not a string")
	}
	id, err := r.text()
	if err != nil {
		return err
	}
	if closely || (len(id) > 0 && id[0] == '_') {
		e.id = string(id)
	}
	return nil
}

// readTarget reads a name, a URL, or an object with one.
func (r *reader) readTarget(e *entry) error {
	if err := r.colon(); err != nil {
		return err
	}
	switch r.next() {
	case '"':
		text, err := r.text()
		e.target = string(text)
		return err
	case '{':
		return r.object(func(key []byte) (uint, error) {
			if string(key) != "url" {
				return 0, r.skipMember()
			}
			v, err := r.readMember()
			e.target = v.text
			return keyTarget, err
		})
	case 0:
		return r.malformed("a value is expected")
	}
	r.unreadByte()
	return r.skip() // a server refuses it
}

// readDocuments reads a bulk. PouchDB takes an array of documents for one.
func (r *reader) readDocuments() error {
	switch r.next() {
	case '[':
		return r.array(r.bulkEntry)
	case '{':
	default:
		return r.malformed("an object is expected")
	}
	return r.object(func(key []byte) (uint, error) {
		switch string(key) {
		case "docs":
			if err := r.colon(); err != nil {
				return keyDocs, err
			}
			if r.next() != '[' {
				return keyDocs, r.malformed("docs is not an array")
			}
			return keyDocs, r.array(r.bulkEntry)
		case "new_edits":
			v, err := r.readMember()
			r.asIs = r.asIs || v.kind != 't'
			return keyNewEdits, err
		case "all_or_nothing": // CouchDB 1.x then adds a revision instead of reporting a conflict
			v, err := r.readMember()
			r.asIs = r.asIs || v.truthy()
			return keyAllOrNothing, err
		}
		return 0, r.skipMember()
	})
}

func (r *reader) bulkEntry() error {
	e, err := r.entry(r.every)
	switch {
	case err != nil:
		return err
	case e.id != "" || r.every:
		return r.add(e)
	case e.deleted:
		r.deletes++
	case e.rev:
		r.changes++
	default:
		r.plain++
	}
	return nil
}

// readPurges counts documents: a purge removes revisions, and with the last one the
// document.
func (r *reader) readPurges() error {
	if err := r.openObject(); err != nil {
		return err
	}
	return r.object(func(key []byte) (uint, error) {
		if r.every || (len(key) > 0 && key[0] == '_') {
			if err := r.add(entry{id: string(key), deleted: true}); err != nil {
				return 0, err
			}
		} else {
			r.deletes++
		}
		return 0, r.skipMember()
	})
}

func (r *reader) readSetup() error {
	if err := r.openObject(); err != nil {
		return err
	}
	var e entry
	err := r.object(func(key []byte) (uint, error) {
		switch string(key) {
		case "action":
			v, err := r.readMember()
			r.action = v.text
			return keyAction, err
		case "ensure_dbs_exist":
			return keyEnsure, r.readNames(&e.ensure)
		}
		return 0, r.skipMember()
	})
	if err != nil {
		return err
	}
	return r.add(e)
}

func (r *reader) readNames(names *[]string) error {
	if err := r.colon(); err != nil {
		return err
	}
	if r.next() != '[' {
		return r.malformed("a list of names is expected")
	}
	return r.array(func() error {
		if r.next() != '"' || len(*names) == maxEntries {
			return r.malformed("a list of names is expected")
		}
		name, err := r.text()
		*names = append(*names, string(name))
		return err
	})
}
