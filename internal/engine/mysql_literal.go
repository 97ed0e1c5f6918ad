package engine

import (
	"context"
	"database/sql/driver"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// mysqlLiteral is an argument as an SQL literal with exactly the value that it has as a
// parameter; not ok, where that depends on unknown settings: the driver's time zone,
// the connection's character set.
func mysqlLiteral(v driver.Value) (text string, ok bool) {
	switch v := v.(type) {
	case nil:
		return "NULL", true
	case int64:
		if v < 0 {
			return "(" + strconv.FormatInt(v, 10) + ")", true
		}
		return strconv.FormatInt(v, 10), true
	case uint64:
		return strconv.FormatUint(v, 10), true
	case float64:
		if math.IsInf(v, 0) || math.IsNaN(v) {
			return "", false
		}
		return "(" + strconv.FormatFloat(v, 'e', -1, 64) + ")", true
	case bool:
		if v {
			return "1", true
		}
		return "0", true
	case string:
		return quotedLiteral(v)
	case []byte:
		if v != nil {
			return quotedLiteral(string(v))
		}
	}
	return "", false
}

// writesFloats reports that the driver writes a float64 among these as a literal: that is a
// DECIMAL, where a parameter is a DOUBLE.
func (m *mysql) writesFloats(ctx context.Context, args []driver.NamedValue) bool {
	p, ok := m.conn.(Preparer)
	if !ok || !slices.ContainsFunc(args, func(a driver.NamedValue) bool { _, is := a.Value.(float64); return is }) {
		return false
	}
	if !m.argsAsked {
		m.argsAsked, m.argsWritten = true, p.WritesArgs(ctx)
	}
	return m.argsWritten
}

// quotedLiteral is a string in quotes; not ok, if its bytes are not the same in every
// sql_mode and character set. A backslash may escape, or be the second byte of a
// character. A quote is the second byte in no character set that a client can use.
func quotedLiteral(s string) (text string, ok bool) {
	return "'" + strings.ReplaceAll(s, "'", "''") + "'", !strings.ContainsAny(s, "\\\x00")
}

// formatTimes replaces times by text, as go-sql-driver/mysql formats them, whose time
// zone is known: it omits the time of day at midnight.
func (s *Session) formatTimes(args []driver.NamedValue) []driver.NamedValue {
	for i, a := range args {
		at, ok := a.Value.(time.Time)
		if !ok || s.zone == nil {
			continue
		}
		text := "0000-00-00"
		if !at.IsZero() {
			if at = at.In(s.zone); at.Year() < 1 || at.Year() > 9999 {
				continue // the driver rejects it
			}
			text = strings.TrimSuffix(at.Format("2006-01-02 15:04:05.999999999"), " 00:00:00")
		}
		args = slices.Clone(args)
		args[i].Value = text
	}
	return args
}

// inlineArgs is a part of a text with its arguments as literals. skip is the number
// of arguments that belong to the text before it.
func inlineArgs(t *sqlscan.Text, from, to int32, args []driver.NamedValue, skip int) (text string, ok bool) {
	return replaceParams(t, from, to, args, skip, mysqlLiteral)
}

// replaceParams is a part of a text with each parameter replaced according to its
// argument.
func replaceParams(t *sqlscan.Text, from, to int32, args []driver.NamedValue, skip int, by func(driver.Value) (string, bool)) (text string, ok bool) {
	var b strings.Builder
	at := from
	for tok := range tokens(t, from, to) {
		if tok.Kind != sqlscan.Param {
			continue
		}
		if skip >= len(args) || args[skip].Name != "" {
			return "", false
		}
		value, ok := by(args[skip].Value)
		if !ok {
			return "", false
		}
		skip++
		b.WriteString(t.Source[at:tok.Pos])
		b.WriteString(value)
		at = tok.End
	}
	b.WriteString(t.Source[at:to])
	return b.String(), true
}

// identifiers are the names and bare words that a text has, whatever the session's settings:
// sql_mode decides whether a backslash hides a quote, and the character set which bytes are
// letters, and which white space.
func identifiers(text string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for _, mode := range modesThatMatter(text) {
			t := &sqlscan.Text{Source: text, Dialect: sqlscan.MySQL, Mode: mode | sqlscan.ANSIQuotes}
			var joined sqlscan.Token // what is one word if marks are letters
			for tok := range tokens(t, 0, int32(len(text))) {
				if isName(tok) && !yield(nameAt(t, tok)) {
					return
				}
				if !mayBeLetters(tok, text) {
					continue
				}
				if joined.End != tok.Pos {
					joined = tok
				}
				joined.End = tok.End
				if joined.Pos < tok.Pos && !yield(text[joined.Pos:joined.End]) {
					return
				}
			}
		}
	}
}

// modesThatMatter are those in which a text may have different names. In UTF-8 no white space
// of another character set is followed by a name: before it would be a letter.
func modesThatMatter(text string) []sqlscan.Mode {
	modes := []sqlscan.Mode{sqlscan.BackslashEscapes}
	if strings.Contains(text, `\`) {
		modes = append(modes, 0)
	}
	if !utf8.ValidString(text) {
		for _, mode := range modes {
			modes = append(modes, mode|sqlscan.SpaceA0, mode|sqlscan.SpaceFF)
		}
	}
	return modes
}

// mayBeLetters reports a bare word, or marks that are letters in some character set (swe7), or
// second bytes of letters (gbk, sjis).
func mayBeLetters(tok sqlscan.Token, text string) bool {
	return tok.Kind == sqlscan.Word || tok.Kind == sqlscan.Number || tok.Kind == sqlscan.Var || strings.Trim(text[tok.Pos:tok.End], "@^{|}~") == ""
}
