package push_test

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"gongkai/internal/disclosure"
	"gongkai/internal/store/storetest"
	"gongkai/internal/workday"
	"gongkai/push"
)

// TestP16Year is a virtual year of many things at once: notices, corrections that
// move deadlines and such that do not, withdrawals, quiet hours, digests, one-off
// consents, days whose quota runs out, refusals that ask for patience and answers
// that are lost, with two workers that come and go. At its end every
// row is in a terminal state, the counters agree with the database, and nobody
// was ever sent what they must not be. GONGKAI_TEST_SEED repeats a run.
func TestP16Year(t *testing.T) {
	storetest.SkipSlow(t)
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("GONGKAI_TEST_SEED"); text != "" {
		seed, _ = strconv.ParseUint(text, 10, 64)
	}
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(storetest.Start.AddDate(-1, 1, 9))) // a bubble begins in the year 2000
		s, u := storetest.SQLite(t)
		y := &year{bench: newBench(t, s, u), db: storetest.Raw(t, u), seed: seed, rng: rand.New(rand.NewPCG(seed, 16)), cards: map[string]int{},
			days: map[string]int{}, once: map[int]int{}, lost: map[string]int{}, news: map[int]*news{}, metrics: map[string]float64{}}
		y.settle()
		days := 56 // every kind of day comes in these
		if os.Getenv("GONGKAI_PROVE") != "" {
			days = 365
		}
		y.live(time.Now().AddDate(0, 0, days))
		y.end()
	})
}

// news is a notice as the year knows it.
type news struct {
	disclosure.Notice
	i         int
	rev       int
	urgent    map[int]bool // revisions whose cards may come in quiet hours
	withdrawn time.Time    // when that was acknowledged
}

// year is the world of TestP16Year.
type year struct {
	*bench
	db      *sql.DB
	seed    uint64
	news    map[int]*news
	workers int
	metrics map[string]float64

	mu    sync.Mutex // of what follows: WeChat's part
	rng   *rand.Rand
	cards map[string]int // openid and notice → the newest revision they have
	days  map[string]int // day and openid → ordinary cards, less those whose answer was lost
	lost  map[string]int // openid and notice → answers that were lost
	once  map[int]int    // person → cards for a one-off consent
	calls int            // to the keyed API, today
	over  int            // of them after WeChat said that the day is used up
	today string
	kinds [5]int // ordinary cards, urgent ones, digests, refusals, lost answers
}

// The people of the year, by the beginning of their openid's number.
const (
	yearQuota = 40 // of ours; WeChat's own is yearLimit
	yearLimit = 36
	onceTimes = 30
	perCrowd  = 4
)

func (y *year) failf(format string, args ...any) {
	y.t.Errorf("seed %d, %s: "+format, append([]any{y.seed, time.Now().In(workday.Shanghai).Format(time.DateTime)}, args...)...)
}

// settle makes the people: crowds of four, by what they asked for.
func (y *year) settle() {
	follow := storetest.Crowd{App: official, Kind: disclosure.AppOfficial, Sector: "construction"}
	daily := follow
	daily.Mode = disclosure.ModeDaily
	for _, crowd := range []storetest.Crowd{follow, follow, follow, daily,
		{App: mini, Kind: disclosure.AppMini, Template: byConsent.ID}, {App: mini, Kind: disclosure.AppMini, Template: byOnce.ID, Times: onceTimes},
		{App: official, Kind: disclosure.AppOfficial, Sector: "housing"}} {
		storetest.People(y.t, y.url, perCrowd, crowd)
	}
	storetest.Exec(y.t, y.db, `UPDATE subscription SET quiet_from = 1320, quiet_to = 420 WHERE person_n BETWEEN 5 AND 8`,
		`UPDATE subscription SET quiet_from = 720, quiet_to = 840 WHERE person_n BETWEEN 9 AND 12`,
		`UPDATE person SET urgent_quiet = 1 WHERE n IN (5, 6, 9)`)
	y.conf.Recall, y.conf.Rate, y.conf.DailyCap = 2*time.Second, 40, 3
	y.conf.QuotaOf = map[disclosure.Channel]int{disclosure.ChannelTemplate: yearQuota}
	y.fake.takes = 5 * time.Millisecond
	y.fake.answer = y.answer
	y.fake.lose = y.lose
	y.fake.arrived = y.arrived
}

func personOf(m push.Message) int {
	_, n, _ := strings.Cut(m.OpenID, "-")
	person, _ := strconv.Atoi(n)
	return person
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
	refuse := func(code int, class disclosure.Class) error {
		y.kinds[3]++
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
			return refuse(45009, disclosure.ClassQuota)
		}
	}
	switch y.rng.IntN(200) {
	case 0, 1, 2, 3:
		return refuse(-1, disclosure.ClassRetry)
	case 4:
		return refuse(43108, disclosure.ClassSerialise)
	case 5:
		return refuse(43117, disclosure.ClassPacePerson)
	case 6:
		return refuse(45011, disclosure.ClassPace)
	case 7:
		return refuse(40241, disclosure.ClassDuplicate)
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
	case person > 24:
		y.failf("person %d asked for another sector", person)
	case person >= 5 && person <= 8 && night && !mayWake, person >= 9 && person <= 12 && noon && !mayWake:
		y.failf("person %d was sent %q in their quiet hours", person, m.Fields[0].Text)
	case !n.withdrawn.IsZero() && now.After(n.withdrawn):
		y.failf("notice %d is sent %v after its withdrawal", n.i, now.Sub(n.withdrawn))
	case isDigest(m) && (minute < 510 || minute > 1230):
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
		y.kinds[4]++
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
		if y.once[person]++; y.once[person] > onceTimes {
			y.failf("person %d agreed to %d cards and has %d", person, onceTimes, y.once[person])
		}
	}
	switch {
	case isDigest(m):
		y.kinds[2]++
		return
	case n.urgent[rev]:
		y.kinds[1]++
	default:
		y.kinds[0]++
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

// act publishes, corrects, terminates or withdraws.
func (y *year) act() {
	n := y.news[len(y.news)-y.rng.IntN(4)]
	if n == nil || !n.withdrawn.IsZero() || len(n.urgent) > 3 || time.Since(n.PublishedAt) > 72*time.Hour {
		i := len(y.news) + 1
		y.news[i] = &news{i: i, rev: 1, urgent: map[int]bool{}} // the workers may be quicker than publish
		y.news[i].Notice = y.publish(title(i, 1))
		return
	}
	switch y.rng.IntN(8) {
	case 0:
		y.withdraw(n.Notice)
		n.withdrawn = time.Now().Add(push.SettleTime)
	case 1, 2, 3:
		n.rev++
		y.amend(n, map[string]json.RawMessage{"title": json.RawMessage(strconv.Quote(title(n.i, n.rev)))})
	default:
		n.rev++
		n.urgent[n.rev] = true
		deadline := time.Now().AddDate(0, 0, 60+n.rev).In(workday.Shanghai).Format(time.RFC3339)
		y.amend(n, map[string]json.RawMessage{"title": json.RawMessage(strconv.Quote(title(n.i, n.rev))), "fields.bid_deadline": json.RawMessage(strconv.Quote(deadline))})
	}
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

// due is when the queue has work next, the zero time for never.
func (y *year) due() time.Time {
	ms := storetest.Int(y.t, y.db, `SELECT COALESCE(MIN(at), 0) FROM (
		SELECT MIN(not_before) AS at FROM delivery d WHERE state IN ('queued', 'digest')
		   AND NOT EXISTS (SELECT 1 FROM delivery f WHERE f.person_n = d.person_n AND f.state IN ('leased', 'sending'))
		 UNION ALL SELECT MIN(CASE WHEN state = 'sending' AND channel <> 'template' THEN first_call_at + 120001 ELSE lease_until END)
		             FROM delivery WHERE state IN ('leased', 'sending')
		 UNION ALL SELECT MIN(at) FROM push_event WHERE state IN ('pending', 'matching') AND open = 1)`)
	return disclosure.FromMilliseconds(ms)
}

// work runs one or two workers until there is nothing to do for a while.
func (y *year) work() {
	var stops []func()
	for range 1 + y.rng.IntN(4)/3 {
		y.workers++
		p := y.start(fmt.Sprintf("w%d", y.workers))
		stop := y.stop
		stops = append(stops, func() { stop(); y.count(p) })
	}
	for range 600 {
		time.Sleep(500 * time.Millisecond)
		if due := y.due(); due.IsZero() || time.Until(due) > 3*time.Second {
			break
		}
	}
	for _, stop := range stops {
		stop()
	}
}

// count adds up the counters of all workers.
func (y *year) count(p *push.Push) {
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(p.Metrics())
	families, err := registry.Gather()
	if err != nil {
		y.t.Fatal(err)
	}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			name := family.GetName()
			for _, label := range m.GetLabel() {
				if label.GetName() == "outcome" {
					name += " " + label.GetValue()
				}
			}
			y.metrics[name] += m.GetCounter().GetValue()
		}
	}
}

// end lets everything come to rest, and adds up.
func (y *year) end() {
	for range 200 {
		due := y.due()
		if due.IsZero() {
			break
		}
		time.Sleep(time.Until(due))
		y.work()
	}
	db := y.db
	total := 0
	for state, n := range y.states() {
		total += n
		if !state.Terminal() {
			y.failf("%d deliveries are %s at the end", n, state)
		}
	}
	if rows := storetest.Int(y.t, db, `SELECT count(*) FROM delivery`); int(rows) != total || rows == 0 {
		y.failf("%d rows, %d in a state", rows, total)
	}
	if ok := storetest.Int(y.t, db, `SELECT count(*) FROM attempt WHERE class = ''`); float64(ok) != y.metrics["gongkai_push_calls_total ok"] {
		y.failf("the counters say %v cards were accepted, the database %d", y.metrics["gongkai_push_calls_total ok"], ok)
	}
	if spent := storetest.Int(y.t, db, `SELECT MIN(left_over) FROM (SELECT SUM(delta) AS left_over FROM consent GROUP BY person_n, template)`); spent < 0 {
		y.failf("%d more one-off cards than consents", -spent)
	}
	if y.fake.most > 1 {
		y.failf("%d calls at once to one person", y.fake.most)
	}
	for i, n := range y.kinds {
		if n == 0 {
			y.failf("the year had none of kind %d: it proves nothing", i)
		}
	}
	y.quietLogs()
	y.t.Logf("seed %d: %d notices, %d events, %d deliveries, %d calls; ordinary %d, urgent %d, digests %d, refused %d, lost %d, final states %v", y.seed, len(y.news),
		storetest.Int(y.t, db, `SELECT count(*) FROM push_event`), total, len(y.fake.calls), y.kinds[0], y.kinds[1], y.kinds[2], y.kinds[3], y.kinds[4], y.states())
}
