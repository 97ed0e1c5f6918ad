package target

import (
	"fmt"
	"strings"
	"time"
)

// WithLiterals is a text for MySQL or MariaDB with its arguments written into it.
func WithLiterals(text string, args []any) string {
	for _, arg := range args {
		literal := fmt.Sprint(arg)
		switch v := arg.(type) {
		case nil:
			literal = "NULL"
		case string:
			literal = "'" + strings.NewReplacer(`\`, `\\`, `'`, `''`).Replace(v) + "'"
		case []byte:
			literal = fmt.Sprintf("X'%x'", v)
		case time.Time:
			literal = v.Format("'2006-01-02 15:04:05.999999'")
		}
		text = strings.Replace(text, "?", literal, 1)
	}
	return text
}
