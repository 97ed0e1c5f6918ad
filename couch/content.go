package couch

// content is what a request body contains: as much as a rule needs, and nothing that
// is not counted.
type content struct {
	deletes int64 // documents with _deleted
	changes int64 // documents with _rev, which replace an existing revision
	plain   int64 // documents with neither
	// entries are the documents whose id or database requires a closer look, instead
	// of being counted above.
	entries []entry
	// asIs is set by new_edits=false: revisions are stored as they are, beside
	// existing ones or replacing them, whether or not they name those.
	asIs   bool
	action string // of _cluster_setup
}

// entry is a document, or the instructions of a replication, as far as they are
// needed.
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

// detail says which documents are kept as entries.
type detail struct {
	every bool // in a database where each document stands for something else
}

// reader reads content from JSON.
type reader struct {
	*scanner
	detail
	content
}

// value is a scalar that a rule needs.
type value struct {
	kind byte // its first byte: '"' 't' 'f' 'n' '0' '{' '['
	text string
}

// truthy is false for false and null only: servers differ in which values other than
// true they take for a deletion, and some delete where others refuse.
func (v value) truthy() bool { return v.kind != 'f' && v.kind != 'n' }

// object calls member for each member of an object whose '{' has been read. It
// returns an error for a key that member claims twice: servers differ in which of the
// two they use.
func (r *reader) object(member func(key []byte) (claimed uint, err error)) error {
	var seen uint
	switch r.next() {
	case '}':
		return nil
	case 0:
		return r.malformed("it ends too early")
	}
	r.unreadByte()
	for {
		if r.next() != '"' {
			return r.malformed("a key is expected")
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
			return r.malformed("a key that counts occurs twice")
		}
		seen |= claimed
		switch r.next() {
		case ',':
		case '}':
			return nil
		default:
			return r.malformed("a comma or a closing brace is expected")
		}
	}
}

// array calls element before each element of an array whose '[' has been read.
func (r *reader) array(element func() error) error {
	switch r.next() {
	case ']':
		return nil
	case 0:
		return r.malformed("it ends too early")
	}
	r.unreadByte()
	for {
		if err := element(); err != nil {
			return err
		}
		switch r.next() {
		case ',':
		case ']':
			return nil
		default:
			return r.malformed("a comma or a closing bracket is expected")
		}
	}
}

// skipMember skips the value of a key that is not needed.
func (r *reader) skipMember() error {
	if err := r.colon(); err != nil {
		return err
	}
	return r.skip()
}

// readMember reads the value of a key: a string in full, of any other value its kind.
func (r *reader) readMember() (value, error) {
	if err := r.colon(); err != nil {
		return value{}, err
	}
	c := r.next()
	if c == '"' {
		text, err := r.text()
		return value{kind: '"', text: string(text)}, err
	}
	if c == 0 {
		return value{}, r.malformed("a value is expected")
	}
	r.unreadByte()
	return value{kind: c}, r.skip()
}

func (r *reader) add(e entry) error {
	if len(r.entries) == maxEntries {
		return r.malformed("it holds too many design documents, users or replications")
	}
	r.entries = append(r.entries, e)
	return nil
}
