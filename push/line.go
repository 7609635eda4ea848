package push

import (
	"sync/atomic"
	"time"
)

// line is what waits for the workers: a batch that they take from, and behind it
// the next one, which is taken meanwhile. No goroutine deals it out: when the
// database keeps all processors busy, that one would be waited for.
type line struct {
	p       *Push
	batches chan []job
	turn    chan struct{} // whoever takes a job has it; a lock that may be held while there is none
	batch   []job         // the rest of it
	full    bool          // it was as large as it might be
	began   time.Time
	size    atomic.Int64 // of the next batch
}

func newLine(p *Push) *line {
	l := &line{p: p, batches: make(chan []job), turn: make(chan struct{}, 1)}
	l.size.Store(int64(min(p.Workers*4, p.Batch)))
	return l
}

// next returns a job when there is one, and false at the end.
func (l *line) next() (job, bool) {
	l.turn <- struct{}{}
	defer func() { <-l.turn }()
	if len(l.batch) == 0 {
		batch, ok := <-l.batches
		if !ok {
			return job{}, false
		}
		l.batch, l.full, l.began = batch, int64(len(batch)) >= l.size.Load(), l.p.now()
	}
	j := l.batch[0]
	if l.batch = l.batch[1:]; len(l.batch) == 0 {
		l.resize(l.p.now().Sub(l.began))
	}
	return j, true
}

// resize finds how large the next batches may be when one took so long to be
// taken from: two wait at once, and all of them must be called well within their
// leases, and soon enough that what is urgent does not wait behind them.
func (l *line) resize(took time.Duration) {
	size, spare := l.size.Load(), l.p.Lease-l.p.CallTimeout
	switch {
	case took > spare/8:
		l.size.Store(max(size/2, 1))
	case l.full && took < spare/32:
		l.size.Store(min(size*2, int64(l.p.Batch)))
	}
}
