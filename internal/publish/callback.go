package publish

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"gongkai/internal/disclosure"
)

// callbackKeys returns the configured keys, or the one the database keeps.
func (s *Service) callbackKeys(ctx context.Context) (disclosure.NumberKeys, error) {
	if len(s.CallbackKeys) > 0 {
		return s.CallbackKeys, nil
	}
	key, err := s.keptKey(ctx, "hotline_callback", &s.ownCallbackKey)
	return disclosure.NumberKeys{key}, err
}

// RequestCallback keeps a caller's request to be called back. What is open for
// the same number already is returned instead, as it was promised.
func (s *Service) RequestCallback(ctx context.Context, ask disclosure.CallbackAsk) (disclosure.CallbackRequest, error) {
	keys, err := s.callbackKeys(ctx)
	if err != nil {
		return disclosure.CallbackRequest{}, err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return disclosure.CallbackRequest{}, fmt.Errorf("publish: callback: %w", err)
	}
	k := disclosure.KeptCallback{ID: id.String(), Number: keys.MAC("dialled", string(ask.Number)), TurnMAC: keys.MAC("turn", ask.Turn),
		Sector: ask.Sector, Notice: ask.Notice, At: ask.At, DueAt: ask.DueAt}
	if k.Sealed, err = keys.Seal(k.ID, ask.Number); err != nil {
		return disclosure.CallbackRequest{}, err
	}
	return s.Store.SaveCallback(ctx, k)
}

// Callbacks returns a page of requests with their numbers, which the caller
// shows masked. One whose key is gone has none.
func (s *Service) Callbacks(ctx context.Context, q disclosure.CallbackQuery) (disclosure.CallbackPage, error) {
	page, err := s.Store.Callbacks(ctx, q)
	if err != nil || len(page.Items) == 0 {
		return page, err
	}
	keys, err := s.callbackKeys(ctx)
	if err != nil {
		return page, err
	}
	for i, r := range page.Items {
		page.Items[i].Number, _ = keys.Open(r.ID, r.Sealed)
	}
	return page, nil
}

// RevealCallback returns the request with its number, once the audit trail says
// who asked for it. Errors as of disclosure.CallbackRequest.Reveal, and
// CodeNoCallback.
func (s *Service) RevealCallback(ctx context.Context, a disclosure.Actor, id string) (disclosure.CallbackRequest, error) {
	r, err := s.Store.Callback(ctx, id)
	if err != nil {
		return r, err
	}
	step, err := r.Reveal(a, s.Now())
	if err != nil {
		return r, err
	}
	keys, err := s.callbackKeys(ctx)
	if err != nil {
		return r, err
	}
	number, ok := keys.Open(r.ID, r.Sealed)
	if !ok {
		return r, fmt.Errorf("publish: the number of callback %s was sealed with a key that is not configured", r.ID)
	}
	if err := s.Store.ApplyCallback(ctx, step); err != nil {
		return r, err
	}
	r.Number = number
	return r, nil
}

// FinishCallback ends a request. Errors as of disclosure.CallbackRequest.Finish,
// and CodeNoCallback.
func (s *Service) FinishCallback(ctx context.Context, a disclosure.Actor, id string, outcome disclosure.CallbackOutcome) (disclosure.CallbackRequest, error) {
	r, err := s.Store.Callback(ctx, id)
	if err != nil {
		return r, err
	}
	step, err := r.Finish(outcome, a, s.Now())
	if err != nil {
		return r, err
	}
	if err := s.Store.ApplyCallback(ctx, step); err != nil {
		return r, err
	}
	keys, err := s.callbackKeys(ctx)
	if err == nil {
		step.Request.Number, _ = keys.Open(r.ID, r.Sealed)
	}
	return step.Request, err
}

// EraseCallbacks erases numbers whose time is over (个人信息保护法 第十九条: no
// longer than the purpose needs), and returns how many.
func (s *Service) EraseCallbacks(ctx context.Context) (int, error) {
	now := s.Now()
	return s.Store.EraseCallbacks(ctx, now.AddDate(0, 0, -s.CallbackDays), now.Add(-disclosure.CallbackLife), now)
}
