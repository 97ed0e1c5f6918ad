package engine

import (
	"fmt"
	"iter"
	"strings"

	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// nameParts are the parts of a name as the server knows them, qualifiers first:
// unquoted, and folded where the dialect folds.
func nameParts(t *sqlscan.Text, sp sqlscan.Span) []string {
	if sp.Start == sp.End {
		return nil
	}
	var parts []string
	start := sp.Start
	for tok := range tokens(t, sp.Start, sp.End) {
		if isPunct(tok, '.') {
			parts = append(parts, t.Name(sqlscan.Span{Start: start, End: tok.Pos}))
			start = tok.End
		}
	}
	return append(parts, t.Name(sqlscan.Span{Start: start, End: sp.End}))
}

// words are the unquoted words between two positions of the text.
func words(t *sqlscan.Text, from, to int32) iter.Seq[string] {
	return func(yield func(string) bool) {
		for tok := range tokens(t, from, to) {
			if tok.Kind == sqlscan.Word && !yield(t.Source[tok.Pos:tok.End]) {
				return
			}
		}
	}
}

// tokens are the tokens between two positions of the text; from must be the start of
// a token. Their positions are those in the text.
func tokens(t *sqlscan.Text, from, to int32) iter.Seq[sqlscan.Token] {
	return func(yield func(sqlscan.Token) bool) {
		if from >= to {
			return
		}
		var sc sqlscan.Scanner
		sc.Init(t.Source[from:to], t.Dialect, t.Mode)
		for tok := sc.Scan(); tok.Kind != sqlscan.EOF; tok = sc.Scan() {
			tok.Pos += from
			tok.End += from
			if !yield(tok) || tok.Kind == sqlscan.Illegal {
				return
			}
		}
	}
}

// isName reports a word or a quoted identifier.
func isName(tok sqlscan.Token) bool {
	return tok.Kind == sqlscan.Word || tok.Kind == sqlscan.QuotedIdent
}

func isPunct(tok sqlscan.Token, b byte) bool { return tok.Kind == sqlscan.Punct && tok.Byte == b }

// nameAt is the name that a token stands for.
func nameAt(t *sqlscan.Text, tok sqlscan.Token) string {
	return t.Name(sqlscan.Span{Start: tok.Pos, End: tok.End})
}

// quoteString is an SQL string literal that reads the same under all session
// settings. It is for names in catalogue queries only.
func quoteString(d sqlscan.Dialect, s string) string {
	doubled := "'" + strings.ReplaceAll(s, "'", "''") + "'"
	if !strings.Contains(s, `\`) {
		return doubled
	}
	switch d {
	case sqlscan.PostgreSQL:
		return "E" + strings.ReplaceAll(doubled, `\`, `\\`)
	case sqlscan.MySQL: // sql_mode decides whether a backslash escapes; hexadecimal avoids it
		return fmt.Sprintf("CONVERT(x'%x' USING utf8mb4)", s)
	}
	return doubled
}

// quoteName is a quoted identifier for PostgreSQL and SQLite.
func quoteName(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// maxNames is how many names of a kind a session caches.
const maxNames = 1024
