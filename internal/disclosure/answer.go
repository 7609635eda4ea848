package disclosure

import (
	"sync"
	"time"
)

// Answer is an encoded public reply, as the cache keeps it. Its exported fields
// are not changed once it is made.
type Answer struct {
	Type        string // media type
	Disposition string // the Content-Disposition header, or ""
	ETag        string // weak tag, quoted; "" for a private answer
	Body        []byte
	Private     bool      // class P: never leaves the process but to its reader, no-store
	Until       time.Time // the instant it stops being true by the clock alone; zero: never
	Position    int64     // of the change feed in the snapshot it was read from

	encoded sync.Map // name of a content coding → *coding
}

type coding struct {
	once sync.Once
	body []byte
}

// Encoded returns the body in a content coding, made by encode on first demand
// and then kept.
func (a *Answer) Encoded(name string, encode func([]byte) []byte) []byte {
	v, ok := a.encoded.Load(name)
	if !ok {
		v, _ = a.encoded.LoadOrStore(name, new(coding))
	}
	c := v.(*coding)
	c.once.Do(func() { c.body = encode(a.Body) })
	return c.body
}

// CacheStats counts what a cache did since it was made.
type CacheStats struct {
	Hits       int64 // served from the process under a valid lease
	SharedHits int64 // filled from the shared layer
	Fills      int64 // filled from the database
	Stale      int64 // served stale because the database was out of reach
	Refused    int64 // answered CodeUnavailable
	Polls      int64 // good polls of the change feed
	FailedPoll int64
	Bytes      int64 // weight of the entries
}
