package cache

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"gongkai/internal/disclosure"
)

// purgeAgain is how long after a purge the shared layer is purged once more: by
// then every fill that had read before the erasure has ended.
const purgeAgain = Lease + fillTimeout + time.Second

// Purge forgets every answer, in the process and in Redis, and has the other
// instances forget theirs: after an erasure no memory holds what was erased.
// Nothing of it is needed to make them stop serving it; see the package's
// comment. Redis that does not answer is told in the result; what it holds
// expires within sharedTTL.
func (c *Cache) Purge(ctx context.Context) []disclosure.PurgedPlace {
	_ = c.pollOnce(ctx) // what is read from here on is read after the erasure
	places := []disclosure.PurgedPlace{{Place: "memory", Count: int64(c.entries.EstimatedSize()), Done: true}}
	c.forget()
	if c.shared == nil {
		return places
	}
	return append(places, c.shared.Purge(ctx)...)
}

// forget drops the process's entries, and has the shared layer purged again.
func (c *Cache) forget() {
	c.entries.InvalidateAll()
	again := c.now().Add(purgeAgain)
	c.again.Store(&again)
}

// purgeLate carries out the second purge when it is due.
func (c *Cache) purgeLate(ctx context.Context) {
	due := c.again.Load()
	if due == nil || c.now().Before(*due) || !c.again.CompareAndSwap(due, nil) {
		return
	}
	c.entries.InvalidateAll()
	if c.shared != nil {
		_, _ = c.shared.sweep(ctx) // the receipt has told of the first
	}
}

// Purge deletes every answer of ours from Redis, says how many they were, and
// tells the instances.
func (s *Shared) Purge(ctx context.Context) []disclosure.PurgedPlace {
	n, err := s.sweep(ctx)
	s.tell(ctx, wakePurge, 1)
	return []disclosure.PurgedPlace{{Place: "redis", Count: n, Done: err == nil}}
}

// sweep deletes the answers of every epoch, generation and format, of a cluster
// on every primary.
func (s *Shared) sweep(ctx context.Context) (int64, error) {
	cluster, ok := s.client.(*redis.ClusterClient)
	if !ok {
		return sweepServer(ctx, s.client)
	}
	var deleted atomic.Int64
	err := cluster.ForEachMaster(ctx, func(ctx context.Context, primary *redis.Client) error {
		n, err := sweepServer(ctx, primary)
		deleted.Add(n)
		return err
	})
	return deleted.Load(), err
}

func sweepServer(ctx context.Context, server redis.Cmdable) (int64, error) {
	var deleted int64
	for cursor := uint64(0); ; {
		keys, next, err := server.Scan(ctx, cursor, keyPrefix+"*", 500).Result()
		if err != nil {
			return deleted, err
		}
		// One by one, as those of a cluster lie in different slots.
		gone, err := server.Pipelined(ctx, func(p redis.Pipeliner) error {
			for _, key := range keys {
				p.Unlink(ctx, key)
			}
			return nil
		})
		for _, cmd := range gone {
			if n, ok := cmd.(*redis.IntCmd); ok {
				deleted += n.Val()
			}
		}
		if err != nil {
			return deleted, err
		}
		if cursor = next; cursor == 0 {
			return deleted, nil
		}
	}
}
