package engine

import (
	"slices"
	"strings"

	"github.com/dbguard/dbguard-go/dbguard"
	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// readings caches parsed texts, since programs send the same few. Like a textSet it
// is direct-mapped and bounded.
type readings struct {
	slots [textSlots]*reading
	long  *reading // of a text that is too long to be cached
}

// reading is a parsed text and what is known of it without regard to the session.
type reading struct {
	sqlscan.Text
	// source is a copy, since a text may live in a buffer that its owner reuses.
	source []byte
	passes bool // as far as is known it only reads, and runs no other code
	// summary and masked are what a trace shows of it, once that was needed.
	summary, masked string
	bound           checkedWording
}

func (all *readings) slot(text string) **reading {
	if text == "" || len(text) > maxKept {
		return &all.long
	}
	return &all.slots[slotOf(text)]
}

// passes reports a text that is known only to read.
func (all *readings) passes(text string) bool {
	r := *all.slot(text)
	return r != nil && r.passes && text != "" && string(r.source) == text
}

// read is the parsed text, from the cache if it is there.
func (all *readings) read(text string, d sqlscan.Dialect, m sqlscan.Mode) *reading {
	slot := all.slot(text)
	if *slot == nil {
		*slot = &reading{}
	}
	r := *slot
	if r != all.long && all.long != nil {
		all.long.Source = "" // it may be very long
	}
	if len(r.source) > 0 && r.Dialect == d && r.Mode == m && string(r.source) == text {
		r.Source = text
		return r
	}
	sqlscan.Classify(&r.Text, text, d, m)
	r.source, r.passes, r.masked, r.bound = r.source[:0], false, "", checkedWording{}
	if r != all.long && !slices.ContainsFunc(r.Ops, mayBeRefined) {
		r.source = append(r.source, text...)
	}
	return r
}

// mayBeRefined reports an operation whose meaning a backend may correct.
func mayBeRefined(op sqlscan.Op) bool {
	switch op.Kind {
	case sqlscan.Insert, sqlscan.Upsert, sqlscan.Replace, sqlscan.Update, sqlscan.Delete, sqlscan.Merge:
		return op.Stmt > 0 || op.Flags&(sqlscan.Temporary|sqlscan.UndoneByText) != 0
	}
	return true
}

// forgetReads forgets which texts only read.
func (all *readings) forgetReads() {
	for _, r := range all.slots {
		if r != nil {
			r.passes = false
		}
	}
}

// describe sets what a trace shows of the text.
func (r *reading) describe(op *dbguard.Op, name string) {
	if r.masked == "" {
		r.summary = strings.Clone(sqlscan.Summary(&r.Text))
		r.masked = sqlscan.Mask(r.Source, r.Dialect, r.Mode)
	}
	op.Name, op.Summary, op.Text = name, r.summary, r.masked
}

// modes is the session state that changes how a text is parsed.
type modes struct {
	mode  sqlscan.Mode
	known bool // the server has been asked, and nothing has changed since
}

// matters reports that the text may parse differently in another mode, and that the
// mode is not known.
func (m *modes) matters(t *sqlscan.Text) bool { return t.ModeMatters && !m.known }

// changesMode reports that the text may change a setting that a mode depends on, each
// time that it runs.
func changesMode(t *sqlscan.Text) bool {
	names := func(word string) bool { return containsFold(t.Source, word) }
	return slices.ContainsFunc(modeWords, names) || slices.ContainsFunc(t.Ops, mayChangeSettings) && slices.ContainsFunc(charsetWords, names)
}

// mayChangeSettings reports an operation that may change a setting of the session.
func mayChangeSettings(op sqlscan.Op) bool {
	return op.Kind == sqlscan.Session || op.Kind == sqlscan.Opaque || op.Kind == sqlscan.Unreadable
}

// escapedName is how a name of PostgreSQL's begins that may be any word, and contain none.
const escapedName = `u&"`

// modeWords are in every text that changes a mode directly; charsetWords, in every
// session statement that sets a character set.
var (
	modeWords    = []string{"sql_mode", "standard_conforming_strings", "client_encoding", "reset", "discard", "set_config", "pg_settings", escapedName}
	charsetWords = []string{"names", "charset", "character"}
)

// containsFold reports whether text contains the lower-case ASCII word.
func containsFold(text, word string) bool {
	for i := 0; i+len(word) <= len(text); i++ {
		if text[i]|0x20 == word[0] && strings.EqualFold(text[i:i+len(word)], word) {
			return true
		}
	}
	return false
}
