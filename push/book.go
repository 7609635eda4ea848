package push

import (
	"context"
	"sync"
	"time"

	"gongkai/internal/disclosure"
)

// book writes marks and results for all workers, several in one transaction:
// one sync of the disk then serves many.
type book struct {
	p       *Push
	results chan entry
	marks   chan markRequest
	writing sync.WaitGroup
}

type entry struct {
	disclosure.Settled
	done chan struct{} // closed when it is written; nil when nobody waits
}

type markRequest struct {
	disclosure.Delivery
	granted chan bool
}

const (
	bookBatch = 500
	bookDelay = 20 * time.Millisecond
)

func newBook(p *Push) *book {
	return &book{p: p, results: make(chan entry, 4*bookBatch), marks: make(chan markRequest)}
}

// run writes until close.
func (b *book) run() {
	b.writing.Go(b.writeMarks)
	b.writing.Go(b.writeResults)
	b.writing.Wait()
}

// close ends the book; nothing may be put or marked any more.
func (b *book) close() {
	close(b.results)
	close(b.marks)
}

// put books the result of a job. wait returns only when it is written: a keyless
// card is done with before its worker takes another, so that a crash leaves no
// more in doubt than there are workers.
func (b *book) put(s disclosure.Settled, wait bool) {
	if s.State == "" {
		return // recovery decides
	}
	e := entry{Settled: s}
	if wait {
		e.done = make(chan struct{})
	}
	b.results <- e
	if wait {
		<-e.done
	}
}

// mark writes that a keyless card is about to be called and reports whether it
// may be.
func (b *book) mark(d disclosure.Delivery) bool {
	m := markRequest{d, make(chan bool, 1)}
	b.marks <- m
	return <-m.granted
}

func (b *book) writeMarks() {
	for m := range b.marks {
		batch := []markRequest{m}
		for more := true; more && len(batch) < bookBatch; {
			select {
			case next, ok := <-b.marks:
				if more = ok; ok {
					batch = append(batch, next)
				}
			default:
				more = false
			}
		}
		list := make([]disclosure.Delivery, len(batch))
		for i, m := range batch {
			list[i] = m.Delivery
		}
		granted, err := b.p.store.Mark(context.Background(), b.p.owner, list, b.p.counted, b.p.now()) //nolint:forbidigo // what was called is booked also while stopping
		if err != nil {
			b.p.log.Error("cards were not marked; they are tried again", "error", err)
		}
		for _, m := range batch {
			m.granted <- err == nil && granted[m.N]
		}
	}
}

func (b *book) writeResults() {
	var batch []entry
	for e := range b.results {
		batch = append(batch[:0], e)
		flush := time.NewTimer(bookDelay)
		for more := true; more && len(batch) < bookBatch; {
			if e.done != nil { // somebody waits: write what there is
				select {
				case next, ok := <-b.results:
					if more = ok; ok {
						batch = append(batch, next)
					}
				default:
					more = false
				}
				continue
			}
			select {
			case next, ok := <-b.results:
				if more = ok; ok {
					batch, e = append(batch, next), next
				}
			case <-flush.C:
				more = false
			}
		}
		flush.Stop()
		b.write(batch)
	}
}

// write settles a batch. A database that is away is waited for a little; after
// that the leases decide.
func (b *book) write(batch []entry) {
	list := make([]disclosure.Settled, len(batch))
	for i, e := range batch {
		list[i] = e.Settled
	}
	for try := range 5 {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second) //nolint:forbidigo // likewise
		n, err := b.p.store.Settle(ctx, b.p.owner, list)
		cancel()
		if err == nil {
			if n < len(list) {
				b.p.metrics.lost(len(list) - n)
				b.p.log.Warn("leases were lost before their results were written", "count", len(list)-n)
			}
			break
		}
		b.p.log.Error("results were not written", "try", try+1, "error", err)
		every(context.Background(), time.Second) //nolint:forbidigo // likewise
	}
	for _, e := range batch {
		if e.done != nil {
			close(e.done)
		}
	}
}
