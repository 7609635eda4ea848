package wechatsim

import (
	"bytes"
	"container/heap"
	"context"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"
)

const (
	maxDeliveries  = 32 // under way at once
	maxLog         = 500
	maxReplyBytes  = 64 << 10
	replyTimeout   = 5 * time.Second
	replyAttempts  = 3
	receiptDelay   = 200 * time.Millisecond // of an ordinary receipt after the call
	reorderAtMost  = 10 * time.Second       // that one is held back to come after the next
	duplicateDelay = 50 * time.Millisecond
)

// delivery is one callback on its way to an account's server.
type delivery struct {
	seq     int64
	due     time.Time // virtual
	account *account
	st      *standing
	event   string
	awaited bool
	forged  bool // not from WeChat: nobody sees what is answered

	query       url.Values
	body        []byte
	contentType string

	begun    time.Time // of the first attempt
	attempts int
	status   int    // of the last answer; 0 if there was none
	outcome  string // ok, silent, refused or invalid
	done     chan struct{}
	next     *delivery // held back until this one is through
}

// queue orders deliveries by when they are due.
type queue []*delivery

func (q queue) Len() int { return len(q) }
func (q queue) Less(i, j int) bool {
	if q[i].due.Equal(q[j].due) {
		return q[i].seq < q[j].seq
	}
	return q[i].due.Before(q[j].due)
}
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }

// Push implements heap.Interface.
func (q *queue) Push(x any) { *q = append(*q, x.(*delivery)) }

// Pop implements heap.Interface.
func (q *queue) Pop() any {
	last := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return last
}

// receive sends an account the receipt of a call, soon after its answer; under
// the fault “early” before it.
func (s *Sim) receive(c *call, st *standing, e event) {
	delay := receiptDelay
	early := s.takeFault(faultEarly, st.account, e.name) != nil
	if early {
		delay = 0
	}
	d := s.tell(st, e, delay)
	if early && d != nil {
		c.wait = append(c.wait, d)
	}
}

// tell queues an event for the account's server, as its faults have it, and
// returns its delivery; nil if the account has no server.
func (s *Sim) tell(st *standing, e event, delay time.Duration) *delivery {
	a := st.account
	if a.CallbackURL == "" {
		return nil
	}
	if f := s.takeFault(faultDelay, a, e.name); f != nil {
		delay += f.delay()
	}
	for _, kind := range forgeries {
		if f := s.takeFault(kind, a, e.name); f != nil {
			forged := s.write(st, e, kind, f)
			forged.forged = true
			s.enqueue(forged, delay)
			delay += duplicateDelay // so that the forgery is there first
		}
	}
	genuine := ""
	var with *fault
	for _, kind := range []string{faultPreviousKey, faultSkew} {
		if f := s.takeFault(kind, a, e.name); f != nil {
			genuine, with = kind, f
		}
	}
	d := s.write(st, e, genuine, with)
	if s.takeFault(faultDuplicate, a, e.name) != nil {
		copied := *d
		copied.seq, copied.done = s.nextSeq(), make(chan struct{})
		s.enqueue(&copied, delay+duplicateDelay)
	}
	held := a.held
	if s.takeFault(faultReorder, a, e.name) != nil && held == nil {
		a.held = d
		s.enqueue(d, delay+reorderAtMost)
		return d
	}
	a.held, d.next = nil, held
	s.enqueue(d, delay)
	return d
}

func (s *Sim) enqueue(d *delivery, delay time.Duration) {
	d.due = s.Now().Add(delay)
	heap.Push(&s.deliveries, d)
	s.wakeUp()
}

// release brings a held delivery forward.
func (s *Sim) release(d *delivery) {
	for i, other := range s.deliveries {
		if other == d {
			d.due = s.Now()
			heap.Fix(&s.deliveries, i)
			s.wakeUp()
			return
		}
	}
}

// wakeUp makes Run look at the queue again.
func (s *Sim) wakeUp() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Run delivers callbacks until ctx ends, then waits for those under way.
func (s *Sim) Run(ctx context.Context) error {
	var running sync.WaitGroup
	defer running.Wait()
	if s.save != nil {
		running.Go(func() { s.keep(ctx) })
	}
	slots := make(chan struct{}, maxDeliveries)
	for {
		d, wait := s.takeDue()
		if d != nil {
			select {
			case slots <- struct{}{}:
			case <-ctx.Done():
				return ctx.Err()
			}
			running.Go(func() {
				defer func() { <-slots }()
				s.carry(ctx, d)
			})
			continue
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-s.wake:
			timer.Stop()
		case <-timer.C:
		}
	}
}

// takeDue takes the next delivery that is due, or says how long until there is
// one.
func (s *Sim) takeDue() (*delivery, time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.deliveries) == 0 {
		return nil, time.Hour
	}
	now := s.Now()
	if wait := s.deliveries[0].due.Sub(now); wait > 0 {
		return nil, wait
	}
	d := heap.Pop(&s.deliveries).(*delivery)
	d.begun = now.Truncate(time.Millisecond)
	if d.account.held == d {
		d.account.held = nil
	}
	if s.log = append(s.log, d); len(s.log) > maxLog {
		s.log = append([]*delivery(nil), s.log[1:]...)
	}
	return d, 0
}

// carry delivers: three attempts of the same bytes, five seconds apart, until
// one is answered.
func (s *Sim) carry(ctx context.Context, d *delivery) {
	var body []byte
	for attempt := 1; attempt <= replyAttempts; attempt++ {
		var status int
		trying, cancel := context.WithTimeout(ctx, replyTimeout)
		status, body = s.post(trying, d)
		s.mu.Lock()
		d.attempts, d.status = attempt, status
		s.mu.Unlock()
		again := (status == 0 || status >= http.StatusInternalServerError) && attempt < replyAttempts && ctx.Err() == nil
		if again {
			<-trying.Done() // what was refused at once is not tried again at once
		}
		cancel()
		if !again {
			break
		}
	}
	s.settle(d, body)
}

// post makes one attempt. It answers status 0 if there was no answer in time.
func (s *Sim) post(ctx context.Context, d *delivery) (int, []byte) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.account.CallbackURL+"?"+d.query.Encode(), bytes.NewReader(d.body))
	if err != nil {
		return 0, nil
	}
	req.Header.Set("Content-Type", d.contentType)
	req.Header.Set("User-Agent", "Mozilla/4.0")
	res, err := s.client.Do(req)
	if err != nil {
		return 0, nil
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxReplyBytes+1))
	if err != nil {
		return 0, nil
	}
	return res.StatusCode, body
}

// settle records how a delivery ended and shows the person what came back.
func (s *Sim) settle(d *delivery, body []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer close(d.done)
	if d.next != nil {
		s.release(d.next)
	}
	bubble, ok := Bubble{}, false
	switch {
	case d.status == 0:
		d.outcome = "silent"
	case d.status != http.StatusOK:
		d.outcome = "refused"
	default:
		if bubble, ok = d.readReply(body); ok {
			d.outcome = "ok"
		} else {
			d.outcome = "invalid"
		}
	}
	switch {
	case d.forged:
	case ok && bubble.Kind != "":
		s.show(d.st, bubble)
	case !ok && d.awaited && (d.st.following || d.account.Kind == Mini):
		s.show(d.st, Bubble{From: "system", Kind: "text", Text: "该公众号提供的服务出现故障，请稍后再试"})
	}
}
