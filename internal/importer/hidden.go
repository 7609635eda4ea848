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

// see keeps the row if nobody sees it: what a filter left out is imported too.
func (l *layout) see(row *line) {
	if row.hidden {
		l.unseen = append(l.unseen, row.n)
	}
}

// warnOfHidden tells of what the sheets of the notices and their tables hide:
// rows, which are imported, and persons' numbers, which are not.
func (in *input) warnOfHidden() error {
	layouts := []*layout{in.main}
	for _, f := range tables(in.typ) {
		if l := in.tables[f.Key]; l != nil {
			layouts = append(layouts, l)
		}
	}
	var errs []error
	for _, l := range layouts {
		if n := len(l.unseen); n > 0 {
			in.report.at(place{l.grid.name(), l.unseen[0], -1}, "", "", *caution("row.hidden",
				fmt.Sprintf("从这一行起有 %d 行是隐藏的，或者被筛选掉了，也会导入", n), "请取消隐藏和筛选后核对，不要公开的行请删去"))
		}
		secrets, err := l.grid.concealed()
		errs = append(errs, err)
		for _, s := range secrets {
			in.report.at(s.place, "", "", *caution("privacy."+string(s.kind), fmt.Sprintf("%s中有看不见的%s，不会导入", s.where, s.kind.Name()),
				"请从文件中删除，不要随文件再传给别人"))
		}
	}
	return errors.Join(errs...)
}
