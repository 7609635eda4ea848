package push

import (
	"errors"
	"testing"
	"time"

	"gongkai/internal/disclosure"
)

// TestDecide holds the table of reactions to its rows.
func TestDecide(t *testing.T) {
	now := time.Date(2026, 11, 23, 9, 0, 30, 0, time.UTC)
	keyed := disclosure.Delivery{Channel: disclosure.ChannelTemplate, Attempt: 1, Priority: disclosure.PriorityOrdinary, FirstCall: now}
	keyless := disclosure.Delivery{Channel: disclosure.ChannelMini, Attempt: 1, Priority: disclosure.PriorityOrdinary, FirstCall: now}
	refused := func(code int) error { return &SendError{Code: code, Class: classOf(code)} }
	late, last, urgent, digest := keyed, keyed, keyed, keyed
	urgent.Priority, digest.Kind = disclosure.PriorityUrgent, disclosure.EventDigest
	late.FirstCall, last.Attempt = now.Add(-10*time.Minute), disclosure.MaxAttempts
	for _, tt := range []struct {
		name  string
		err   error
		d     disclosure.Delivery
		state disclosure.DeliveryState
		check func(Decision) bool
	}{
		{"accepted", nil, keyed, disclosure.DeliveryAccepted, nil},
		{"token twice", refused(40001), keyed, disclosure.DeliveryQueued, func(d Decision) bool { return d.Stop == disclosure.ScopeApp }},
		{"address not listed", refused(40164), keyed, disclosure.DeliveryQueued, func(d Decision) bool { return d.Stop == disclosure.ScopeApp }},
		{"address to be allowed", refused(89503), keyed, disclosure.DeliveryQueued, func(d Decision) bool { return d.Stop == disclosure.ScopeApp }},
		{"account frozen", refused(50007), keyed, disclosure.DeliveryQueued, func(d Decision) bool { return d.Stop == disclosure.ScopeApp }},
		{"busy", refused(-1), keyed, disclosure.DeliveryQueued, func(d Decision) bool { return d.Wait == time.Second && d.Slow && d.Refund }},
		{"busy for the eighth time", refused(-1), last, disclosure.DeliveryDead, nil},
		{"address not listed, at the eighth time", refused(40164), last, disclosure.DeliveryQueued, func(d Decision) bool { return d.Stop == disclosure.ScopeApp }},
		{"the day's share, at the eighth time", refused(45009), last, disclosure.DeliveryQueued, func(d Decision) bool { return d.Park }},
		{"this minute's share", refused(45011), keyed, disclosure.DeliveryQueued, func(d Decision) bool { return d.At.Equal(now.Truncate(time.Minute).Add(time.Minute)) }},
		{"too much for the person", refused(43117), keyed, disclosure.DeliveryDigest, nil},
		{"too much for the person, urgent", refused(43117), urgent, disclosure.DeliveryQueued, func(d Decision) bool { return d.Wait == disclosure.PersonPatience && d.Refund }},
		{"too much for the person, a digest", refused(43117), digest, disclosure.DeliveryQueued, func(d Decision) bool { return d.Wait == disclosure.PersonPatience && d.Refund }},
		{"another under way", refused(43108), keyed, disclosure.DeliveryQueued, func(d Decision) bool { return d.Wait == time.Second }},
		{"duplicate", refused(40241), keyed, disclosure.DeliveryAccepted, nil},
		{"the day's share", refused(45009), keyed, disclosure.DeliveryQueued, func(d Decision) bool { return d.Park && d.At.Format("15:04 -0700") == "00:00 +0800" }},
		{"no consent", refused(43101), keyless, disclosure.DeliveryQueued, func(d Decision) bool { return d.Account == disclosure.AccountNoConsent && !d.Refund }},
		{"does not follow", refused(43004), keyed, disclosure.DeliveryQueued, func(d Decision) bool { return d.Account == disclosure.AccountUnfollowed }},
		{"blocks us", refused(48002), keyed, disclosure.DeliveryQueued, func(d Decision) bool { return d.Account == disclosure.AccountMuted }},
		{"unknown openid", refused(40003), keyed, disclosure.DeliveryQueued, func(d Decision) bool { return d.Account == disclosure.AccountUnknown }},
		{"template", refused(40037), keyed, disclosure.DeliveryFailed, func(d Decision) bool { return d.Stop == disclosure.ScopeTemplate }},
		{"template banned", refused(43116), keyed, disclosure.DeliveryFailed, func(d Decision) bool { return d.Stop == disclosure.ScopeTemplate }},
		{"sensitive word", refused(45168), keyed, disclosure.DeliveryFailed, func(d Decision) bool { return d.Pause }},
		{"capability banned", refused(43107), keyed, disclosure.DeliveryQueued, func(d Decision) bool { return d.Stop == disclosure.ScopeChannel }},
		{"window closed", refused(45015), keyed, disclosure.DeliveryQueued, func(d Decision) bool { return d.Account == disclosure.AccountNoWindow }},
		{"an unknown code", refused(12345), keyed, disclosure.DeliveryQueued, nil},
		{"no answer, keyed", errors.New("reset"), keyed, disclosure.DeliveryQueued, nil},
		{"no answer, keyed, ten minutes on", errors.New("reset"), late, disclosure.DeliveryUnknown, nil},
		{"no answer, keyless", errors.New("reset"), keyless, "", nil},
	} {
		d, _ := Decide(tt.err, tt.d, now)
		if d.State != tt.state || tt.check != nil && !tt.check(d) {
			t.Errorf("%s: %+v, want %q", tt.name, d, tt.state)
		}
	}
	for class := range rules {
		if disclosure.ClassNames[class] == "" {
			t.Errorf("class %s has no name for people", class)
		}
	}
	for _, state := range disclosure.DeliveryStates {
		if disclosure.StateNames[state] == "" {
			t.Errorf("state %s has no name for people", state)
		}
	}
	for code, class := range codeClasses {
		if _, ok := rules[class]; !ok {
			t.Errorf("errcode %d is of class %s, which has no rule", code, class)
		}
	}
}
