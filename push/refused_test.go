package push_test

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gongkai/internal/disclosure"
	"gongkai/internal/store/storetest"
	"gongkai/push"
)

// What WeChat's refusals lead to beyond the card they are of. Those of templates
// are in stop_test.go, of the day's quota in turn_test.go, of consents in
// people_test.go.

// refusing makes WeChat answer so until the result is called.
func (b *bench) refusing(e push.SendError, to func(m push.Message) bool) (stop func()) {
	var mended atomic.Bool
	e.Path = "/x"
	b.fake.answer = func(_ int, m push.Message) error {
		if mended.Load() || to != nil && !to(m) {
			return nil
		}
		return &e
	}
	return func() { mended.Store(true) }
}

// switched waits for the one kill switch that the program has turned on.
func (b *bench) switched(scope string) disclosure.Switch {
	b.t.Helper()
	var st disclosure.PushStatus
	b.until("the switch "+scope+" is on", func() bool {
		var err error
		st, err = b.store.PushStatus(b.t.Context(), b.now())
		return err == nil && len(st.Switches) == 1 && st.Switches[0].Scope == scope && st.Switches[0].Seeded
	})
	return st.Switches[0]
}

// TestAddressNotListed: an address that WeChat does not know stops the account
// after what was under way, the alarm names the address, and when it is listed
// everybody gets their card.
func TestAddressNotListed(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		skip := b.skip()
		followers(t, b, 200)
		mend := b.refusing(push.SendError{Code: 40164, Class: disclosure.ClassConfig, IP: "203.0.113.7", Text: "invalid ip 203.0.113.7, not in whitelist"}, nil)
		b.publish("道路招标")
		b.start("w1")
		if why := b.switched(disclosure.ScopeApp + official).Why; !strings.Contains(why, "203.0.113.7") {
			t.Errorf("the alarm says %q", why)
		}
		time.Sleep(push.SettleTime)
		if calls, _ := b.fake.count(); calls > 5 || !strings.Contains(b.logs.String(), `"ip":"203.0.113.7"`) {
			t.Errorf("%d calls; log:\n%.2000s", calls, b.logs)
		}
		mend()
		if err := b.store.SetSwitch(t.Context(), storetest.Admin, disclosure.ScopeApp+official, "", false, b.now()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(push.SettleTime)
		skip(2 * time.Minute)
		b.until("all have it", func() bool { return b.settled() && b.states()[disclosure.DeliveryAccepted] == 200 })
		b.quietLogs()
	})
}

// TestSensitiveWord: words that WeChat refuses stop their event and no other;
// whoever resumes it sends a neutral title.
func TestSensitiveWord(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		skip := b.skip()
		followers(t, b, 50)
		b.refusing(push.SendError{Code: 45168, Class: disclosure.ClassContent, Text: "sensitive word"}, func(m push.Message) bool { return strings.Contains(m.Fields[0].Text, "敏感") })
		b.publish("敏感的公告")
		b.start("w1")
		b.until("the event is stopped", func() bool { return b.event(0).Paused })
		b.publish("另一条公告")
		b.until("the other one is sent", func() bool { return b.states()[disclosure.DeliveryAccepted] == 50 })
		refused := b.event(1)
		if got := refused.Why; got != disclosure.ContentRefused {
			t.Errorf("the event is stopped because of %q", got)
		}
		if err := b.store.ResumePush(t.Context(), storetest.Admin, refused.N, b.now()); err != nil {
			t.Fatal(err)
		}
		if _, err := b.store.Resend(t.Context(), storetest.Admin, disclosure.Resend{Event: refused.N, States: disclosure.ResendStates}, b.now()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(push.SettleTime)
		skip(2 * time.Minute) // what was held back is looked at again in a minute
		b.until("it is sent too", func() bool { return b.settled() && b.states()[disclosure.DeliveryAccepted] == 100 })
		neutral := 0
		for _, m := range b.fake.cards {
			if m.Fields[0].Text == disclosure.NeutralTitle {
				neutral++
			}
		}
		if neutral != 50 {
			t.Errorf("%d cards have the neutral title", neutral)
		}
	})
}

// TestUnknownOpenIDs: an openid that WeChat does not know is asked for no more,
// and nobody else misses a card; many of them stop the account.
func TestUnknownOpenIDs(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		followers(t, b, 100)
		unknown := push.SendError{Code: 40003, Class: disclosure.ClassIdentity, Text: "invalid openid"}
		b.refusing(unknown, func(m push.Message) bool { return m.OpenID == official+"-7" })
		for _, title := range []string{"第一条", "第二条"} {
			n := b.publish(title)
			if b.stop == nil {
				b.start("w1")
			}
			b.until(n.Title+" is through", func() bool { return b.settled() && b.event(0).NoticeID == n.ID })
		}
		if got := b.states(); got[disclosure.DeliveryAccepted] != 198 || got[disclosure.DeliverySuppressed] != 2 {
			t.Errorf("deliveries = %v, want all but one person's", got)
		}
		if calls, _ := b.fake.count(); calls != 199 {
			t.Errorf("%d calls, want one to the unknown openid", calls)
		}
		b.refusing(unknown, nil)
		b.publish("第三条")
		b.switched(disclosure.ScopeApp + official)
		b.quietLogs()
	})
}

// TestTooManyIsTriedAgain: an urgent card and a digest that WeChat did not deliver,
// as their person had too many, go again; any other waits for the digest.
func TestTooManyIsTriedAgain(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.expanded(1)
		db := storetest.Raw(t, b.url)
		for _, tt := range []struct {
			kind, priority, attempt, want string
		}{
			{"published", "2", "1", "digest"}, {"corrected", "0", "1", "queued"}, {"corrected", "0", "8", "digest"},
			{"digest", "2", "1", "queued"}, {"digest", "2", "8", "failed"},
		} {
			storetest.Exec(t, db, `UPDATE push_event SET kind = '`+tt.kind+`'`, `UPDATE delivery SET state = 'accepted', msgid = 'm1', app = '`+official+`', sent_at = 1,
				first_call_at = 1, priority = `+tt.priority+`, attempt = `+tt.attempt)
			now := b.now()
			if err := b.store.Receipt(t.Context(), official, "m1", "failed:freq limit", now); err != nil {
				t.Fatal(err)
			}
			got := storetest.Strings(t, db, `SELECT state || ' ' || first_call_at || ' ' || sent_at FROM delivery`)[0]
			due := disclosure.FromMilliseconds(storetest.Int(t, db, `SELECT not_before FROM delivery`))
			if got != tt.want+" 0 0" || tt.want == "queued" && due.Sub(now) > disclosure.PersonPatience {
				t.Errorf("%+v: %s, due %v", tt, got, due)
			}
		}
	})
}
