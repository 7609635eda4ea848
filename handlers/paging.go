package handlers

import (
	"net/url"
	"strconv"

	"github.com/gofiber/fiber/v2"

	"gongkai/internal/disclosure"
)

// PageParams documents the page of a list; readPaging reads it.
type PageParams struct {
	Cursor string `form:"cursor" validate:"optional"`                          // 上一页的 next
	Limit  int    `form:"limit" validate:"optional" minimum:"1" maximum:"100"` // 每页条数
}

// paging is the place of a request in a short list that is read whole, such as
// the catalogue. Its cursor is a row number.
type paging struct {
	list   string // canonical name of the list, filters included
	limit  int
	offset int
}

// readPaging reads limit and cursor, and the filters named, of the list. The
// filters' values are returned by p.values for the caller to check.
func readPaging(c *fiber.Ctx, list string, byDefault int, filters ...string) (paging, error) {
	pg, p := paging{list: list}, readParams(c, append([]string{"limit", "cursor"}, filters...)...)
	pg.finish(p, byDefault)
	return pg, p.err()
}

func (pg *paging) finish(p *params, byDefault int) {
	pg.limit = p.limit(byDefault)
	if at := p.cursor(pg.list); at != nil {
		pg.offset = int(at.A)
	}
}

// filter adds a filter to the name of the list.
func (pg *paging) filter(name, value string) {
	if value != "" {
		pg.list += "&" + name + "=" + url.QueryEscape(value)
	}
}

func (pg paging) key() string {
	return pg.list + "#" + strconv.Itoa(pg.limit) + "," + strconv.Itoa(pg.offset)
}

// cutPage returns the rows of the page and the next cursor, or nil.
func cutPage[T any](pg paging, rows []T) ([]T, *string) {
	from := min(pg.offset, len(rows))
	to := min(from+pg.limit, len(rows))
	if to == len(rows) {
		return rows[from:to], nil
	}
	next := disclosure.Cursor{A: int64(to)}.Encode(pg.list)
	return rows[from:to], &next
}

// numbered is the place of a request in a list whose rows have numbers of their
// own, which the cursor holds: rows that come or go meanwhile move nothing.
type numbered struct {
	list  string // canonical name of the list
	limit int
	after int64 // number of the last row of the page before, 0 on the first page
}

// readNumbered reads limit and cursor of the list.
func readNumbered(c *fiber.Ctx, list string) (numbered, error) {
	p := readParams(c, "limit", "cursor")
	pg := numbered{list: list, limit: p.limit(disclosure.DefaultLimit)}
	if at := p.cursor(list); at != nil {
		pg.after = at.A
	}
	return pg, p.err()
}

// next returns the cursor of the page behind the row with the number, or nil when
// there is no more.
func (pg numbered) next(more bool, last int64) *string {
	if !more {
		return nil
	}
	next := disclosure.Cursor{A: last}.Encode(pg.list)
	return &next
}
