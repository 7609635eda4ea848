package push_test

import (
	"testing"

	"gongkai/internal/disclosure"
	"gongkai/internal/store/storetest"
)

// TestEverySubscriberOnce: everybody who asked for it gets each notice once,
// over a keyed and a keyless channel, and nobody else does.
func TestEverySubscriberOnce(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		storetest.People(t, b.url, 300, storetest.Crowd{App: official, Kind: disclosure.AppOfficial, Sector: "construction"})
		storetest.People(t, b.url, 200, storetest.Crowd{App: mini, Kind: disclosure.AppMini, Template: byConsent.ID})
		storetest.People(t, b.url, 100, storetest.Crowd{App: official, Kind: disclosure.AppOfficial, Sector: "housing"})
		b.start("w1")
		b.publish("盐东镇道路改造工程招标公告")
		b.until("all settled", func() bool { return b.settled() && b.states()[disclosure.DeliveryAccepted] > 0 })
		if got := b.states(); got[disclosure.DeliveryAccepted] != 500 || len(got) != 1 {
			t.Errorf("deliveries = %v, want 500 accepted", got)
		}
		for openid, n := range b.fake.perPerson() {
			if n != 1 {
				t.Errorf("%s has %d cards", openid, n)
			}
		}
		if calls, cards := b.fake.count(); calls != 500 || cards != 500 {
			t.Errorf("%d calls and %d cards, want 500", calls, cards)
		}
		b.quietLogs()
	})
}
