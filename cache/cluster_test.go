package cache_test

import (
	"context"
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"

	"gongkai/internal/disclosure"
	"gongkai/internal/store/storetest"
)

// startCluster runs a Redis Cluster of three primaries until the test ends.
func startCluster(t *testing.T) (url string, nodes []*server) {
	t.Helper()
	slots := [][2]int{{0, 5460}, {5461, 10922}, {10923, 16383}}
	for range slots {
		n := startRedis(t) // in its place comes one of a cluster, on the same port
		n.stop()
		n.cmd = exec.Command("redis-server", "--port", n.port, "--cluster-port", freePort(t), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
			"--dir", t.TempDir(), "--cluster-enabled", "yes", "--cluster-node-timeout", "1000")
		if err := n.cmd.Start(); err != nil {
			t.Fatal(err)
		}
		storetest.Eventually(t, 10*time.Second, "redis-server answers", func() bool { return n.Ping(context.Background()).Err() == nil })
		nodes = append(nodes, n)
	}
	for i, n := range nodes {
		if err := n.ClusterAddSlotsRange(t.Context(), slots[i][0], slots[i][1]).Err(); err != nil {
			t.Fatal(err)
		}
		bus := n.cmd.Args[4]
		if err := nodes[0].Do(t.Context(), "CLUSTER", "MEET", "127.0.0.1", n.port, bus).Err(); i > 0 && err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range nodes {
		storetest.Eventually(t, 20*time.Second, "the cluster is whole", func() bool {
			info, err := n.ClusterInfo(context.Background()).Result()
			return err == nil && strings.Contains(info, "cluster_state:ok") && strings.Contains(info, "cluster_size:3")
		})
	}
	return "redis://127.0.0.1:" + nodes[0].port + "?addr=127.0.0.1:" + nodes[1].port + "&addr=127.0.0.1:" + nodes[2].port, nodes
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// A Redis Cluster serves as one server does: it shares answers, wakes, forgets
// everything when told, and none of its failures is a reader's.
func TestRedisCluster(t *testing.T) {
	url, nodes := startCluster(t)
	keys := strings.Split("abcdefghijklmnopqrstuvwxyz", "") // on all nodes
	warm, fill := instance(t, url, "v1", "epoch")
	fill.fill = func(context.Context) (*disclosure.Answer, error) {
		return &disclosure.Answer{Type: "text/plain", ETag: `W/"1"`, Body: []byte("盐东镇"), Position: 7}, nil
	}
	for _, k := range keys {
		get(t, warm, k, fill.do)
	}
	for i, n := range nodes {
		if len(n.everything(t)) == 0 {
			t.Errorf("node %d holds nothing", i)
		}
	}
	cold, again := instance(t, url, "v1", "epoch")
	for _, k := range keys {
		get(t, cold, k, again.do)
	}
	if s := cold.Stats(); s.SharedHits != int64(len(keys)) || again.calls.Load() != 0 {
		t.Errorf("a cold instance: %+v, %d fills", s, again.calls.Load())
	}
	places := cold.Purge(t.Context())
	if got := places[len(places)-1]; got.Place != "redis" || got.Count != int64(len(keys)) || !got.Done {
		t.Errorf("Purge = %+v", got)
	}
	for i, n := range nodes {
		if left := n.everything(t); len(left) > 0 {
			t.Errorf("node %d still holds %d answers", i, len(left))
		}
	}
	nodes[1].stop()
	for _, k := range keys {
		get(t, warm, k+"2", fill.do) // fails if it is refused
	}
	places = warm.Purge(t.Context())
	if got := places[len(places)-1]; got.Done {
		t.Errorf("with a node down Purge = %+v", got)
	}
}
