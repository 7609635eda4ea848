package main

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"time"
)

// effectivelyOnce kills the program again and again while it sends cards that
// have a key: nobody gets a card twice and nobody is missed.
func effectivelyOnce(ctx context.Context, l *lab) (outcome, error) {
	found, err := l.killWhileSending(ctx, true)
	return outcome{figure: found.String(), mark: "0 twice, 0 missed",
		passed: err == nil && found.twice == 0 && found.missed == 0 && found.unknown == 0 && found.kills >= found.planned/2}, err
}

// workers of a server; so many calls are in flight at most.
const workers = 8

// honestWithoutKey does the same with cards that WeChat cannot tell apart: who
// got one twice is among those that were in flight at a kill, and whoever may
// have been missed is shown as unknown.
func honestWithoutKey(ctx context.Context, l *lab) (outcome, error) {
	found, err := l.killWhileSending(ctx, false)
	return outcome{figure: found.String(), mark: fmt.Sprintf("twice ≤ kills × %d; missed ≤ unknown", workers),
		passed: err == nil && found.twice <= found.kills*workers && found.missed <= found.unknown && found.kills >= found.planned/2}, err
}

// sendings is what a kill loop found.
type sendings struct {
	cards, kills, planned, twice, missed, unknown int
	took                                          time.Duration
}

// String tells it.
func (s sendings) String() string {
	return fmt.Sprintf("%d cards, %d kills, %d twice, %d missed, %d unknown; settled in %.0f s", s.cards, s.kills, s.twice, s.missed, s.unknown, s.took.Seconds())
}

// killWhileSending publishes notices to everybody in a town and kills the
// server in the midst of the cards.
func (l *lab) killWhileSending(ctx context.Context, keyed bool) (sendings, error) {
	people, notices := l.form.pick(60, 2000, 2000), l.form.pick(3, 5, 20)
	found := sendings{planned: l.form.pick(3, 25, 100)}
	t, err := l.town(ctx, people, keyed)
	if err != nil {
		return found, err
	}
	channel := "bizsend"
	if keyed {
		channel = "template"
	}
	// A call takes as long as a real one, so that a kill finds some under way.
	if err := t.fault(ctx, object{"kind": "latency", "seconds": 0.01, "count": -1, "path": "send"}); err != nil {
		return found, err
	}
	begun := time.Now()
	var codes []string
	for range notices {
		n, err := t.office.publishTender(ctx, t.server)
		if err != nil {
			return found, err
		}
		codes = append(codes, n.code)
	}
	total := people * notices
	for range found.planned {
		before, err := t.sent(ctx)
		if err != nil {
			return found, err
		}
		if before >= total*9/10 {
			break
		}
		at := before + 1 + l.rand.IntN(max(1, total/found.planned*2/3))
		for n := before; n < at && ctx.Err() == nil; {
			wait(ctx, 3*time.Millisecond)
			if n, err = t.sent(ctx); err != nil {
				return found, err
			}
			if time.Since(begun) > 15*time.Minute {
				return found, fmt.Errorf("%d of %d cards after a quarter of an hour", n, total)
			}
		}
		t.server.kill()
		found.kills++
		if err := t.server.begin(ctx); err != nil {
			return found, err
		}
		if err := t.server.waitReady(ctx); err != nil {
			return found, err
		}
	}
	if err := t.clear(ctx); err != nil {
		return found, err
	}
	states, err := t.office.settled(ctx, t.server, 10*time.Minute)
	if err != nil {
		return found, err
	}
	found.took, found.unknown = time.Since(begun), states["unknown"]
	list, err := t.cards(ctx, channel)
	if err != nil {
		return found, err
	}
	found.cards = len(list)
	found.twice, found.missed = everyoneOnce(list, codes, people)
	return found, nil
}

// everyoneOnce counts the cards about the notices that somebody had already, and
// those that are missing when each of so many people should have one of each.
func everyoneOnce(list []card, codes []string, people int) (twice, missed int) {
	got := map[string]int{}
	for _, c := range list {
		for _, code := range codes {
			if c.about(code) {
				got[c.Person+" "+code]++
			}
		}
	}
	for _, n := range got {
		twice += n - 1
	}
	return twice, people*len(codes) - len(got)
}

// withdrawStopsPush withdraws notices while their cards go out. None may reach
// WeChat after the withdrawal was acknowledged.
func withdrawStopsPush(ctx context.Context, l *lab) (outcome, error) {
	people, rounds := l.form.pick(60, 2000, 2000), l.form.pick(2, 5, 20)
	t, err := l.town(ctx, people, true)
	if err != nil {
		return outcome{}, err
	}
	if err := t.fault(ctx, object{"kind": "latency", "seconds": 0.02, "count": -1, "path": "send"}); err != nil {
		return outcome{}, err
	}
	late, sent, after := 0, 0, time.Duration(0)
	for range rounds {
		before, err := t.sent(ctx)
		if err != nil {
			return outcome{}, err
		}
		n, err := t.office.publishTender(ctx, t.server)
		if err != nil {
			return outcome{}, err
		}
		at := before + 1 + l.rand.IntN(people/3)
		for deadline := time.Now().Add(time.Minute); ctx.Err() == nil; wait(ctx, 2*time.Millisecond) {
			now, err := t.sent(ctx)
			if err != nil {
				return outcome{}, err
			}
			if now >= at {
				break
			}
			if time.Now().After(deadline) {
				return outcome{}, fmt.Errorf("%d of %d cards after a minute", now-before, at-before)
			}
		}
		asked := time.Now()
		if err := t.office.withdraw(ctx, t.server, n.id, false); err != nil {
			return outcome{}, err
		}
		acked := time.Now()
		after = max(after, acked.Sub(asked))
		wait(ctx, time.Second)
		list, err := t.cards(ctx, "template")
		if err != nil {
			return outcome{}, err
		}
		all, tooLate := sentAbout(list, n.code, acked)
		sent, late = sent+all, late+tooLate
	}
	return outcome{figure: fmt.Sprintf("%d notices for %d people each, %d cards before the withdrawals; %d after the acknowledgement, which came after %d ms at most",
		rounds, people, sent, late, after.Milliseconds()),
		mark: "0 after", passed: late == 0 && sent > 0 && sent < people*rounds}, nil
}

// sentAbout counts the cards about a notice, and those of them that were sent
// after an instant.
func sentAbout(list []card, code string, acked time.Time) (all, late int) {
	for _, c := range list {
		if !c.about(code) {
			continue
		}
		if all++; c.At.After(acked) {
			late++
		}
	}
	return all, late
}

var (
	linked  = regexp.MustCompile(`/n/(\d{8})`)
	edition = regexp.MustCompile(`第(\d+)版`)
)

// revisionsInOrder corrects and withdraws notices at random while cards go out:
// nobody is shown an older revision after a newer one.
func revisionsInOrder(ctx context.Context, l *lab) (outcome, error) {
	people, notices := 40, l.form.pick(5, 40, 250) // 250 × 40: ten thousand histories
	t, err := l.town(ctx, people, true)
	if err != nil {
		return outcome{}, err
	}
	if err := t.fault(ctx, object{"kind": "latency", "seconds": 0.01, "count": -1, "path": "send"}); err != nil {
		return outcome{}, err
	}
	steps, withdrawn, codes := 0, map[string]bool{}, map[string]bool{}
	for range notices {
		n, err := t.office.publish(ctx, t.server, t.office.draft(tender, "第1版招标公告"))
		if err != nil {
			return outcome{}, err
		}
		codes[n.code] = true
		for rev := 2; rev < 5 && l.rand.IntN(3) > 0; rev++ {
			wait(ctx, time.Duration(l.rand.IntN(120))*time.Millisecond)
			if err := t.office.correct(ctx, t.server, n.id, fmt.Sprintf("第%d版招标公告", rev)); err != nil {
				return outcome{}, err
			}
			steps++
		}
		if l.rand.IntN(4) == 0 {
			if err := t.office.withdraw(ctx, t.server, n.id, false); err != nil {
				return outcome{}, err
			}
			withdrawn[n.code] = true
		}
	}
	if _, err := t.office.settled(ctx, t.server, 10*time.Minute); err != nil {
		return outcome{}, err
	}
	list, err := t.cards(ctx, "template")
	if err != nil {
		return outcome{}, err
	}
	histories, wrong := outOfOrder(list, codes)
	for _, w := range wrong {
		fmt.Fprintln(os.Stderr, w)
	}
	return outcome{figure: fmt.Sprintf("%d histories of %d notices with %d corrections and %d withdrawals, %d cards; %d out of order", histories, notices, steps, len(withdrawn), len(list), len(wrong)),
		mark: "0 out of order", passed: len(wrong) == 0 && histories > 0}, nil
}

// outOfOrder reads what each person was shown of each notice, in the order of
// sending, and tells of every revision that was not newer than the one before.
func outOfOrder(list []card, codes map[string]bool) (histories int, wrong []string) {
	last := map[string]int{}
	for _, c := range list {
		if c.URL == nil {
			continue
		}
		link, title := linked.FindStringSubmatch(*c.URL), edition.FindStringSubmatch(c.Data["thing1"].Value)
		if link == nil || title == nil || !codes[link[1]] {
			continue
		}
		code := link[1]
		rev, _ := strconv.Atoi(title[1]) // digits
		if before := last[c.Person+" "+code]; rev <= before {
			wrong = append(wrong, fmt.Sprintf("%s has revision %d of %s after %d, at %s", c.Person, rev, code, before, c.At.Format(time.StampMilli)))
		}
		last[c.Person+" "+code] = rev
	}
	return len(last), wrong
}

// correct publishes a correction of the title.
func (o *office) correct(ctx context.Context, n *node, id, title string) error {
	var made struct{ ID string }
	if err := o.call(ctx, n, "POST", "/api/v1/staff/notices/"+id+"/correct", o.editor,
		object{"reason": "更正", "changes": object{"title": title}}, 201, &made); err != nil {
		return err
	}
	return o.release(ctx, n, made.ID)
}
