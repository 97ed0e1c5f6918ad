package engine

import (
	"context"
	"unicode/utf8"
)

// A session may send texts in one character set, have literals converted to another, and names
// returned in a third (SET character_set_client, _connection, _results). Then a name with letters
// beyond ASCII that comes from the catalogue means another one where the guard sends it back, and
// one from a text may not be found: it is not looked up.

// oneCharset holds where names are the same in all three. All Unicode ones spell every name.
const oneCharset = "SELECT COUNT(*) FROM (SELECT IF(@@character_set_client LIKE 'utf8%', 'utf8', @@character_set_client) a," +
	" IF(@@character_set_connection LIKE 'utf8%', 'utf8', @@character_set_connection) b," +
	" IF(COALESCE(@@character_set_results, 'utf8') LIKE 'utf8%', 'utf8', @@character_set_results) c) dbguard WHERE a = b AND b = c"

// misspells reports that names like these may not be what they were.
func (m *mysql) misspells(ctx context.Context, names ...string) (bool, error) {
	for _, name := range names {
		if !isASCII(name) {
			same, err := askInts(ctx, m.conn, oneCharset)
			return err == nil && same[0] == 0, err
		}
	}
	return false, nil
}

// hasWideBackslash reports a backslash or backtick that may be a part of the letter before it.
func hasWideBackslash(text string) bool {
	for i := 1; i < len(text); i++ {
		if text[i-1] >= utf8.RuneSelf && (text[i] == '\\' || text[i] == '`') {
			return true
		}
	}
	return false
}

// sendsWideLetters reports that answers are in a character set whose letters may end like that.
func (m *mysql) sendsWideLetters(ctx context.Context) (bool, error) {
	wide, err := askInts(ctx, m.conn, "SELECT COUNT(*) FROM (SELECT @@character_set_results a) dbguard WHERE a IN ('big5', 'cp932', 'gb18030', 'gbk', 'sjis')")
	return err == nil && wide[0] > 0, err
}

func isASCII(text string) bool {
	for i := range len(text) {
		if text[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
