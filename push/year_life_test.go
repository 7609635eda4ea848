package push_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"gongkai/internal/disclosure"
	"gongkai/internal/store/storetest"
	"gongkai/internal/workday"
	"gongkai/push"
)

// What happens in the virtual year, and when.

// live does something a few times a day until the end, and wakes the workers
// whenever there is something for them.
func (y *year) live(end time.Time) {
	next := y.later()
	for time.Now().Before(end) {
		due := y.due()
		if due.IsZero() || due.After(next) {
			time.Sleep(time.Until(next))
			y.act()
			next = y.later()
		} else {
			time.Sleep(time.Until(due))
		}
		y.work()
	}
}

// later is when something happens next: often soon, for a crowded day.
func (y *year) later() time.Time {
	if y.rng.IntN(3) == 0 {
		return time.Now().Add(time.Duration(y.rng.IntN(600)) * time.Second)
	}
	return time.Now().Add(time.Duration(y.rng.IntN(30*60)) * time.Minute)
}

// act publishes, corrects, terminates or withdraws; now and then people come back
// or a template is banned.
func (y *year) act() {
	if y.rng.IntN(4) == 0 {
		y.comeBack()
	}
	if y.rng.IntN(12) == 0 {
		y.poison()
		return
	}
	y.amidst = y.rng.IntN(8) == 0
	n := y.news[len(y.news)-y.rng.IntN(4)]
	if !n.open() || len(n.urgent) > 3 || time.Since(n.PublishedAt) > 72*time.Hour {
		y.announce()
		return
	}
	switch y.rng.IntN(10) {
	case 0:
		y.takeBack(n, "withdrawn")
	case 1, 2:
		n.rev++
		n.urgent[n.rev], n.ended = true, true
		y.had["terminated"]++
		y.terminate(n.Notice)
	case 3, 4:
		n.rev++
		y.amend(n, map[string]json.RawMessage{"title": json.RawMessage(strconv.Quote(title(n.i, n.rev)))})
	default:
		n.rev++
		n.urgent[n.rev] = true
		deadline := time.Now().AddDate(0, 0, 60+n.rev).In(workday.Shanghai).Format(time.RFC3339)
		y.amend(n, map[string]json.RawMessage{"title": json.RawMessage(strconv.Quote(title(n.i, n.rev))), "fields.bid_deadline": json.RawMessage(strconv.Quote(deadline))})
	}
}

func (y *year) announce() {
	i := len(y.news) + 1
	y.news[i] = &news{i: i, rev: 1, urgent: map[int]bool{}} // the workers may be quicker than publish
	y.news[i].Notice = y.publish(title(i, 1))
}

// takeBack withdraws a notice; from the acknowledgement on nobody may be sent it.
func (y *year) takeBack(n *news, kind string) {
	y.withdraw(n.Notice)
	y.mu.Lock()
	defer y.mu.Unlock()
	n.withdrawn = time.Now().Add(push.SettleTime)
	y.had[kind]++
}

// takeBackAmidst withdraws a notice of which cards are on their way, if there is
// one while the workers work.
func (y *year) takeBackAmidst() {
	for range 150 {
		time.Sleep(20 * time.Millisecond)
		y.mu.Lock()
		n := y.under
		y.mu.Unlock()
		if n.open() && storetest.Int(y.t, y.db, `SELECT count(*) FROM delivery d JOIN push_event e ON e.n = d.event_n
			WHERE e.notice_id = $1 AND d.state IN ('leased', 'sending')`, n.ID) > 0 {
			y.takeBack(n, "withdrawn amidst")
			return
		}
	}
}

// comeBack makes everybody who unfollowed or revoked follow or agree again.
func (y *year) comeBack() {
	y.mu.Lock()
	back := slices.Collect(maps.Keys(y.gone))
	clear(y.gone)
	y.mu.Unlock()
	for _, person := range back {
		var err error
		if who, template := identityOf(person); template == "" {
			err = y.store.ChangeAccount(y.t.Context(), disclosure.Account{Identity: who, Following: true})
		} else {
			c := disclosure.Consent{At: time.Now(), Identity: who, Template: template, Kind: disclosure.ConsentAccept, Delta: 1, LongTerm: template == byConsent.ID}
			if template == byOnce.ID {
				c.Delta = onceMore
				y.agreed[person] += onceMore
			}
			err = y.store.RecordConsent(y.t.Context(), int64(person), c)
		}
		if err != nil {
			y.t.Fatal(err)
		}
	}
}

// poison is a notice whose template WeChat bans, until somebody has mended it and
// sends again what had failed.
func (y *year) poison() {
	template, code := byFollowing.ID, 43116
	if y.rng.IntN(2) == 0 {
		template, code = byConsent.ID, 40037
	}
	y.banned[template], y.beyond = code, 0
	y.announce()
	y.work()
	delete(y.banned, template)
	ctx, now := y.t.Context(), time.Now()
	err := y.store.SetSwitch(ctx, storetest.Admin, disclosure.ScopeTemplate+template, "", false, now)
	page, e := y.store.Pushes(ctx, 0, 100)
	for _, event := range page.Items {
		if event.Paused {
			err = errors.Join(err, y.store.ResumePush(ctx, storetest.Admin, event.N, now))
		}
	}
	_, e2 := y.store.Resend(ctx, storetest.Admin, disclosure.Resend{States: []disclosure.DeliveryState{disclosure.DeliveryFailed}}, now)
	if err = errors.Join(err, e, e2); err != nil {
		y.t.Fatal(err)
	}
	y.mended = now
}

func title(i, rev int) string { return fmt.Sprintf("第%d号告%d版", i, rev) }

func (y *year) amend(n *news, changes map[string]json.RawMessage) {
	now, err := y.store.Staff(y.t.Context(), disclosure.NoticeRef{ID: n.ID})
	if err != nil {
		y.t.Fatal(err)
	}
	if _, err := y.store.Apply(y.t.Context(), nil, storetest.Amended(y.t, y.store.Catalog(), now.Notice, changes, time.Now())...); err != nil {
		y.t.Fatal(err)
	}
}
