package cache

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/sony/gobreaker/v2"

	"gongkai/internal/disclosure"
)

const (
	sharedTTL  = 15 * time.Minute
	keyPrefix  = "gongkai:q:"
	wakeStream = "gongkai:wake"
	wakePurge  = "purge" // the member of an announcement that an erasure makes
	wakeBlock  = 5 * time.Second
	// redisTimeout bounds every step of a Redis call; go-redis would otherwise
	// outlive the context's deadline by seconds.
	redisTimeout = 100 * time.Millisecond
	// patience is how long a reader waits for Redis; by then the database would
	// have answered.
	patience = 40 * time.Millisecond
)

// Shared is the layer in Redis, seen by every instance. All its failures are
// misses.
type Shared struct {
	client  redis.UniversalClient
	breaker *gobreaker.CircuitBreaker[[]byte]
	format  string
}

// NewShared connects to a redis:// URL, or to a Redis Cluster by one that names
// more of its nodes: redis://a:6379?addr=b:6379&addr=c:6379. It does not wait
// for the server. format names the encoding of the answers: instances of two
// formats share nothing. log is told when the server is given up and when it
// answers again.
func NewShared(url, format string, log *slog.Logger) (*Shared, error) {
	client, err := connect(url)
	if err != nil {
		return nil, err
	}
	redis.SetLogger(silence{})
	breaker := gobreaker.NewCircuitBreaker[[]byte](gobreaker.Settings{
		Name: "redis", Timeout: time.Second,
		ReadyToTrip:  func(n gobreaker.Counts) bool { return n.ConsecutiveFailures >= 5 },
		IsSuccessful: func(err error) bool { return err == nil || errors.Is(err, redis.Nil) },
		OnStateChange: func(_ string, from, to gobreaker.State) {
			switch {
			case from == gobreaker.StateClosed && to == gobreaker.StateOpen:
				log.Warn("Redis is out of reach; answers come from the database")
			case to == gobreaker.StateClosed:
				log.Info("Redis answers again")
			}
		},
	})
	return &Shared{client: client, breaker: breaker, format: format}, nil
}

// connect makes the client that a URL asks for. Its errors never repeat the URL,
// which may hold a password.
func connect(address string) (redis.UniversalClient, error) {
	if u, err := url.Parse(address); err == nil && u.Query().Has("addr") {
		o, err := redis.ParseClusterURL(address)
		if err != nil || strings.Trim(u.Path, "/0") != "" {
			return nil, errors.New("cache: the URL of the Redis Cluster cannot be read; it has no database but 0")
		}
		return redis.NewClusterClient(&redis.ClusterOptions{
			Addrs: o.Addrs, Username: o.Username, Password: o.Password, TLSConfig: o.TLSConfig,
			ContextTimeoutEnabled: true,
			DialTimeout:           redisTimeout, ReadTimeout: redisTimeout, WriteTimeout: redisTimeout,
			PoolTimeout: redisTimeout / 2, MaxRetries: -1, DialerRetries: 1,
			MaxRedirects: 1, ClusterStateReloadInterval: time.Second, // a new primary is found in a second
		}), nil
	}
	o, err := redis.ParseURL(address)
	if err != nil {
		return nil, errors.New("cache: the redis:// URL cannot be read")
	}
	o.ContextTimeoutEnabled = true
	o.DialTimeout, o.ReadTimeout, o.WriteTimeout = redisTimeout, redisTimeout, redisTimeout
	o.PoolTimeout, o.MaxRetries, o.DialerRetries = redisTimeout/2, -1, 1
	return redis.NewClient(o), nil
}

// silence drops go-redis's own lines, one for each refused connection and not in
// the log's form: the breaker reports the outage.
type silence struct{}

// Printf implements go-redis's logger.
func (silence) Printf(context.Context, string, ...any) {}

// Close closes the connections.
func (s *Shared) Close() error { return s.client.Close() }

// Ping asks whether the server answers.
func (s *Shared) Ping(ctx context.Context) error { return s.client.Ping(ctx).Err() }

// Open reports whether the breaker keeps calls from the server.
func (s *Shared) Open() bool { return s.breaker.State() == gobreaker.StateOpen }

// key names an answer that never changes: the same epoch, generation, format
// and request always read the same.
func (s *Shared) key(epoch string, generation int64, key string) string {
	sum := sha256.Sum256([]byte(epoch + "\x00" + s.format + "\x00" + key))
	return keyPrefix + strconv.FormatInt(generation, 10) + ":" + base64.RawURLEncoding.EncodeToString(sum[:18])
}

// get returns the answer, or nil, and whether Redis answers at all.
func (s *Shared) get(ctx context.Context, epoch string, generation int64, key string) (a *disclosure.Answer, answers bool) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	raw, err := s.breaker.Execute(func() ([]byte, error) {
		return s.client.Get(ctx, s.key(epoch, generation, key)).Bytes()
	})
	if err != nil {
		return nil, errors.Is(err, redis.Nil)
	}
	if a, err = decodeAnswer(raw); err != nil || a.Position != generation {
		return nil, true
	}
	return a, true
}

func (s *Shared) put(ctx context.Context, epoch, key string, a *disclosure.Answer) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	_, _ = s.breaker.Execute(func() ([]byte, error) { // a lost write costs a hit
		raw, err := encodeAnswer(a)
		if err != nil {
			return nil, err
		}
		return nil, s.client.Set(ctx, s.key(epoch, a.Position, key), raw, sharedTTL).Err()
	})
}

// sharedHead is what goes before an answer's body in Redis.
type sharedHead struct {
	Type        string    `json:"type"`
	Disposition string    `json:"disposition,omitempty"`
	ETag        string    `json:"etag"`
	Until       time.Time `json:"until,omitzero"`
	Position    int64     `json:"position"`
	Bytes       int       `json:"bytes"` // of the body
}

func encodeAnswer(a *disclosure.Answer) ([]byte, error) {
	if a.Private {
		return nil, errors.New("cache: a private answer may not leave the process")
	}
	head, err := json.Marshal(sharedHead{a.Type, a.Disposition, a.ETag, a.Until, a.Position, len(a.Body)})
	if err != nil {
		return nil, fmt.Errorf("cache: encode: %w", err)
	}
	raw := make([]byte, 0, 4+len(head)+len(a.Body))
	raw = binary.BigEndian.AppendUint32(raw, uint32(len(head)))
	return append(append(raw, head...), a.Body...), nil
}

func decodeAnswer(raw []byte) (*disclosure.Answer, error) {
	if len(raw) < 4 || uint64(binary.BigEndian.Uint32(raw)) > uint64(len(raw)-4) {
		return nil, errors.New("cache: decode: cut short")
	}
	n := 4 + int(binary.BigEndian.Uint32(raw))
	var head sharedHead
	if err := json.Unmarshal(raw[4:n], &head); err != nil {
		return nil, fmt.Errorf("cache: decode: %w", err)
	}
	if head.Bytes != len(raw)-n || head.Type == "" || head.ETag == "" {
		return nil, errors.New("cache: decode: not what was encoded")
	}
	return &disclosure.Answer{Type: head.Type, Disposition: head.Disposition, ETag: head.ETag, Until: head.Until,
		Position: head.Position, Body: bytes.Clone(raw[n:])}, nil
}

// announce tells the other instances that the feed has moved. It is a hint
// only: who misses it polls within PollInterval.
func (s *Shared) announce(ctx context.Context, generation int64) {
	s.tell(ctx, "seq", generation)
}

func (s *Shared) tell(ctx context.Context, member string, value any) {
	_, _ = s.breaker.Execute(func() ([]byte, error) {
		return nil, s.client.XAdd(ctx, &redis.XAddArgs{Stream: wakeStream, MaxLen: 1000, Approx: true,
			Values: []any{member, value}}).Err()
	})
}

// listen calls wake at every announcement until ctx ends, and forget at that of
// an erasure.
func (s *Shared) listen(ctx context.Context, wake, forget func()) {
	last := "$"
	for ctx.Err() == nil {
		res, err := s.client.XRead(ctx, &redis.XReadArgs{Streams: []string{wakeStream, last}, Block: wakeBlock}).Result()
		switch {
		case errors.Is(err, redis.Nil):
		case err != nil:
			pause(ctx, time.Second)
		default:
			for _, stream := range res {
				for _, m := range stream.Messages {
					last = m.ID
					if m.Values[wakePurge] != nil {
						forget()
					}
				}
			}
			wake()
		}
	}
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
