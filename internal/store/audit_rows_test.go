package store_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"

	"gongkai/internal/disclosure"
	"gongkai/internal/store"
	"gongkai/internal/store/storetest"
)

// TestAuditTamperingOfEachRow changes, deletes and moves every row of a trail,
// one after another: each time that row is named. The long proof takes a
// thousand rows.
func TestAuditTamperingOfEachRow(t *testing.T) {
	least := int64(12)
	if os.Getenv("GONGKAI_PROVE") == "long" {
		least = 1000
	}
	storetest.Each(t, func(t *testing.T, s *store.Store, u string) {
		ctx := context.Background()
		var last int64
		for i := 0; last < least; i++ {
			storetest.Publish(t, s, storetest.Content(t, s.Catalog(), "land.transfer_notice", fmt.Sprintf("出让公告%d", i)), storetest.Start)
			var err error
			if last, err = s.VerifyAudit(ctx); err != nil {
				t.Fatal(err)
			}
		}
		db := storetest.Raw(t, u)
		disarmAudit(t, u, db)
		storetest.Exec(t, db, `CREATE TABLE kept AS SELECT * FROM audit`)
		columns, found := storetest.Columns(t, db, "audit"), 0
		for seq := int64(1); seq <= last; seq++ {
			change := columns[seq%int64(len(columns))]
			value := change + ` || 'x'`
			if change == "seq" || change == "at" || change == "rev" {
				value = change + ` + 100000`
			}
			ways := []string{
				fmt.Sprintf(`UPDATE audit SET %s = %s WHERE seq = %d`, change, value, seq),
				fmt.Sprintf(`DELETE FROM audit WHERE seq = %d`, seq),
			}
			if seq < last {
				ways = append(ways, swap(seq, seq+1))
			}
			for _, statement := range ways {
				storetest.Exec(t, db, statement)
				_, err := s.VerifyAudit(ctx)
				if fault, ok := errors.AsType[*disclosure.AuditFault](err); !ok || fault.Seq != seq {
					t.Errorf("%s: VerifyAudit = %v, want a fault at row %d", statement, err, seq)
				} else {
					found++
				}
				storetest.Exec(t, db, fmt.Sprintf(`DELETE FROM audit WHERE seq IN (%d, %d, %d)`, seq, seq+1, seq+100000),
					fmt.Sprintf(`INSERT INTO audit SELECT * FROM kept WHERE seq IN (%d, %d)`, seq, seq+1))
			}
		}
		if n, err := s.VerifyAudit(ctx); err != nil || n != last {
			t.Fatalf("the trail put back: %d rows, %v", n, err)
		}
		t.Logf("each of %d rows changed, deleted and moved: %d of %d times found and named", last, found, 3*last-1)
	})
}
