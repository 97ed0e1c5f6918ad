package sqlscan

import "strings"

const maxSummary = 255 // bytes of db.query.summary

// Summary is the text in a few words, as the OpenTelemetry conventions want
// db.query.summary: every operation with its targets, in order. For a text
// with no operations it is its first keyword.
func Summary(t *Text) string {
	if len(t.Ops) == 0 {
		return firstWord(t.Source, t)
	}
	var b strings.Builder
	last, separator := "", ""
	for _, op := range t.Ops {
		if b.Len() > maxSummary {
			break
		}
		name, object := OperationName(t, op), objectName(t, op)
		if name != last {
			b.WriteString(separator + name)
			separator = " "
			last = name
		} else if object != "" {
			separator = ", "
		}
		if object != "" {
			b.WriteString(separator + object)
		}
		separator = " "
	}
	return cut(strings.ToValidUTF8(b.String(), "?"), maxSummary)
}

// objectName is the name of an operation's object; "" if the text does not name one.
func objectName(t *Text, op Op) string {
	if op.Object.Start == op.Object.End || op.Flags&Parameterised != 0 || op.Kind == Unreadable || t.Source[op.Object.Start] == '\'' {
		return ""
	}
	return t.Name(op.Object)
}

// OperationName is the name of the operation for db.operation.name: its
// keyword in upper case, with the class of the object where that says more.
func OperationName(t *Text, op Op) string {
	if op.Kind == Unreadable {
		return firstWord(t.Source, t)
	}
	var s Scanner
	s.Init(t.Source[op.At.Start:], t.Dialect, t.Mode)
	verb := lookup(s.Text(s.Scan()))
	switch verb {
	case kwInto:
		return "SELECT INTO"
	case kwCreate, kwDrop, kwAlter, kwAttach, kwDetach, kwRename:
		for range 24 {
			tok := s.Scan()
			if tok.Kind == EOF {
				break
			}
			if tok.Kind == Word {
				if kw := lookup(s.Text(tok)); keywords[kw].sets&sObject != 0 {
					return upper(verb) + " " + upper(kw)
				}
			}
		}
	}
	return upper(verb)
}

// firstWord is the keyword that a text begins with, in upper case.
func firstWord(text string, t *Text) string {
	var s Scanner
	s.Init(text, t.Dialect, t.Mode)
	for {
		switch tok := s.Scan(); tok.Kind {
		case Word:
			return upper(lookup(s.Text(tok)))
		case Punct:
		default:
			return ""
		}
	}
}

func upper(kw keyword) string { return strings.ToUpper(keywords[kw].name) }
