package push_test

import (
	"database/sql"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"gongkai/internal/disclosure"
	"gongkai/internal/store"
	"gongkai/internal/store/storetest"
	"gongkai/internal/workday"
	"gongkai/push"
)

// TestP16Year is a virtual year of many things at once: notices, corrections that
// move deadlines and such that do not, terminations, withdrawals at rest and in the
// middle of a fan-out, quiet hours, digests, one-off consents, people who unfollow
// or revoke and come back, templates that are banned and mended, days whose quota
// runs out, refusals that ask for patience and answers that are lost, with two
// workers that come and go. At its end every row is in a terminal state, the
// counters agree with the database, and nobody was ever sent what they must not
// be. GONGKAI_TEST_SEED repeats a run.
//
// On PostgreSQL the bubble's clock stands still while the server works, so the
// year is the same there, and takes a second a day: only the long forms have it.
// The whole year is the longest one's; the middle one has its first 18 weeks.
func TestP16Year(t *testing.T) {
	storetest.SkipSlow(t)
	days, onPostgres := 49, 0 // every kind of day comes in these
	switch os.Getenv("GONGKAI_PROVE") {
	case "":
	case "long":
		days, onPostgres = 365, 365
	default:
		days, onPostgres = 126, 28
	}
	t.Run("sqlite", func(t *testing.T) { virtualYear(t, days, storetest.SQLite) })
	if onPostgres > 0 {
		t.Run("postgres", func(t *testing.T) {
			storetest.NeedPostgres(t)
			virtualYear(t, onPostgres, storetest.Postgres)
		})
	}
}

func virtualYear(t *testing.T, days int, open func(testing.TB) (*store.Store, string)) {
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("GONGKAI_TEST_SEED"); text != "" {
		seed, _ = strconv.ParseUint(text, 10, 64)
	}
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(storetest.Start.AddDate(-1, 1, 9))) // a bubble begins in the year 2000
		s, u := open(t)
		y := &year{bench: newBench(t, s, u), db: storetest.Raw(t, u), seed: seed, rng: rand.New(rand.NewPCG(seed, 16)), news: map[int]*news{},
			metrics: map[string]float64{}, cards: map[string]int{}, days: map[string]int{}, once: map[int]int{}, agreed: map[int]int{}, lost: map[string]int{},
			gone: map[int]bool{}, banned: map[string]int{}, had: map[string]int{}}
		y.settle()
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
	ended     bool         // it was terminated
	withdrawn time.Time    // when that was acknowledged
}

// open reports whether anything may still become of the notice.
func (n *news) open() bool { return n != nil && !n.ended && n.withdrawn.IsZero() }

// year is the world of TestP16Year.
type year struct {
	*bench
	db      *sql.DB
	seed    uint64
	news    map[int]*news
	workers int
	amidst  bool // what is told next is withdrawn in the middle of it
	metrics map[string]float64

	mu     sync.Mutex // of what follows, and of news while there are workers
	rng    *rand.Rand
	cards  map[string]int // openid and notice → the newest revision they have
	days   map[string]int // day and openid → ordinary cards, less those whose answer was lost
	lost   map[string]int // openid and notice → answers that were lost
	once   map[int]int    // person → cards for a one-off consent
	agreed map[int]int    // person → cards they agreed to, one by one
	gone   map[int]bool   // people who unfollowed or revoked, as WeChat has said
	banned map[string]int // template → errcode of its fault
	under  *news          // whose card went out last
	mended time.Time      // when what a banned template had failed was last sent again
	calls  int            // to the keyed API, today
	over   int            // of them after WeChat said that the day is used up
	beyond int            // calls with a banned template after its first refusal
	today  string
	had    map[string]int // what the year had of each kind
}

// kinds is what a year must have had to prove anything.
var kinds = []string{"ordinary", "urgent", "digest", "refused", "lost", "terminated", "unfollowed", "revoked", "banned", "withdrawn", "withdrawn amidst"}

// The people of the year, by the beginning of their openid's number.
const (
	yearQuota = 40 // of ours; WeChat's own is yearLimit
	yearLimit = 36
	onceTimes = 30
	onceMore  = 10 // when they agree again
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
	for person := range 24 {
		if _, template := identityOf(person + 1); template == byOnce.ID {
			y.agreed[person+1] = onceTimes
		}
	}
	y.fake.answer = y.answer
	y.fake.lose = y.lose
	y.fake.arrived = y.arrived
}

// due is when the queue has work next, the zero time for never.
func (y *year) due() time.Time {
	ms := storetest.Int(y.t, y.db, `SELECT COALESCE(MIN(at), 0) FROM (
		SELECT MIN(not_before) AS at FROM delivery d WHERE state IN ('queued', 'digest')
		   AND NOT EXISTS (SELECT 1 FROM push_event e WHERE e.n = d.event_n AND e.paused = 1)
		   AND NOT EXISTS (SELECT 1 FROM delivery f WHERE f.person_n = d.person_n AND f.state IN ('leased', 'sending'))
		 UNION ALL SELECT MIN(CASE WHEN state = 'sending' AND channel <> 'template' THEN first_call_at + 120001 ELSE lease_until END)
		             FROM delivery WHERE state IN ('leased', 'sending')
		 UNION ALL SELECT MIN(at) FROM push_event WHERE state IN ('pending', 'matching') AND open = 1) AS next`)
	return disclosure.FromMilliseconds(ms)
}

// work runs one or two workers until there is nothing to do for a while.
func (y *year) work() {
	var stops []func()
	y.under = nil
	for range 1 + y.rng.IntN(4)/3 {
		y.workers++
		p := y.start(fmt.Sprintf("w%d", y.workers))
		stop := y.stop
		stops = append(stops, func() { stop(); y.count(p) })
	}
	if y.amidst {
		y.takeBackAmidst()
		y.amidst = false
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
	if spent := storetest.Int(y.t, db, `SELECT MIN(left_over) FROM (SELECT SUM(delta) AS left_over FROM consent GROUP BY person_n, template) AS balances`); spent < 0 {
		y.failf("%d more one-off cards than consents", -spent)
	}
	if y.fake.most > 1 {
		y.failf("%d calls at once to one person", y.fake.most)
	}
	for _, kind := range kinds {
		if y.had[kind] == 0 {
			y.failf("the year had nothing %s: it proves nothing", kind)
		}
	}
	y.quietLogs()
	y.t.Logf("seed %d: %d notices, %d events, %d deliveries, %d calls; %v, final states %v", y.seed, len(y.news),
		storetest.Int(y.t, db, `SELECT count(*) FROM push_event`), total, len(y.fake.calls), y.had, y.states())
}
