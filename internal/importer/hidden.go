package importer

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"gongkai/internal/disclosure"
)

// secret is a person's number where a reader of the sheet does not see it: in a
// comment, or in a cell behind a merged one. Neither is imported, but the file
// goes from hand to hand with it.
type secret struct {
	place
	kind  disclosure.LeakKind
	where string
}

// maxSecrets bounds what is kept of one sheet; a list of thousands is wrong in
// one way.
const maxSecrets = 200

// conceal keeps the places of numbers in a text that is not shown.
func (s *sheet) conceal(row, col int, where, text string) {
	for _, l := range disclosure.FindLeaks(text) {
		found := secret{place{s.title, row, col}, l.Kind, where}
		switch l.Kind {
		case disclosure.LeakID, disclosure.LeakCard, disclosure.LeakPassport:
			if len(s.secrets) < maxSecrets && !slices.Contains(s.secrets, found) {
				s.secrets = append(s.secrets, found)
			}
		}
	}
}

// concealed implements grid.
func (s *sheet) concealed() ([]secret, error) {
	comments, err := s.comments()
	if err != nil || comments == "" {
		return s.secrets, err
	}
	ref, text, inText := "", strings.Builder{}, false
	err = s.book.each(comments, maxInflated, func(x *scanner, t token) error {
		switch {
		case t == tokenText && inText:
			if text.Len() < maxCellBytes {
				text.Write(x.text)
			}
		case t == tokenStart && string(x.name) == "comment":
			ref = x.attr("ref")
			text.Reset()
		case t == tokenStart && string(x.name) == "t":
			inText = true
		case t == tokenEnd && string(x.name) == "t":
			inText = false
		case t == tokenEnd && string(x.name) == "comment":
			if col, row, ok := parseRef(ref); ok {
				s.conceal(row, col, "批注", text.String())
			}
		}
		return nil
	})
	return s.secrets, damaged(err)
}

// comments returns the part with the sheet's comments, "" when it has none.
func (s *sheet) comments() (string, error) {
	folder := path.Dir(s.part)
	relations := folder + "/_rels/" + path.Base(s.part) + ".rels"
	if s.book.parts[strings.ToLower(relations)] == nil {
		return "", nil
	}
	found := ""
	err := s.book.each(relations, maxStyles, func(x *scanner, t token) error {
		if t == tokenStart && string(x.name) == "Relationship" && strings.HasSuffix(x.attr("Type"), "/comments") {
			found = x.attr("Target")
			if !strings.HasPrefix(found, "/") {
				found = folder + "/" + found
			}
			found = strings.TrimPrefix(path.Clean(found), "/")
		}
		return nil
	})
	if s.book.parts[strings.ToLower(found)] == nil {
		found = ""
	}
	return found, damaged(err)
}

// warnOfSecrets tells of the numbers that the sheets of the notices and their
// tables hide.
func (in *input) warnOfSecrets() error {
	grids := []grid{in.main.grid}
	for _, f := range tables(in.typ) {
		if l := in.tables[f.Key]; l != nil {
			grids = append(grids, l.grid)
		}
	}
	var errs []error
	for _, g := range grids {
		secrets, err := g.concealed()
		errs = append(errs, err)
		for _, s := range secrets {
			in.report.at(s.place, "", "", *caution("privacy."+string(s.kind), fmt.Sprintf("%s中有看不见的%s，不会导入", s.where, s.kind.Name()),
				"请从文件中删除，不要随文件再传给别人"))
		}
	}
	return errors.Join(errs...)
}
