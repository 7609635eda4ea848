package publish

import (
	"context"

	"gongkai/internal/disclosure"
)

// FileName is how the name of an upload is kept.
var FileName = fileName

// Once runs a step as every step of a notice is run.
func (s *Service) Once(ctx context.Context, r disclosure.Request, step func() (string, error)) (disclosure.Outcome, error) {
	return s.once(ctx, r, step)
}
