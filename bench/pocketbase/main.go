// Command pocketbase is the peer that gongkai is measured against: PocketBase
// with the same rows, indexes and fields. It is a module of its own because
// PocketBase wants a newer Go.
//
//	pocketbase fill DATA_DIR GONGKAI_DB
//	pocketbase serve DATA_DIR ADDRESS
package main

import (
	"database/sql"
	"errors"
	"fmt"
	"log"
	"os"

	"github.com/pocketbase/pocketbase"
	"github.com/pocketbase/pocketbase/apis"
	"github.com/pocketbase/pocketbase/core"
	"github.com/pocketbase/pocketbase/tools/types"
	_ "modernc.org/sqlite"
)

func main() {
	if len(os.Args) != 4 {
		log.Fatal("usage: pocketbase fill DATA_DIR GONGKAI_DB | serve DATA_DIR ADDRESS")
	}
	app := pocketbase.NewWithConfig(pocketbase.Config{DefaultDataDir: os.Args[2], HideStartBanner: true})
	err := app.Bootstrap()
	if err == nil {
		switch os.Args[1] {
		case "fill":
			err = fill(app, os.Args[3])
		case "serve":
			err = apis.Serve(app, apis.ServeConfig{HttpAddr: os.Args[3]})
		default:
			err = fmt.Errorf("%q is neither fill nor serve", os.Args[1])
		}
	}
	if err = errors.Join(err, app.ClearBootstrap()); err != nil {
		log.Fatal(err)
	}
}

var columns = []string{"code", "title", "sector", "type", "status", "publisher", "source_name", "project_code", "region",
	"published_at", "deadline_at", "amount", "summary", "content"}

func fill(app core.App, path string) error {
	c := core.NewBaseCollection("notices")
	c.ListRule, c.ViewRule = types.Pointer(""), types.Pointer("")
	for _, name := range columns {
		switch name {
		case "published_at", "deadline_at", "amount":
			c.Fields.Add(&core.NumberField{Name: name})
		default:
			c.Fields.Add(&core.TextField{Name: name, Max: 1_000_000})
		}
	}
	c.AddIndex("notices_sector", false, "sector, published_at", "")
	c.AddIndex("notices_published", false, "published_at", "")
	c.AddIndex("notices_code", true, "code", "")
	if err := app.Save(c); err != nil {
		return err
	}
	ours, err := sql.Open("sqlite", "file:"+path+"?mode=ro")
	if err != nil {
		return err
	}
	defer ours.Close()
	rows, err := ours.Query(`
		SELECT n.code, n.title, n.sector, n.type, n.status, n.body, n.source_name, n.project_code, n.region, n.published_at,
		       n.deadline_at, COALESCE(n.amount, 0), n.summary, r.doc
		  FROM notice n JOIN revision r ON r.notice_id = n.id AND r.rev = n.content_rev
		 ORDER BY n.seq`)
	if err != nil {
		return err
	}
	defer rows.Close()
	return app.RunInTransaction(func(tx core.App) error {
		for n := 0; rows.Next(); n++ {
			values := make([]any, len(columns))
			pointers := make([]any, len(columns))
			for i := range values {
				pointers[i] = &values[i]
			}
			if err := rows.Scan(pointers...); err != nil {
				return err
			}
			row := map[string]any{"id": fmt.Sprintf("n%014d", n)}
			for i, name := range columns {
				row[name] = values[i]
			}
			if _, err := tx.DB().Insert("notices", row).Execute(); err != nil {
				return err
			}
		}
		return rows.Err()
	})
}
