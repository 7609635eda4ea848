package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// redisNode is a node of a Redis Cluster.
type redisNode struct {
	port, bus string
	cmd       *exec.Cmd
}

// do asks the node itself.
func (r *redisNode) do(ctx context.Context, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, "redis-cli", append([]string{"-p", r.port}, args...)...).CombinedOutput()
	if err != nil || strings.HasPrefix(string(out), "ERR") {
		return "", fmt.Errorf("redis-cli %s: %w: %s", args[0], err, out)
	}
	return strings.TrimSpace(string(out)), nil
}

func (r *redisNode) kill() {
	if r.cmd != nil {
		_ = syscall.Kill(-r.cmd.Process.Pid, syscall.SIGKILL)
		_ = r.cmd.Wait()
		r.cmd = nil
	}
}

// redisNode starts a node. It ends with the experiment.
func (l *lab) redisNode(ctx context.Context) (*redisNode, error) {
	dir, err := l.folder()
	if err != nil {
		return nil, err
	}
	r := &redisNode{}
	for _, port := range []*string{&r.port, &r.bus} {
		addr, err := freeAddr()
		if err != nil {
			return nil, err
		}
		_, *port, _ = net.SplitHostPort(addr)
	}
	r.cmd = exec.CommandContext(ctx, "redis-server", "--port", r.port, "--bind", "127.0.0.1", "--dir", dir, "--save", "", "--appendonly", "no",
		"--cluster-enabled", "yes", "--cluster-port", r.bus, "--cluster-node-timeout", "500")
	inGroup(r.cmd)
	if err := r.cmd.Start(); err != nil {
		return nil, err
	}
	l.ends = append(l.ends, r.kill)
	return r, await(ctx, "redis-server answers", func() bool {
		pong, err := r.do(ctx, "PING")
		return err == nil && pong == "PONG"
	})
}

// await waits until something holds, for half a minute at most.
func await(ctx context.Context, what string, holds func() bool) error {
	for deadline := time.Now().Add(30 * time.Second); !holds(); wait(ctx, 20*time.Millisecond) {
		if ctx.Err() != nil || time.Now().After(deadline) {
			return errors.Join(fmt.Errorf("not in half a minute: %s", what), ctx.Err())
		}
	}
	return nil
}

// redisCluster starts three primaries and a replica of each, and returns the URL
// that names them.
func (l *lab) redisCluster(ctx context.Context) (url string, nodes []*redisNode, err error) {
	for range 6 {
		n, err := l.redisNode(ctx)
		if err != nil {
			return "", nil, err
		}
		nodes = append(nodes, n)
		if _, err := nodes[0].do(ctx, "CLUSTER", "MEET", "127.0.0.1", n.port, n.bus); len(nodes) > 1 && err != nil {
			return "", nil, err
		}
	}
	for i, slots := range [][2]string{{"0", "5460"}, {"5461", "10922"}, {"10923", "16383"}} {
		if _, err := nodes[i].do(ctx, "CLUSTER", "ADDSLOTSRANGE", slots[0], slots[1]); err != nil {
			return "", nil, err
		}
	}
	for i, replica := range nodes[3:] {
		id, err := nodes[i].do(ctx, "CLUSTER", "MYID")
		if err != nil {
			return "", nil, err
		}
		if err := await(ctx, "the replica knows its primary", func() bool {
			out, err := replica.do(ctx, "CLUSTER", "REPLICATE", id)
			return err == nil && out == "OK"
		}); err != nil {
			return "", nil, err
		}
	}
	return fmt.Sprintf("redis://127.0.0.1:%s?addr=127.0.0.1:%s&addr=127.0.0.1:%s", nodes[0].port, nodes[1].port, nodes[2].port), nodes,
		await(ctx, "the cluster is whole", func() bool {
			for i, n := range nodes {
				info, err := n.do(ctx, "CLUSTER", "INFO")
				if err != nil || !strings.Contains(info, "cluster_state:ok") || !strings.Contains(info, "cluster_size:3") {
					return false
				}
				if info, err = n.do(ctx, "INFO", "replication"); err != nil || i > 2 && !strings.Contains(info, "master_link_status:up") {
					return false
				}
			}
			return true
		})
}

// failover is what happened when a primary was killed.
type failover struct {
	reads tally
	back  time.Duration // until every document was shared again
}

// String tells it.
func (f *failover) String() string {
	return fmt.Sprintf("a cluster's primary killed: %s, everything shared again %d ms after its replica took over", &f.reads, f.back.Milliseconds())
}

// clusterFailover kills a primary of a Redis Cluster under two instances. Nobody
// fails, and as soon as its replica has taken over, one instance is again served
// whatever the other has read.
func (l *lab) clusterFailover(ctx context.Context) (*failover, error) {
	redis, servers, err := l.redisCluster(ctx)
	if err != nil {
		return nil, err
	}
	u, _, err := l.database(ctx)
	if err != nil {
		return nil, err
	}
	var nodes [2]*node
	for i := range nodes {
		dir, err := l.folder()
		if err != nil {
			return nil, err
		}
		if nodes[i], err = l.start(ctx, "--data", dir, "--database", u, "--redis", redis); err != nil {
			return nil, err
		}
	}
	turn := 0
	fresh := func() string { turn++; return fmt.Sprintf("/api/v1/notices?region=%d", 320000+turn) }
	if err := await(ctx, "the instances share", func() bool { return shared(nodes, fresh) }); err != nil {
		return nil, err
	}
	f := &failover{}
	reading, stop := context.WithCancel(ctx)
	defer stop()
	var busy sync.WaitGroup
	busy.Go(func() {
		n := 0
		load{rate: 100, see: f.reads.see, next: func() (*node, string) {
			n++
			return nodes[0], fmt.Sprintf("/api/v1/notices?region=%d", 500000+n)
		}}.run(reading)
	})
	wait(ctx, time.Second)
	servers[0].kill()
	err = await(ctx, "the replica takes over", func() bool {
		role, err := servers[3].do(ctx, "ROLE")
		return err == nil && strings.HasPrefix(role, "master")
	})
	if err != nil {
		return nil, err
	}
	over := time.Now()
	err = await(ctx, "the instances share again", func() bool { return shared(nodes, fresh) })
	f.back = time.Since(over)
	wait(ctx, time.Duration(l.form.pick(500, 3000, 10000))*time.Millisecond)
	stop()
	busy.Wait()
	return f, err
}

// shared reports whether the second instance is served by Redis all that the
// first has just read: enough documents to be on every primary. What is refused
// is not shared, though nothing is read for it.
func shared(nodes [2]*node, fresh func() string) bool {
	const documents = 24
	paths := make([]string, documents)
	for i := range paths {
		paths[i] = fresh()
	}
	all := func(n *node) bool {
		for _, path := range paths {
			if (load{}).get(http.DefaultClient, n, path).status != http.StatusOK {
				return false
			}
		}
		return true
	}
	if !all(nodes[0]) {
		return false
	}
	before, err := nodes[1].metric(fromStore)
	if err != nil || !all(nodes[1]) {
		return false
	}
	after, err := nodes[1].metric(fromStore)
	return err == nil && after == before
}

const fromStore = `gongkai_cache_answers_total{from="store"}`
