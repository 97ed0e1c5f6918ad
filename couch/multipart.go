package couch

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"regexp"
	"strings"
)

// partsOf reads a multipart body; nil if it is none.
func partsOf(src io.Reader, types []string) (*multipart.Reader, error) {
	if len(types) == 0 || !strings.Contains(strings.ToLower(types[0]), "multipart/") {
		return nil, nil
	}
	media, params, err := mime.ParseMediaType(types[0])
	switch {
	case err != nil:
		return nil, err
	// CouchDB compares it case-sensitively, and takes anything else for JSON.
	case len(types) > 1, media != "multipart/related", !strings.HasPrefix(types[0], "multipart/related;"), params["boundary"] == "":
		return nil, fmt.Errorf("its type is %s", strings.Join(types, ", "))
	}
	return multipart.NewReader(src, params["boundary"]), nil
}

// firstPart is the document in a multipart body, its first part. The attachments
// follow.
func firstPart(parts *multipart.Reader) (io.Reader, error) {
	part, err := parts.NextRawPart()
	if err != nil {
		return nil, err
	}
	if v := part.Header.Get("Content-Encoding"); v != "" {
		return nil, fmt.Errorf("the encoding of its first part is %s", v)
	}
	return part, nil
}

// errOtherDocument says that a later part looks like a document.
var errOtherDocument = errors.New("a part of it that has no filename may take its document's place")

// hasFilename matches a Content-Disposition whose filename every server reads.
var hasFilename = regexp.MustCompile(`(?i)^[^"]*;[ \t]*filename="[^"\\]+"[ \t]*$`)

// readOthers checks the parts after the first. PouchDB takes those without a filename
// for documents, too, and uses the last one.
func (r *reader) readOthers(parts *multipart.Reader) error {
	for {
		part, err := parts.NextRawPart()
		switch {
		case err == io.EOF: //nolint:errorlint // it is returned as it is
			return nil
		case err != nil:
			return err
		}
		if v := part.Header["Content-Disposition"]; len(v) == 1 && hasFilename.MatchString(v[0]) {
			continue
		}
		if v := strings.ToLower(part.Header.Get("Content-Transfer-Encoding")); v != "" && v != "binary" && v != "7bit" && v != "8bit" {
			return errOtherDocument
		}
		r.reset(part)
		if r.next() != '{' {
			continue // anything else is no document
		}
		r.unreadByte()
		if e, err := r.entry(true); err != nil || e.id != "" || e.rev || e.deleted {
			return errOtherDocument
		}
	}
}
