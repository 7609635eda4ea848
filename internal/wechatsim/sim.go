package wechatsim

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"
)

// Options are what a simulator begins with.
type Options struct {
	Now      func() time.Time // the clock that virtual time runs with
	Accounts []Account
	People   []string // names; nobody follows anything yet

	// Restore is a Snapshot, whose people come in place of People; empty: none.
	Restore []byte
	// Save is given a Snapshot soon after something in it has changed, while
	// Run runs; nil: none is kept.
	Save func([]byte)
	// Transport carries callbacks; nil: the network, without a proxy.
	Transport http.RoundTripper
}

// Sim is a simulated WeChat. Its methods may be called concurrently.
//
// Callbacks are delivered only while Run runs.
type Sim struct {
	now    func() time.Time
	client *http.Client
	save   func([]byte)
	mux    *http.ServeMux
	wake   chan struct{} // of Run, when a callback fell due

	ahead atomic.Int64 // nanoseconds of virtual time ahead of now

	mu         sync.Mutex // guards what follows, and all that hangs on it
	accounts   []*account
	people     []*person
	byID       map[string]*person
	byOpenID   map[string]*standing
	tokens     map[string]*accessToken
	codes      map[string]*loginCode
	grants     map[string]*webGrant // of web authorisation, by access and by refresh token
	cards      []*Card
	faults     []*fault
	rids       map[string]ridRecord
	endpoints  map[string]endpoint // never changes
	deliveries queue               // not yet begun
	log        []*delivery         // the newest that began
	sensitive  []string
	lastMsgID  int64
	lastSeq    int64
	version    int64 // grows with everything that a phone shows
}

// account is an Account with what happens to it.
type account struct {
	Account
	key, previousKey []byte

	ordinary, stable *accessToken
	forced           int // forced refreshes on forcedDay
	forcedDay        string
	forcedAt         time.Time
	frozen           bool // AppSecret 已冻结

	usage     map[string]*usage
	limits    map[string]limit // where they differ from the usual
	banned    map[string]bool  // template ids
	scenes    []*scene
	menu      []button
	held      *delivery  // kept back to arrive after the next
	lastQuery url.Values // of the newest callback, for replays
}

// msgIDBase puts message ids above 2^53, where a number in JSON is no longer
// exact in JavaScript: WeChat's are that large. The microsecond of the start is
// added, so that a restarted simulator goes on with others.
const msgIDBase = int64(3_000_000_000_000_000_000)

// New makes a simulator. It fails on a set-up that WeChat would not accept.
func New(o Options) (*Sim, error) {
	if o.Now == nil || len(o.Accounts) == 0 {
		return nil, errors.New("wechatsim: a clock and at least one account are needed")
	}
	transport := o.Transport
	if transport == nil {
		transport = &http.Transport{MaxIdleConnsPerHost: maxDeliveries}
	}
	s := &Sim{
		now:    o.Now,
		client: &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
		save:   o.Save,
		wake:   make(chan struct{}, 1),
		byID:   map[string]*person{}, byOpenID: map[string]*standing{},
		tokens: map[string]*accessToken{}, codes: map[string]*loginCode{}, grants: map[string]*webGrant{}, rids: map[string]ridRecord{},
		lastMsgID: msgIDBase + o.Now().UnixMicro(), sensitive: []string{"敏感词测试"},
	}
	for _, a := range o.Accounts {
		if err := s.addAccount(a); err != nil {
			return nil, err
		}
	}
	if len(o.Restore) > 0 {
		if err := s.restore(o.Restore); err != nil {
			return nil, err
		}
		o.People = nil
	}
	for _, name := range o.People {
		if _, err := s.addPerson(name); err != nil {
			return nil, err
		}
	}
	s.endpoints = apiEndpoints()
	s.route()
	return s, nil
}

func (s *Sim) addAccount(set Account) error {
	if err := set.check(); err != nil {
		return err
	}
	for _, other := range s.accounts {
		if other.App == set.App || other.AppID == set.AppID {
			return fmt.Errorf("wechatsim: there are two accounts %s", set.App)
		}
	}
	a := &account{Account: set, usage: map[string]*usage{}, limits: map[string]limit{}, banned: map[string]bool{}}
	if set.AESKey != "" {
		a.key, _ = decodeKey(set.AESKey) // check has decoded it
	}
	if set.PreviousAESKey != "" {
		a.previousKey, _ = decodeKey(set.PreviousAESKey)
	}
	s.accounts = append(s.accounts, a)
	return nil
}

// ServeHTTP answers WeChat's API, the control plane below /demo/sim/ and the
// page /demo/phone. The API also answers below /demo/wechat/, so that a server
// with paths of its own can mount it.
func (s *Sim) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// Now is virtual time, in Asia/Shanghai.
func (s *Sim) Now() time.Time { return s.now().Add(time.Duration(s.ahead.Load())).In(shanghai) }

// stamp is the moment of something that happens, to the millisecond.
func (s *Sim) stamp() time.Time { return s.Now().Truncate(time.Millisecond) }

// shanghai is the zone of WeChat's days. It has had no summer time since 1991.
var shanghai = time.FixedZone("CST", 8*60*60)

// changed notes that some phone shows something else now; the lock is held.
func (s *Sim) changed() { s.version++ }

// nextMsgID numbers messages upward, with gaps; the lock is held.
func (s *Sim) nextMsgID() int64 {
	s.lastMsgID += 1 + int64(randomBytes(1)[0])
	return s.lastMsgID
}

func (s *Sim) nextSeq() int64 {
	s.lastSeq++
	return s.lastSeq
}

func (s *Sim) accountByAppID(id string) *account {
	for _, a := range s.accounts {
		if a.AppID == id {
			return a
		}
	}
	return nil
}

func (s *Sim) accountByApp(app string) *account {
	for _, a := range s.accounts {
		if a.App == app {
			return a
		}
	}
	return nil
}

// randomBytes are from the system's generator, which does not fail.
func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return b
}

func randomHex(n int) string { return hex.EncodeToString(randomBytes(n)) }

// randomWord is n random characters of URL-safe base64.
func randomWord(n int) string {
	return base64.RawURLEncoding.EncodeToString(randomBytes(n))[:n]
}

// stableWord is n ≤ 43 characters that follow from the parts, for what must be
// the same after a restart.
func stableWord(n int, parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s;", len(p), p)
	}
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))[:n]
}

func stableHex(n int, parts ...string) string {
	return hex.EncodeToString([]byte(stableWord(43, parts...)))[:n]
}
