package push

import (
	"errors"
	"fmt"
	"time"

	"gongkai/internal/disclosure"
	"gongkai/internal/workday"
)

// SendError is WeChat's refusal of a call, or a call that came to nothing. It
// never holds a token, a secret or an openid.
type SendError struct {
	Path  string
	Code  int // errcode, 0 when there was none
	Class disclosure.Class
	Text  string // WeChat's words, cleaned, for operators
	RID   string // by which WeChat's support finds the call
	Field string // the template field it is about, or ""
	IP    string // the address that is not on the list, or ""
}

// Error says what happened, for the log.
func (e *SendError) Error() string {
	return fmt.Sprintf("push: wechat %s: %s (errcode %d, %s)", e.Path, e.Text, e.Code, e.Class)
}

// codeClasses is WeChat's table of errcodes, as far as a message can meet them.
var codeClasses = map[int]disclosure.Class{
	40001: disclosure.ClassToken, 40014: disclosure.ClassToken, 42001: disclosure.ClassToken, 41001: disclosure.ClassToken,
	40125: disclosure.ClassConfig, 40013: disclosure.ClassConfig, 40243: disclosure.ClassConfig, 40164: disclosure.ClassConfig,
	41002: disclosure.ClassConfig, 41004: disclosure.ClassConfig, 50002: disclosure.ClassConfig,
	50004: disclosure.ClassConfig, 50007: disclosure.ClassConfig, // no tokens for this account; frozen
	89501: disclosure.ClassConfig, 89503: disclosure.ClassConfig, // an administrator must allow our address
	89506: disclosure.ClassConfig, 89507: disclosure.ClassConfig, // and has refused it, for a day or an hour
	-1:    disclosure.ClassRetry,
	45011: disclosure.ClassPace,
	43117: disclosure.ClassPacePerson,
	43108: disclosure.ClassSerialise,
	40241: disclosure.ClassDuplicate,
	45009: disclosure.ClassQuota,
	43101: disclosure.ClassConsent,
	43004: disclosure.ClassUnfollowed, 50005: disclosure.ClassUnfollowed,
	43019: disclosure.ClassMuted, 48002: disclosure.ClassMuted,
	40003: disclosure.ClassIdentity,
	40037: disclosure.ClassTemplate, 47003: disclosure.ClassTemplate, 41030: disclosure.ClassTemplate, 47001: disclosure.ClassTemplate,
	44002: disclosure.ClassTemplate, 40165: disclosure.ClassTemplate, 43116: disclosure.ClassTemplate,
	45168: disclosure.ClassContent, 40249: disclosure.ClassContent,
	43107: disclosure.ClassBanned, 43106: disclosure.ClassBanned, 48001: disclosure.ClassBanned, 48004: disclosure.ClassBanned,
	45109: disclosure.ClassBanned,
	45015: disclosure.ClassWindow, 45047: disclosure.ClassWindow,
}

// classOf returns the class of an errcode; one that is not in the table is tried
// again like a passing fault, and ends dead.
func classOf(code int) disclosure.Class {
	if c, ok := codeClasses[code]; ok {
		return c
	}
	return disclosure.ClassRetry
}

// Decision is what follows from one attempt.
type Decision struct {
	State   disclosure.DeliveryState // "" leaves the row to recovery: its outcome may yet be reported
	Wait    time.Duration            // of what is queued again
	At      time.Time                // instead of Wait, when not zero
	Account disclosure.AccountChange
	Refund  bool // the consent was not used up
	// Stop turns on a kill switch, of this prefix with what it is about added.
	Stop  string
	Pause bool // the event: its content is refused
	Park  bool // the API until midnight
	Slow  bool // the API
}

// quotaSlack is how long after midnight WeChat may still count the day before: its
// clock is not ours, and everything that waited for midnight is called then.
const (
	quotaSlack = 10 * time.Minute
	quotaProbe = 2 * time.Minute
)

// shareBack is when an API may be called again of which WeChat says that the day is
// used up: at midnight, or soon when that was just now.
func shareBack(now time.Time) time.Time {
	if day := workday.DateOf(now); now.Sub(day.Start()) >= quotaSlack {
		return day.AddDays(1).Start()
	}
	return now.Add(quotaProbe)
}

// classRule is what one class of failure leads to.
type classRule func(d disclosure.Delivery, tries int, now time.Time) Decision

// nextChannel queues the row at once: what the failure says of the account makes
// the planner choose another way.
func nextChannel(change disclosure.AccountChange) classRule {
	return func(disclosure.Delivery, int, time.Time) Decision {
		return Decision{State: disclosure.DeliveryQueued, Account: change}
	}
}

func stop(scope string, again bool) classRule {
	return func(disclosure.Delivery, int, time.Time) Decision {
		state := disclosure.DeliveryFailed
		if again {
			state = disclosure.DeliveryQueued
		}
		return Decision{State: state, Wait: time.Minute, Stop: scope, Refund: true}
	}
}

// rules is the table of reactions, one row a class.
var rules = map[disclosure.Class]classRule{
	disclosure.ClassToken:  stop(disclosure.ScopeApp, true), // refetched and tried again by the adapter already
	disclosure.ClassConfig: stop(disclosure.ScopeApp, true),
	disclosure.ClassRetry: func(_ disclosure.Delivery, tries int, _ time.Time) Decision {
		return Decision{State: disclosure.DeliveryQueued, Wait: backoff(tries), Refund: true, Slow: true}
	},
	disclosure.ClassAmbiguous: func(d disclosure.Delivery, tries int, now time.Time) Decision {
		if !d.Channel.Keyed() {
			return Decision{}
		}
		if !d.FirstCall.IsZero() && now.Sub(d.FirstCall) >= disclosure.KeyedLife {
			return Decision{State: disclosure.DeliveryUnknown}
		}
		return Decision{State: disclosure.DeliveryQueued, Wait: backoff(tries), Slow: true}
	},
	disclosure.ClassPace: func(_ disclosure.Delivery, _ int, now time.Time) Decision {
		return Decision{State: disclosure.DeliveryQueued, At: now.Truncate(time.Minute).Add(time.Minute), Refund: true, Slow: true}
	},
	disclosure.ClassPacePerson: func(d disclosure.Delivery, _ int, now time.Time) Decision {
		// For an urgent card tomorrow's digest may be too late, and a digest is none of
		// the cards that go into one.
		if d.Priority == disclosure.PriorityUrgent || d.Kind == disclosure.EventDigest {
			return Decision{State: disclosure.DeliveryQueued, Wait: disclosure.PersonPatience, Refund: true}
		}
		return Decision{State: disclosure.DeliveryDigest, At: disclosure.NextDigest(now), Refund: true}
	},
	disclosure.ClassSerialise: func(disclosure.Delivery, int, time.Time) Decision {
		return Decision{State: disclosure.DeliveryQueued, Wait: time.Second, Refund: true}
	},
	disclosure.ClassDuplicate: func(disclosure.Delivery, int, time.Time) Decision {
		return Decision{State: disclosure.DeliveryAccepted}
	},
	disclosure.ClassQuota: func(_ disclosure.Delivery, _ int, now time.Time) Decision {
		return Decision{State: disclosure.DeliveryQueued, At: shareBack(now), Park: true, Refund: true}
	},
	disclosure.ClassConsent:    nextChannel(disclosure.AccountNoConsent),
	disclosure.ClassUnfollowed: nextChannel(disclosure.AccountUnfollowed),
	disclosure.ClassMuted:      nextChannel(disclosure.AccountMuted),
	disclosure.ClassIdentity:   nextChannel(disclosure.AccountUnknown),
	disclosure.ClassWindow:     nextChannel(disclosure.AccountNoWindow),
	disclosure.ClassTemplate:   stop(disclosure.ScopeTemplate, false),
	disclosure.ClassBanned:     stop(disclosure.ScopeChannel, true),
	disclosure.ClassContent: func(disclosure.Delivery, int, time.Time) Decision {
		return Decision{State: disclosure.DeliveryFailed, Pause: true, Refund: true}
	},
}

// backoff is 1 s, 2 s, 4 s … up to five minutes.
func backoff(tries int) time.Duration {
	return min(time.Second<<min(max(tries-1, 0), 9), 5*time.Minute)
}

// Decide judges one attempt by its result. It reads no clock and touches no
// network, so every row of the table is a row in a test.
func Decide(err error, d disclosure.Delivery, now time.Time) (Decision, disclosure.Class) {
	if err == nil {
		return Decision{State: disclosure.DeliveryAccepted}, ""
	}
	class := disclosure.ClassAmbiguous
	if e := new(SendError); errors.As(err, &e) {
		class = e.Class
	}
	tries := d.Attempt % attemptEpoch
	decision := rules[class](d, tries, now)
	// What stops or parks more than the row is no fault of the row, which waits for its end.
	if decision.State == disclosure.DeliveryQueued && tries >= disclosure.MaxAttempts && decision.Stop == "" && !decision.Park {
		decision.State = disclosure.DeliveryDead
	}
	if class == disclosure.ClassQuota && d.Priority == disclosure.PriorityUrgent {
		decision.At = time.Time{} // the planner finds the API parked and takes the next channel
	}
	return decision, class
}

// Attempts are numbered through, for the record of each: a resend begins the next
// hundred, and a forced one the next keyEpoch, whose cards have a key of their own.
const (
	attemptEpoch = 100
	keyEpoch     = 10_000
)
