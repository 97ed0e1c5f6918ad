package engine

import (
	"database/sql/driver"
	"strings"

	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// dblinkMayWrite reports that dblink may write on the connection that it opens, where nothing
// is counted or undone: unless the text for that connection is known, as a literal or an
// argument, and only reads.
func dblinkMayWrite(t *sqlscan.Text, args []driver.NamedValue) bool {
	if !containsFold(t.Source, "dblink") && !containsFold(t.Source, escapedName) {
		return false
	}
	runs, last := false, ""
	texts, known := textArguments(args)
	for tok := range tokens(t, 0, int32(len(t.Source))) {
		text := t.Source[tok.Pos:tok.End]
		switch {
		case tok.Kind == sqlscan.String:
			texts = append(texts, stringContent(text))
		case text == "(" && (last == "dblink_exec" || last == "dblink_send_query"):
			return true
		case text == "(" && (last == "dblink" || last == "dblink_open"):
			runs = true
		}
		if last = text; isName(tok) {
			last = nameAt(t, tok)
		}
	}
	return runs && !(known && allRead(texts))
}

// allRead reports that at least one of the texts reads, and none does anything else.
func allRead(texts []string) bool {
	reads := false
	for _, text := range texts {
		var t sqlscan.Text
		sqlscan.Classify(&t, text, sqlscan.PostgreSQL, sqlscan.PostgreSQL.DefaultMode())
		if t.Calls || hasOtherOps(&t) {
			return false
		}
		reads = reads || t.IsRead()
	}
	return reads
}

// hasOtherOps reports a readable operation that is not about the session. Texts that are no
// statements, such as a connection string, are not readable.
func hasOtherOps(t *sqlscan.Text) bool {
	for i := range t.Ops {
		switch t.Ops[i].Kind {
		case sqlscan.Unreadable, sqlscan.Read, sqlscan.Session:
		default:
			return true
		}
	}
	return false
}

// stringContent is the content of a string literal. One with escapes is returned as written,
// which is no statement.
func stringContent(text string) string {
	if tag := strings.IndexByte(text[min(1, len(text)):], '$'); text[0] == '$' && tag >= 0 && len(text) >= 2*(tag+2) {
		return text[tag+2 : len(text)-tag-2]
	}
	if text[0]|0x20 == 'e' && !strings.Contains(text, `\`) {
		text = text[1:]
	}
	return sqlscan.Unquote(text)
}
