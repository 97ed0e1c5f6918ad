package engine

import (
	"database/sql/driver"
	"math"
	"strconv"
	"strings"

	"github.com/dbguard/dbguard-go/internal/sqlscan"
)

// literal is an argument as MySQL reads it in a text, exactly as it reads it
// from the wire; not ok, where that depends on settings that are not known
// here: the driver's time zone, the connection's character set.
func literal(v driver.Value) (text string, ok bool) {
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
		return "'" + v + "'", plainString(v)
	case []byte:
		return "'" + string(v) + "'", v != nil && plainString(string(v))
	}
	return "", false
}

// plainString reports that the bytes between two quotes are what they are in
// every sql_mode and character set: no second byte of a character is a quote.
func plainString(s string) bool { return !strings.ContainsAny(s, "'\\\x00") }

// spelled is a piece of a text with its arguments written out. skip are those
// that belong to what stands before it.
func spelled(t *sqlscan.Text, from, to int32, args []driver.NamedValue, skip int) (text string, ok bool) {
	var b strings.Builder
	at := from
	for tok := range tokens(t, from, to) {
		if tok.Kind != sqlscan.Param {
			continue
		}
		if skip >= len(args) || args[skip].Name != "" {
			return "", false
		}
		value, ok := literal(args[skip].Value)
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
