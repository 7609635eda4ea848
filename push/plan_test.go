package push

import (
	"testing"
	"time"
)

// TestJitter is within its bounds and spreads: what waits for the end of quiet
// hours neither comes before it nor all at once.
func TestJitter(t *testing.T) {
	for _, most := range []time.Duration{time.Second, time.Minute, 5 * time.Minute, quietJitter, 2 * time.Hour} {
		var tenths [10]int
		for n := range int64(10_000) {
			j := jitter(n, most)
			if j < 0 || j >= most {
				t.Fatalf("jitter(%d, %v) = %v", n, most, j)
			}
			tenths[j*10/most]++
		}
		for i, n := range tenths {
			if n < 900 || n > 1100 {
				t.Errorf("of 10000 within %v the tenth %d has %d", most, i, n)
			}
		}
	}
}
