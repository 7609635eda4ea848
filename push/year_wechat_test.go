package push_test

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"gongkai/internal/disclosure"
	"gongkai/internal/workday"
	"gongkai/push"
)

// WeChat's part in the virtual year: what it answers, what it holds against every
// call, and what people have.

func personOf(m push.Message) int {
	_, n, _ := strings.Cut(m.OpenID, "-")
	person, _ := strconv.Atoi(n)
	return person
}

// identityOf is a person's account and the template they agreed to, "" for a
// follower.
func identityOf(person int) (who disclosure.Identity, template string) {
	app := official
	switch {
	case person >= 21 && person <= 24:
		app, template = mini, byOnce.ID
	case person >= 17 && person <= 20:
		app, template = mini, byConsent.ID
	}
	return disclosure.Identity{App: app, OpenID: fmt.Sprintf("%s-%d", app, person)}, template
}

// about reads a card's title: which notice, and which revision of it.
func (y *year) about(m push.Message) (n *news, rev int) {
	title := m.Fields[0].Text
	if i := strings.Index(title, "条新公告："); i >= 0 {
		title = title[i+len("条新公告："):]
	}
	var number int
	if _, err := fmt.Sscanf(title, "第%d号告%d版", &number, &rev); err != nil {
		y.failf("a card says %q: %v", m.Fields[0].Text, err)
		return &news{}, 0
	}
	if m.Fields[4].Text == disclosure.EventTerminated.Word() {
		rev++ // it keeps the title
	}
	return y.news[number], rev
}

func isDigest(m push.Message) bool { return m.Fields[1].Text == "每日汇总" }

// answer is WeChat: it checks what it must not be asked, and refuses now and then.
func (y *year) answer(_ int, m push.Message) error {
	y.mu.Lock()
	defer y.mu.Unlock()
	now := time.Now()
	if day := now.In(workday.Shanghai).Format(time.DateOnly); day != y.today {
		y.today, y.calls, y.over = day, 0, 0
	}
	y.check(m, now)
	if n, _ := y.about(m); !isDigest(m) {
		y.under = n
	}
	refuse := func(code int, class disclosure.Class, kind string) error {
		y.had[kind]++
		return &push.SendError{Path: "/x", Code: code, Class: class}
	}
	if m.Channel == disclosure.ChannelTemplate {
		if y.calls++; y.calls > yearQuota {
			y.failf("%d calls to an API of %d a day", y.calls, yearQuota)
		}
		if y.calls > yearLimit {
			if y.over++; y.over > 16 { // what two workers of eight had under way
				y.failf("%d calls after the day was used up", y.over)
			}
			return refuse(45009, disclosure.ClassQuota, "refused")
		}
	}
	if code := y.banned[m.Template]; code != 0 {
		if y.beyond++; y.beyond > 16 { // what was under way
			y.failf("call %d with a banned template", y.beyond)
		}
		return refuse(code, disclosure.ClassTemplate, "banned")
	}
	switch y.rng.IntN(200) {
	case 0, 1, 2, 3:
		return refuse(-1, disclosure.ClassRetry, "refused")
	case 4:
		return refuse(43108, disclosure.ClassSerialise, "refused")
	case 5:
		return refuse(43117, disclosure.ClassPacePerson, "refused")
	case 6:
		return refuse(45011, disclosure.ClassPace, "refused")
	case 7:
		return refuse(40241, disclosure.ClassDuplicate, "refused")
	case 8, 9, 10:
		person := personOf(m)
		y.gone[person] = true
		if m.Channel == disclosure.ChannelTemplate {
			return refuse(43004, disclosure.ClassUnfollowed, "unfollowed")
		}
		y.agreed[person] = y.once[person]
		return refuse(43101, disclosure.ClassConsent, "revoked")
	}
	return nil
}

// check holds one call to what is promised of it.
func (y *year) check(m push.Message, now time.Time) {
	n, rev := y.about(m)
	person, clock := personOf(m), now.In(workday.Shanghai)
	minute := clock.Hour()*60 + clock.Minute()
	urgent := n.urgent[rev] && !isDigest(m)
	night, noon := minute >= 1320 || minute < 420, minute >= 720 && minute < 840
	mayWake := urgent && (person == 5 || person == 6 || person == 9)
	switch {
	case y.gone[person]:
		y.failf("person %d unfollowed or revoked and is sent %q", person, m.Fields[0].Text)
	case person > 24:
		y.failf("person %d asked for another sector", person)
	case person >= 5 && person <= 8 && night && !mayWake, person >= 9 && person <= 12 && noon && !mayWake:
		y.failf("person %d was sent %q in their quiet hours", person, m.Fields[0].Text)
	case !n.withdrawn.IsZero() && now.After(n.withdrawn):
		y.failf("notice %d is sent %v after its withdrawal", n.i, now.Sub(n.withdrawn))
	case isDigest(m) && now.Sub(y.mended) > 25*time.Hour && minute < 510:
		y.failf("a digest that is not of half past eight")
	case person >= 13 && person <= 16 && !isDigest(m) && !urgent:
		y.failf("person %d takes the digest and was sent %q", person, m.Fields[0].Text)
	}
}

func key(openid string, notice int) string { return fmt.Sprintf("%s %d", openid, notice) }

func today(m push.Message) string {
	return time.Now().In(workday.Shanghai).Format(time.DateOnly) + m.OpenID
}

// lose says whose answer is lost though the card arrives.
func (y *year) lose(_ int, m push.Message) bool {
	y.mu.Lock()
	defer y.mu.Unlock()
	lost := y.rng.IntN(100) == 0
	if lost {
		y.had["lost"]++
		n, _ := y.about(m)
		y.lost[key(m.OpenID, n.i)]++
		y.days[today(m)]-- // we do not know of it, so it does not count
	}
	return lost
}

// arrived counts a card that a person really has.
func (y *year) arrived(m push.Message) {
	y.mu.Lock()
	defer y.mu.Unlock()
	n, rev := y.about(m)
	if person := personOf(m); person >= 21 && person <= 24 {
		if y.once[person]++; y.once[person] > y.agreed[person] {
			y.failf("person %d agreed to %d cards and has %d", person, y.agreed[person], y.once[person])
		}
	}
	switch {
	case isDigest(m):
		y.had["digest"]++
		return
	case n.urgent[rev]:
		y.had["urgent"]++
	default:
		y.had["ordinary"]++
		if y.days[today(m)]++; y.days[today(m)] > y.conf.DailyCap {
			y.failf("%s has %d cards today", m.OpenID, y.days[today(m)])
		}
	}
	had := y.cards[key(m.OpenID, n.i)]
	again := had == rev && m.Channel != disclosure.ChannelTemplate && y.lost[key(m.OpenID, n.i)] > 0 // an urgent one, whose answer was lost
	if rev <= had && !again {
		y.failf("%s has revision %d of notice %d and is sent %d", m.OpenID, had, n.i, rev)
	}
	y.cards[key(m.OpenID, n.i)] = rev
}
