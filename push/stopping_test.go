package push

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"gongkai/internal/disclosure"
)

// TestStoppingDoesNotWaitForTheGate: a worker that may not call because it is not
// known what is forbidden gives its card back when it is told to stop. Nobody asks
// any more what is forbidden then, and it would wait for the end of its lease.
func TestStoppingDoesNotWaitForTheGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tpl := disclosure.CardTemplate{App: "wx1", Channel: disclosure.ChannelTemplate, ID: "t1"}
		p := New(Config{Rate: -1, Templates: []disclosure.CardTemplate{tpl}}, nil, nil, NewSigner("k"), slog.New(slog.DiscardHandler), time.Now, "w1")
		p.cards.entries[cardKey{event: 1, channel: tpl.Channel, app: tpl.App, id: tpl.ID}] = fittedCard{}
		d := disclosure.Delivery{N: 1, Event: 1, App: tpl.App, Channel: tpl.Channel, Template: tpl.ID, LeaseEnd: time.Now().Add(p.Lease)}
		to := disclosure.Recipient{Person: disclosure.Person{Accounts: []disclosure.Account{{Identity: disclosure.Identity{App: tpl.App, OpenID: "o1"}}}}}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		book := newBook(p)
		p.work(ctx, context.WithoutCancel(ctx), job{d, to}, book)
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("it stopped after %v", took)
		}
		if s := <-book.results; s.State != disclosure.DeliveryQueued || s.Called {
			t.Errorf("the card is %s, called %t", s.State, s.Called)
		}
	})
}
