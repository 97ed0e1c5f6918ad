package engine

import (
	"context"
	"slices"
)

// Where a door can send several texts in one flight, what stands around a
// statement need not be sent alone: the BEGIN or SAVEPOINT before it and, as what
// will be asked once it has run is known beforehand, the count and the COMMIT
// after it. The server leaves out what follows an error.
//
// Nothing else of a flight is changed by that. What it sends while it opens is
// held back, and what it asks at its end finds its answer there already; if it
// asks something else, that is sent.

// Pipeline is a Conn whose door can send texts around a statement. Where a
// transaction stands, it knows by its protocol.
type Pipeline interface {
	Conn
	Wire
	// Pipelined says that the door asks a Flight for its Escort, and either sends it
	// or calls Depart.
	Pipelined()
}

// Reply is what came of one text of an escort.
type Reply struct {
	Rows     [][]any // values as those of Query
	Affected int64
	Err      error // of the server
}

// pipelineConn is the connection of a session whose door can send several texts.
type pipelineConn struct {
	Pipeline
	holding bool
	before  []heldQuery
	after   []string
	replies []Reply // to the texts in after
}

// heldQuery is a text that is held back; row is nil for one without an answer.
type heldQuery struct {
	text string
	row  func(values []any) error
}

// Exec runs a text, unless it is held back or answered already.
func (e *pipelineConn) Exec(ctx context.Context, text string) (int64, error) {
	if e.holding {
		e.before = append(e.before, heldQuery{text: text})
		return 0, nil
	}
	if r, ok := e.replyTo(text); ok {
		return r.Affected, r.Err
	}
	return e.Pipeline.Exec(ctx, text)
}

// Query is Exec of what answers with rows.
func (e *pipelineConn) Query(ctx context.Context, text string, row func(values []any) error) error {
	if e.holding {
		e.before = append(e.before, heldQuery{text, row})
		return nil
	}
	if r, ok := e.replyTo(text); ok {
		return r.deliver(row)
	}
	return e.Pipeline.Query(ctx, text, row)
}

func (r *Reply) deliver(row func(values []any) error) error {
	for _, values := range r.Rows {
		if err := row(values); err != nil {
			return err
		}
	}
	return r.Err
}

// replyTo is the reply to the text, if that is what was foreseen.
func (e *pipelineConn) replyTo(text string) (r Reply, ok bool) {
	if len(e.replies) == 0 || e.after[0] != text {
		e.clear() // the server was left at another place
		return r, false
	}
	r = e.replies[0]
	e.after, e.replies = e.after[1:], e.replies[1:]
	return r, true
}

func (e *pipelineConn) clear() { e.holding, e.before, e.after, e.replies = false, nil, nil, nil }

// predictable is a counter that knows what will be asked at the end of its flight.
type predictable interface {
	textsAfter() []string
}

// startHolding begins to hold back what opens the flight, if its door can send it
// together with the statement.
func (f *Flight) startHolding() {
	e := f.s.pipeline
	if e == nil {
		return
	}
	e.clear()
	_, foresees := f.counter.(predictable)
	reads := f.form == Tagged || f.text != "" // nothing of the statement is left to be read after it
	e.holding = reads && (f.sealed || foresees) && f.st.op.Statements == 1 && e.TxStatus() != 'E' &&
		(f.text != "" || f.probeText() == "")
}

// stopHolding ends that, and says what comes after the statement.
func (f *Flight) stopHolding() {
	e := f.s.pipeline
	if e == nil || !e.holding {
		return
	}
	e.holding = false
	switch {
	case !f.sealed:
		e.after = f.counter.(predictable).textsAfter()
	case f.strategy == inCallerTx && !f.op.Shares():
		e.after = f.frame.keep // the server has the last word
	}
	f.commits = f.strategy == ownTx && slices.Contains(e.after, f.frame.keep[0])
}

// commitUnknown reports that the statement was sent together with its COMMIT, and that
// err leaves open what came of it. What the server says of the statement itself it
// says before the COMMIT.
func (f *Flight) commitUnknown(err error) bool {
	return f.commits && f.s.connectionLost(err) && sqlState(err) == ""
}

// PipelinedTexts are the texts to be sent before and after the statement, in one flight
// with it. Where there are some the door does that and calls Escorted, or it
// calls Depart.
func (f *Flight) PipelinedTexts() (before, after []string) {
	e := f.s.pipeline
	if e == nil || len(e.before) == 0 {
		return nil, nil
	}
	before = make([]string, len(e.before))
	for i, q := range e.before {
		before[i] = q.text
	}
	return before, e.after
}

// TakeReplies takes the replies to the texts before the statement and after it, as
// far as there are any: it comes before the statement's own outcome goes to Answer
// or End. That is an error, too, where one before it has failed.
func (f *Flight) TakeReplies(before, after []Reply) {
	e := f.s.pipeline
	held, foreseen := e.before, e.after
	e.clear()
	opened := len(before) > 0 && before[0].Err == nil
	for i := range before {
		if held[i].row != nil && before[i].Err == nil {
			_ = before[i].deliver(held[i].row) // no row of the engine's own is unreadable
		}
	}
	if !opened {
		f.frame = frame{} // there is nothing to leave
	}
	if len(before) < len(held) || !opened {
		f.s.backend.forget()
		return
	}
	e.after, e.replies = foreseen, after
}

// SendHeld sends what was held back, for a door that sends the statement alone.
func (f *Flight) SendHeld(ctx context.Context) error {
	e := f.s.pipeline
	if e == nil || len(e.before) == 0 {
		return nil
	}
	held := e.before
	e.clear()
	for i, q := range held {
		var err error
		if q.row == nil {
			_, err = e.Exec(ctx, q.text)
		} else {
			err = e.Query(ctx, q.text, q.row)
		}
		if err == nil {
			continue
		}
		f.s.flight = nil
		f.s.backend.forget()
		if i == 0 {
			f.ensureFrameClosed(ctx, err)
		} else if undo := f.closeFrame(ctx, f.frame.undo); undo != nil {
			err = undo
		}
		return f.endUnsent(ctx, hideBadConn(err))
	}
	return nil
}
