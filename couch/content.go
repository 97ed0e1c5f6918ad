package couch

// content is what a request body says of the documents in it: as much as a
// rule asks, and nothing that is not counted.
type content struct {
	deletes int64 // documents with _deleted
	changes int64 // documents with _rev, so that they follow on an existing one
	plain   int64 // documents with neither
	// entries are the documents whose name or place asks for a closer look,
	// in place of being counted above.
	entries []entry
	// asIs is set by new_edits=false: revisions are stored as they are, beside
	// existing ones or on top of them, whether or not they say so.
	asIs   bool
	action string // of _cluster_setup
}

// entry is one document, or the instructions of a replication, as far as they
// are of interest.
type entry struct {
	id           string
	deleted, rev bool

	createTarget, cancel bool
	target               string
	ensure               []string // ensure_dbs_exist
}

// maxEntries bounds what one request keeps in memory. A body with more design
// documents, users or replications than this is refused as unreadable.
const maxEntries = 10_000

// lens says which documents are looked at closely.
type lens struct {
	every bool // in a database where each document stands for something else
}

// reader finds content in JSON.
type reader struct {
	*scanner
	lens
	content
}

// value is a scalar that is asked for.
type value struct {
	kind byte // its first byte: '"' 't' 'f' 'n' '0' '{' '['
	text string
}

// True of what is neither false nor null: servers differ in what they take for
// a deletion besides true, and refuse it or delete.
func (v value) truthy() bool { return v.kind != 'f' && v.kind != 'n' }

// object calls member for each member of an object whose '{' is read. It
// returns an error for a key that member claims twice: which of the two counts
// is different from server to server.
func (r *reader) object(member func(key []byte) (claimed uint, err error)) error {
	var seen uint
	switch r.next() {
	case '}':
		return nil
	case 0:
		return r.broken("it ends too early")
	}
	r.back()
	for {
		if r.next() != '"' {
			return r.broken("a key is expected")
		}
		key, err := r.text()
		if err != nil {
			return err
		}
		claimed, err := member(key)
		if err != nil {
			return err
		}
		if claimed&seen != 0 {
			return r.broken("a key that counts occurs twice")
		}
		seen |= claimed
		switch r.next() {
		case ',':
		case '}':
			return nil
		default:
			return r.broken("a comma or a closing brace is expected")
		}
	}
}

// array calls element before each element of an array whose '[' is read.
func (r *reader) array(element func() error) error {
	switch r.next() {
	case ']':
		return nil
	case 0:
		return r.broken("it ends too early")
	}
	r.back()
	for {
		if err := element(); err != nil {
			return err
		}
		switch r.next() {
		case ',':
		case ']':
			return nil
		default:
			return r.broken("a comma or a closing bracket is expected")
		}
	}
}

// unread skips the value of a key that nobody asks for.
func (r *reader) unread() error {
	if err := r.colon(); err != nil {
		return err
	}
	return r.skip()
}

// read reads the value of a key: a string whole, of anything else what it is.
func (r *reader) read() (value, error) {
	if err := r.colon(); err != nil {
		return value{}, err
	}
	c := r.next()
	if c == '"' {
		text, err := r.text()
		return value{kind: '"', text: string(text)}, err
	}
	if c == 0 {
		return value{}, r.broken("a value is expected")
	}
	r.back()
	return value{kind: c}, r.skip()
}

func (r *reader) add(e entry) error {
	if len(r.entries) == maxEntries {
		return r.broken("it holds too many design documents, users or replications")
	}
	r.entries = append(r.entries, e)
	return nil
}
