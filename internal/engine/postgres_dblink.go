package engine

import (
	"database/sql/driver"
	"strings"

	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// changesElsewhere reports that dblink may change something on the connection that it
// opens, of which nothing is counted or undone here: unless the text that it is given
// is in sight, as a literal or an argument, and reads.
func changesElsewhere(t *sqlscan.Text, args []driver.NamedValue) bool {
	if !containsFold(t.Source, "dblink") {
		return false
	}
	runs, last := false, ""
	texts, known := textArguments(args)
	for tok := range tokens(t, 0, int32(len(t.Source))) {
		text := t.Source[tok.Pos:tok.End]
		switch {
		case tok.Kind == sqlscan.String:
			texts = append(texts, unquoted(text))
		case text == "(" && (last == "dblink_exec" || last == "dblink_send_query"):
			return true
		case text == "(" && (last == "dblink" || last == "dblink_open"):
			runs = true
		}
		last = strings.ToLower(sqlscan.Unquote(text))
	}
	return runs && !(known && areReads(texts))
}

// areReads reports that some of the texts read, and that none does anything else.
func areReads(texts []string) bool {
	reads := false
	for _, text := range texts {
		var t sqlscan.Text
		sqlscan.Classify(&t, text, sqlscan.PostgreSQL, sqlscan.PostgreSQL.DefaultMode())
		if t.Calls || doesMore(&t) {
			return false
		}
		reads = reads || t.IsRead()
	}
	return reads
}

// doesMore reports an operation that can be read and is none of a session's. Words that
// are no statement, as those of a connection, cannot be.
func doesMore(t *sqlscan.Text) bool {
	for i := range t.Ops {
		switch t.Ops[i].Kind {
		case sqlscan.Unreadable, sqlscan.Read, sqlscan.Session:
		default:
			return true
		}
	}
	return false
}

// unquoted is the content of a string. One with escapes is left as it is, which is no
// statement.
func unquoted(text string) string {
	if tag := strings.IndexByte(text[min(1, len(text)):], '$'); text[0] == '$' && tag >= 0 && len(text) >= 2*(tag+2) {
		return text[tag+2 : len(text)-tag-2]
	}
	if text[0]|0x20 == 'e' && !strings.Contains(text, `\`) {
		text = text[1:]
	}
	return sqlscan.Unquote(text)
}
