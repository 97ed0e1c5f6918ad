package sqlscan

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// verdict is what an engine or a real parser said about a text.
type verdict struct {
	SQL      string   `json:"sql"`
	Kind     string   `json:"kind"`
	Tables   []string `json:"tables"`
	Modifies bool     `json:"modifies"`
	Class    string   `json:"class"`
	Opaque   bool     `json:"opaque"`
	Ops      []struct {
		Op    string `json:"op"`
		Table string `json:"table"`
		Where *bool  `json:"where"`
		Path  string `json:"path"`
	} `json:"ops"`
	Extra struct {
		MultiTable bool `json:"multi_table"`
	} `json:"extra"`
}

// kindsOf are the readings that agree with an engine's word for an operation.
// The longest matching prefix holds.
var kindsOf = map[string][]Kind{
	"INSERT": {Insert, Replace}, "UPSERT": {Upsert}, "REPLACE": {Replace}, "LOAD DATA": {Insert, Replace},
	"UPDATE": {Update}, "DELETE": {Delete}, "MERGE": {Merge, Insert}, "TRUNCATE": {Truncate},
	"CREATE": {Define, Insert, Drop, CreateDatabase}, "CREATE TABLE AS": {Insert}, "CREATE DATABASE": {CreateDatabase},
	"DROP": {Drop, DropDatabase}, "DROP DATABASE": {DropDatabase}, "DROP SCHEMA": {DropDatabase},
	"ALTER": {Define, Alter, Drop, Truncate, GuardOff}, "ALTER DELETE": {Delete}, "ALTER UPDATE": {Update},
	"ALTER ROLE": {Maintain}, "RENAME": {Alter}, "ATTACH": {CreateDatabase, Define}, "DETACH": {Alter, Session},
	"ALTER FUNCTION RENAME": {Alter}, "OPTIMIZE": {Maintain, Delete}, "UNDROP": {Define},
}

func agrees(op string, k Kind) bool {
	for {
		if kinds, ok := kindsOf[op]; ok {
			return slices.Contains(kinds, k)
		}
		i := strings.LastIndexAny(op, " _")
		if i < 0 {
			return false
		}
		op = op[:i]
	}
}

// score counts how readings agree with verdicts.
type score struct {
	texts    map[string]int      // by outcome
	examples map[string][]string // a few of each outcome that is not agreement
}

func (s *score) note(outcome, format string, args ...any) {
	s.texts[outcome]++
	if len(s.examples[outcome]) < 25 {
		s.examples[outcome] = append(s.examples[outcome], fmt.Sprintf(format, args...))
	}
}

// harmless reports that a guard would let every operation pass unseen.
func harmless(t *Text) bool {
	for _, op := range t.Ops {
		if op.Kind != Read && op.Kind != Session {
			return false
		}
	}
	return t.Statements > 0
}

func changes(k Kind) bool {
	switch k {
	case Insert, Upsert, Replace, Update, Delete, Merge, Truncate, Define, CreateDatabase, Drop, DropDatabase, Alter, GuardOff, Opaque:
		return true
	}
	return false
}

// judge compares the reading of one text with the verdict on it.
func (s *score) judge(v verdict, t *Text) {
	readable := len(t.Ops) == 0 || t.Ops[len(t.Ops)-1].Kind != Unreadable
	switch {
	case v.Kind == "ERROR":
		if readable {
			s.note("rejected, read", "%s", v.SQL)
		} else {
			s.note("rejected, unreadable", "")
		}
	case v.Kind == "?" && v.Class == "Control": // an error of the engine behind its parser
		s.note("no verdict", "")
	case v.Modifies && readable && harmless(t):
		s.note("ESCAPE", "%s: %s %+v", v.Kind, v.SQL, t.Ops)
	case !readable:
		s.note("unreadable", "%s: %s at %d: %s", v.Kind, v.SQL, t.Pos, t.Why)
	case !v.Modifies && v.Kind != "EMPTY QUERY" && slices.ContainsFunc(t.Ops, func(op Op) bool { return changes(op.Kind) }):
		s.note("over-cautious", "%s: %s %+v", v.Kind, v.SQL, t.Ops)
	default:
		s.compare(v, t)
	}
}

// compare matches the operations one by one.
func (s *score) compare(v verdict, t *Text) {
	taken := make([]bool, len(t.Ops))
	upsert := slices.ContainsFunc(t.Ops, func(op Op) bool { return op.Kind == Upsert || op.Kind == Replace })
	bad := ""
	for _, want := range v.Ops {
		if want.Path == "explain" && !v.Modifies || want.Path == "prepare" || strings.HasPrefix(v.Kind, "EXPLAIN") && !v.Modifies {
			continue
		}
		// One reading of ours, two operations of theirs.
		if upsert && v.Kind == "INSERT" && (want.Op == "INSERT" || want.Op == "DELETE") {
			continue
		}
		where, found := "", false
		for i, op := range t.Ops {
			if taken[i] || !agrees(want.Op, op.Kind) {
				continue
			}
			if want.Table != "" && v.Kind != "DROP INDEX" && v.Kind != "DROP TRIGGER" && !sameTable(want.Table, t.Name(op.Object)) {
				continue
			}
			found, taken[i] = true, true
			if want.Where != nil && *want.Where != (op.Filter != NoFilter) {
				where = "where"
			}
			break
		}
		if !found && !v.Extra.MultiTable && v.Kind != "RENAME" && !strings.HasPrefix(want.Op, "ALTER") {
			bad = "op " + want.Op + " " + want.Table
		}
		if where != "" {
			bad = where
		}
	}
	if bad != "" {
		s.note("differs", "%s: %s: %s: %s", bad, v.Kind, v.SQL, describe(t))
		return
	}
	s.note("agrees", "")
}

// sameTable compares names as the corpus spells them: SQLite's without their
// schema, ClickHouse's OPTIMIZE with its last words glued on.
func sameTable(want, got string) bool {
	want, got = strings.ToLower(want), strings.ToLower(got)
	return want == got || strings.HasPrefix(want, got+".") || strings.HasSuffix(got, "."+want) ||
		strings.HasPrefix(want, got+"_final")
}

func describe(t *Text) string {
	var b strings.Builder
	for _, op := range t.Ops {
		fmt.Fprintf(&b, "[%v %q where %q] ", op.Kind, t.Name(op.Object), t.Source[op.Where.Start:op.Where.End])
	}
	return b.String()
}

func readVerdicts(tb testing.TB, name string) (vs []verdict) {
	f, err := os.Open(filepath.Join("..", "..", "..", "shared", "corpus", "classify", name+".jsonl"))
	if err != nil {
		tb.Skip("the corpus is not here: ", err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		var v verdict
		if err := json.Unmarshal(lines.Bytes(), &v); err != nil {
			tb.Fatal(err)
		}
		vs = append(vs, v)
	}
	return vs
}

func TestVerdicts(t *testing.T) {
	for file, d := range map[string]Dialect{"pg": PostgreSQL, "mysql": MySQL, "sqlite": SQLite, "clickhouse": ClickHouse} {
		t.Run(file, func(t *testing.T) {
			s := score{texts: map[string]int{}, examples: map[string][]string{}}
			var text Text
			for _, v := range readVerdicts(t, file) {
				Classify(&text, v.SQL, d, d.DefaultMode())
				s.judge(v, &text)
			}
			t.Log(s.texts)
			for outcome, list := range s.examples {
				if outcome == "agrees" || strings.HasPrefix(outcome, "rejected") {
					continue
				}
				for _, e := range list {
					t.Logf("%s: %.400s", outcome, e)
				}
			}
			if n := s.texts["ESCAPE"]; n > 0 {
				t.Errorf("%d modifying statements are read as harmless", n)
			}
			wrong := s.texts["differs"] + s.texts["unreadable"] + s.texts["over-cautious"]
			if agree := s.texts["agrees"]; wrong*100 > agree {
				t.Errorf("%d readings differ from the engine's, %d agree", wrong, agree)
			}
		})
	}
}

// TestNothingIsSwallowed puts a DELETE after every text of the corpus: a
// statement whose end is misjudged would hide it.
func TestNothingIsSwallowed(t *testing.T) {
	for file, d := range map[string]Dialect{"pg": PostgreSQL, "mysql": MySQL, "sqlite": SQLite, "clickhouse": ClickHouse} {
		var alone, behind Text
		for _, v := range readVerdicts(t, file) {
			Classify(&alone, v.SQL, d, d.DefaultMode())
			if n := len(alone.Ops); v.Kind == "ERROR" || n > 0 && alone.Ops[n-1].Kind == Unreadable {
				continue
			}
			if d == ClickHouse && strings.Contains(strings.ToUpper(v.SQL), "FORMAT ") {
				continue // data to the end of the text
			}
			Classify(&behind, v.SQL+"\n; DELETE FROM zz", d, d.DefaultMode())
			last := Op{Kind: Read}
			if n := len(behind.Ops); n > 0 {
				last = behind.Ops[n-1]
			}
			if last.Kind != Unreadable && (last.Kind != Delete || behind.Name(last.Object) != "zz") {
				t.Errorf("%v: the DELETE behind %s is lost", d, v.SQL)
			}
		}
	}
}
