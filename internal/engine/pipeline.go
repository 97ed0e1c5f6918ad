package engine

import (
	"context"
	"slices"
)

// Where the adapter can pipeline, the texts around a statement need no round trips of
// their own: the BEGIN or SAVEPOINT before it and, where it is known beforehand what
// will be sent afterwards, the count and the COMMIT. The server skips what follows an
// error.
//
// The rest of a flight is unaffected. What it sends while opening is held back, and
// what it sends at its end has its reply already; anything else is sent as usual.

// Pipeline is a Conn whose adapter can send several texts at once. It knows the state
// of the transaction from the protocol.
type Pipeline interface {
	Conn
	Wire
	// Pipelined marks an adapter that asks a Flight for its PipelinedTexts, and then
	// either sends them or calls SendHeld.
	Pipelined()
}

// Reply is the outcome of one pipelined text.
type Reply struct {
	Rows     [][]any // values as those of Query
	Affected int64
	Err      error // of the server
}

// pipelineConn is the Conn of a session whose adapter can pipeline.
type pipelineConn struct {
	Pipeline
	holding bool
	before  []heldQuery
	after   []string
	replies []Reply // to the texts in after
}

// heldQuery is a text that is held back; row is nil if it returns no rows.
type heldQuery struct {
	text string
	row  func(values []any) error
}

// Exec runs a text, unless it is held back or its reply is here already.
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

// Query is Exec for a text that returns rows.
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

// replyTo is the reply to the text, if it was pipelined.
func (e *pipelineConn) replyTo(text string) (r Reply, ok bool) {
	if len(e.replies) == 0 || e.after[0] != text {
		e.clear() // the replies belong to other texts
		return r, false
	}
	r = e.replies[0]
	e.after, e.replies = e.after[1:], e.replies[1:]
	return r, true
}

func (e *pipelineConn) clear() { e.holding, e.before, e.after, e.replies = false, nil, nil, nil }

// predictable is a counter that knows beforehand which texts end its flight.
type predictable interface {
	textsAfter() []string
}

// startHolding begins to hold back what opens the flight, if the adapter can send it
// together with the statement.
func (f *Flight) startHolding() {
	e := f.s.pipeline
	if e == nil {
		return
	}
	e.clear()
	_, foresees := f.counter.(predictable)
	reads := f.form == Tagged || f.text != "" // the statement leaves no rows to be read after it
	e.holding = reads && (f.sealed || foresees) && f.st.op.Statements == 1 && e.TxStatus() != 'E' &&
		(f.text != "" || f.probeText() == "")
}

// stopHolding ends that, and determines what is sent after the statement.
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
		e.after = f.frame.keep // the server decides
	}
	f.commits = f.strategy == ownTx && slices.Contains(e.after, f.frame.keep[0])
}

// commitUnknown reports that the statement was sent together with its COMMIT, and
// that err leaves open what came of it. An error of the statement itself precedes the
// COMMIT.
func (f *Flight) commitUnknown(err error) bool {
	return f.commits && f.s.connectionLost(err) && sqlState(err) == ""
}

// PipelinedTexts are the texts to send before and after the statement, in the same
// round trip. If there are any, the adapter sends them and calls TakeReplies, or
// calls SendHeld.
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

// TakeReplies takes the replies to the texts before and after the statement, as far
// as there are any. It must be called before Answer or End gets the statement's own
// outcome, which is an error, too, if a text before it has failed.
func (f *Flight) TakeReplies(before, after []Reply) {
	e := f.s.pipeline
	held, foreseen := e.before, e.after
	e.clear()
	opened := len(before) > 0 && before[0].Err == nil
	for i := range before {
		if held[i].row != nil && before[i].Err == nil {
			_ = before[i].deliver(held[i].row) // the engine's own rows are always readable
		}
	}
	if !opened {
		f.frame = frame{} // nothing was opened
	}
	if len(before) < len(held) || !opened {
		f.s.backend.forget()
		return
	}
	e.after, e.replies = foreseen, after
}

// SendHeld sends what was held back, for an adapter that sends the statement by
// itself.
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
