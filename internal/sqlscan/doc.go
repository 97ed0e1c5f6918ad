// Package sqlscan reads SQL text and says what it would do: which rows,
// tables and databases every statement in it deletes, changes, creates or
// drops. It knows the dialects, no rules and no database.
//
// Two layers: [Scanner] cuts a text into tokens as the server's own lexer
// would; [Classify] walks the tokens once and fills a [Text]. What cannot be
// read is [Unreadable], never harmless. Neither layer allocates for an
// ordinary statement, and both take linear time.
package sqlscan
