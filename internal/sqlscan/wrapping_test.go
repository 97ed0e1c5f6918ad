package sqlscan

import (
	"slices"
	"strings"
	"testing"
)

// outline is what of a reading must not depend on how a text is spelt.
func outline(t *Text) (s []string) {
	for _, op := range t.Ops {
		where := strings.Map(func(r rune) rune {
			if strings.ContainsRune(" \n\t", r) {
				return -1
			}
			return r
		}, strings.ReplaceAll(t.Source[op.Where.Start:op.Where.End], gapComment, ""))
		s = append(s, strings.ToLower(op.Kind.String()+" "+t.Name(op.Object)+" "+where)+strings.Repeat("!", int(op.Filter)))
	}
	return s
}

const gapComment = "/* ; DELETE FROM gap WHERE ' */"

// respell writes the tokens of a text with gap between them, each changed by f.
func respell(text string, d Dialect, gap string, f func(string) string) string {
	var sc Scanner
	sc.Init(text, d, d.DefaultMode())
	var b strings.Builder
	end := int32(0)
	for tok := sc.Scan(); tok.Kind != EOF; tok = sc.Scan() {
		if tok.Kind == Illegal {
			return ""
		}
		if tok.Pos > end { // only where there is a gap already: 1.5, a.b, @@x and :: stay whole
			b.WriteString(" " + gap + " ")
		}
		word := text[tok.Pos:tok.End]
		if tok.Kind == Word {
			word = f(word)
		}
		b.WriteString(word)
		end = tok.End
	}
	return b.String()
}

// TestSpelling reads every text of the corpus that an engine accepts in other
// spellings: what is between tokens, around the text, and the case of words
// change nothing.
func TestSpelling(t *testing.T) {
	same := func(s string) string { return s }
	for file, d := range map[string]Dialect{"pg": PostgreSQL, "mysql": MySQL, "sqlite": SQLite} {
		t.Run(file, func(t *testing.T) {
			var plain, other Text
			n := 0
			defer func() { t.Log(n, "texts") }()
			for _, v := range readVerdicts(t, file) {
				Classify(&plain, v.SQL, d, d.DefaultMode())
				last := len(plain.Ops) - 1
				if v.Kind == "ERROR" || last >= 0 && plain.Ops[last].Kind == Unreadable || strings.Contains(v.SQL, "/*!") || strings.Contains(v.SQL, "/*M!") {
					continue
				}
				n++
				want := outline(&plain)
				body := respell(v.SQL, d, "", same)
				for name, text := range map[string]string{
					"a semicolon": body + " ;", "white space around": "\n\t " + v.SQL + "\n", "a comment in front": gapComment + "\n" + v.SQL,
					"comments between": respell(v.SQL, d, gapComment, same), "capitals": respell(v.SQL, d, "", strings.ToUpper),
					"small letters": respell(v.SQL, d, "", strings.ToLower), "line comments": respell(v.SQL, d, "-- '\n", same),
				} {
					if Classify(&other, text, d, d.DefaultMode()); !slices.Equal(outline(&other), want) && !(strings.Contains(name, "comments") && continues(text)) {
						t.Errorf("%s: %q reads as %q, not %q", name, text, outline(&other), want)
					}
				}
			}
		})
	}
}

// continues reports a text in which what is between two strings matters:
// they are one, or not.
func continues(text string) bool { return strings.Contains(text, "'") && strings.Contains(text, "\n") }

// TestWrapped reads the statements of the corpus after EXPLAIN, which runs
// none of them, and after a WITH, which changes none.
func TestWrapped(t *testing.T) {
	var plain, other Text
	for file, d := range map[string]Dialect{"pg": PostgreSQL, "mysql": MySQL, "sqlite": SQLite} {
		for _, v := range readVerdicts(t, file) {
			Classify(&plain, v.SQL, d, d.DefaultMode())
			if v.Kind == "ERROR" || plain.Statements != 1 || len(plain.Ops) == 0 || plain.Ops[0].Path != Top || plain.Ops[0].At.Start != 0 {
				continue
			}
			want := outline(&plain)
			switch plain.Ops[0].Kind {
			case Insert, Upsert, Update, Delete, Replace:
			default:
				continue
			}
			switch word := strings.ToUpper(v.SQL[:6]); word {
			case "INSERT", "UPDATE", "DELETE":
				if Classify(&other, "EXPLAIN "+v.SQL, d, d.DefaultMode()); len(other.Ops) != 0 {
					t.Errorf("EXPLAIN %s reads as %q", v.SQL, outline(&other))
				}
				if d == MySQL && word == "INSERT" { // which takes no WITH in front
					continue
				}
				if Classify(&other, "WITH zz AS (SELECT 1) "+v.SQL, d, d.DefaultMode()); !slices.Equal(outline(&other), want) {
					t.Errorf("WITH … %s reads as %q, not %q", v.SQL, outline(&other), want)
				}
			}
		}
	}
}
