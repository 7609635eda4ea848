package publish

import (
	"context"
	"errors"
	"time"

	"gongkai/internal/disclosure"
	"gongkai/internal/workday"
)

// findings reviews a notice as of the moment it would be published: its own
// content, and of a correction or termination what it makes of the original.
func (s *Service) findings(ctx context.Context, n disclosure.StaffNotice, at time.Time) ([]disclosure.Finding, error) {
	day := workday.DateOf(at)
	found := n.Catalog.Review(n.Content, day)
	id, _ := n.Amends()
	if id == "" {
		return found, nil
	}
	original, err := s.Store.Staff(ctx, disclosure.NoticeRef{ID: id})
	if errors.Is(err, &disclosure.Error{Code: disclosure.CodeNotFound}) {
		return found, nil // publication says so
	}
	if err != nil {
		return nil, err
	}
	content := n.Content
	content.Fields = map[string]any{} // amended fills in the table of changes of what it is given
	changed, err := s.amended(ctx, original, &content)
	if err != nil {
		return nil, err
	}
	return append(found, n.Catalog.ReviewAmendment(original.Notice, changed, n.Content, day)...), nil
}
