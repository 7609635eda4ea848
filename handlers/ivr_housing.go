package handlers

import (
	"context"
	"crypto/subtle"
	"errors"
	"strings"

	"gongkai/internal/disclosure"
	"gongkai/internal/speech"
)

const tailLength = 4

func showBatch(ctx context.Context, c *call, s *screen) error {
	b, err := c.brief(ctx, c.ids[c.chosen-1])
	if gone(err) {
		c.note, c.chosen, c.node = c.note+"这条公告已撤回。", 0, nodeHousing
		return showList(ctx, c, s)
	}
	if err != nil {
		return err
	}
	labels := []string{"收听公示内容", "查询本人结果"}
	if b.Project != "" {
		labels = append(labels, "房源和分配过程")
	}
	s.notices = c.ids[c.chosen-1 : c.chosen]
	s.menu(b.Title+"。", labels, c.backWords())
	return nil
}

func pressBatch(ctx context.Context, c *call, key string) error {
	switch key {
	case "1":
		return c.openDetail(ctx, c.chosen)
	case "2":
		if c.locked() {
			c.toOperator("locked")
			return nil
		}
		c.node = nodeOwn
	case "3":
		b, err := c.brief(ctx, c.ids[c.chosen-1])
		if err == nil && b.Project != "" {
			c.ids, c.chosen, c.from, c.node = []string{c.ids[c.chosen-1]}, 1, nodeBatch, nodeStages
			return nil
		}
		if err != nil && !gone(err) {
			return err
		}
		c.refuse(wrongKey)
	default:
		c.refuse(wrongKey)
	}
	return nil
}

func backToHousing(ctx context.Context, c *call) error {
	c.callState = callState{node: nodeHousing, at: c.at, tries: c.tries}
	return c.openList(ctx, 0)
}

func showOwn(_ context.Context, _ *call, s *screen) error {
	s.prompt = "请按受理编号，字母按所在的数字键，以井号键结束。"
	return nil
}

func pressOwn(_ context.Context, c *call, _ string) error {
	digits := cleared(c.in.digits)
	if len(digits) < 4 || len(digits) > maxTypedBytes || strings.Trim(digits, "0123456789") != "" {
		c.refuse("编号不完整，请重新输入。")
		return nil
	}
	c.typed, c.node = digits, nodeTail
	return nil
}

func showTail(_ context.Context, _ *call, s *screen) error {
	s.prompt = "请按身份证号码的最后四位，末位是字母的按星号键，以井号键结束。"
	return nil
}

// pressTail answers a wrong number and a wrong tail alike: in words, and in
// work, as every row is compared.
func pressTail(ctx context.Context, c *call, _ string) error {
	tail := strings.TrimSuffix(c.in.digits, "#")
	if len(tail) != tailLength || strings.Trim(tail[:3], "0123456789") != "" || strings.Trim(tail[3:], "0123456789*") != "" {
		c.refuse("请输入四位。")
		return nil
	}
	rows, err := c.residents(ctx)
	if err != nil && !gone(err) {
		return err
	}
	if c.locked() || !c.mayTry(ctx, rows) {
		c.toOperator("locked")
		return nil
	}
	row, found, err := c.ownRow(ctx, rows, strings.Replace(tail, "*", "X", 1))
	if err != nil {
		return err
	}
	if !found {
		c.missedOnce()
		return nil
	}
	c.node, c.page, c.typed = nodeResult, row, c.rowSum(rows[row])
	return nil
}

// locked reports whether the caller has failed too often lately. Hanging up and
// calling again does not help, where the number is known.
func (c *call) locked() bool {
	if c.tries >= maxTries {
		return true
	}
	m, ok := c.missed.GetIfPresent(c.in.caller)
	return ok && c.in.caller != "" && m.n >= maxTries && c.now.Sub(m.last) < lockTime
}

// mayTry counts an attempt at the number typed, in one count with the look-up on
// the web: whoever withholds the own number and calls again and again tries no
// more ends of it than anybody. A number nobody has is counted as it was typed,
// so that it is answered like one that somebody has.
func (c *call) mayTry(ctx context.Context, rows []residentRow) bool {
	if c.again {
		return true
	}
	numbers := map[string]bool{}
	for _, row := range rows {
		if typedWhole(typeable(row.No), c.typed) {
			numbers[disclosure.AcceptanceNo(row.No)] = true
		}
	}
	if len(numbers) == 0 {
		numbers[c.typed] = true
	}
	may := true
	for number := range numbers {
		_, ok := c.server.lookups.number.take(ctx, number)
		may = may && ok
	}
	return may
}

func (c *call) missedOnce() {
	c.tries++
	if !c.again && c.in.caller != "" {
		m, _ := c.missed.GetIfPresent(c.in.caller)
		if c.now.Sub(m.last) >= lockTime {
			m.n = 0
		}
		c.missed.Set(c.in.caller, missed{m.n + 1, c.now})
	}
	c.note, c.node, c.typed = "没有查到，请核对受理编号和证件号码。", nodeOwn, ""
	if c.tries >= maxTries {
		c.toOperator("locked")
	}
}

// residentRow is a row of a housing result as the hotline needs it: the public,
// masked list.
type residentRow struct {
	No   string `json:"no"`   // acceptance number as published
	Tail string `json:"tail"` // what the mask leaves of the end of the ID number
	Said string `json:"said"`
}

// residents reads the rows of the notice that is open. They are of class P: they
// stay in this process.
func (c *call) residents(ctx context.Context) ([]residentRow, error) {
	ref, ok := c.notice()
	if !ok {
		return nil, disclosure.Errorf(disclosure.CodeNotFound, "没有选择公告")
	}
	a, _, err := c.server.Cache.Get(ctx, "residents/"+ref.Code, func(ctx context.Context) (*disclosure.Answer, error) {
		d, err := c.server.Reader.Notice(ctx, ref)
		if err != nil {
			return nil, err
		}
		a, err := jsonAnswer(residentRows(typeOf(d.Catalog, d.Type, d.TypeVersion), d.Fields), d.Reading)
		if a != nil {
			a.Private, a.ETag = true, ""
		}
		return a, err
	})
	var rows []residentRow
	if err == nil {
		err = decodeAnswer(a, &rows)
	}
	return rows, err
}

// residentRows takes the rows of the table with acceptance numbers.
func residentRows(t *disclosure.NoticeType, values disclosure.Values) []residentRow {
	out := []residentRow{}
	for _, f := range t.Fields {
		rows, _ := values[f.Key].([]any)
		for _, row := range rows {
			cells, _ := row.(map[string]any)
			no, ok := cells["acceptance_no"].(string)
			if !ok {
				continue
			}
			id, _ := cells["id_number"].(string)
			out = append(out, residentRow{no, id[strings.LastIndexByte(id, '*')+1:], spokenRow(f.Columns, cells)})
		}
	}
	return out
}

// spokenRow says a person's own row: never numbers, telephones or addresses.
func spokenRow(columns []disclosure.Field, cells map[string]any) string {
	var parts []string
	for _, col := range columns {
		switch col.Kind {
		case disclosure.FieldCode, disclosure.FieldPhone, disclosure.FieldAddress, disclosure.FieldUSCC, disclosure.FieldURL, disclosure.FieldLongText:
			continue
		}
		if v := col.Display(cells[col.Key]); v != "" {
			parts = append(parts, col.Label+"，"+v)
		}
	}
	return speech.Text(strings.Join(parts, "；"))
}

// ownRow finds the row of the acceptance number typed whose ID number ends so.
// More than one that fits is none.
func (c *call) ownRow(ctx context.Context, rows []residentRow, tail string) (int, bool, error) {
	found, n := 0, 0
	for i, row := range rows {
		known := strings.ToUpper(row.Tail)
		if len(known) > len(tail) {
			known = known[len(known)-len(tail):]
		}
		fits := subtle.ConstantTimeCompare([]byte(known), []byte(tail[len(tail)-len(known):]))
		if len(known) == 0 {
			fits = 0
		}
		if number := typeable(row.No); typedWhole(number, c.typed) && fits == 1 {
			found, n = i, n+1
		}
	}
	if n != 1 {
		return 0, false, nil
	}
	ref, _ := c.notice()
	q, err := disclosure.ParseLookup(ref.Code, rows[found].No, tail)
	if err != nil {
		return 0, false, nil // what cannot be looked up is a miss like any
	}
	// The list shows two characters of the number; the other two are proved here.
	_, err = c.server.Publisher.Lookup(ctx, q)
	if known := new(disclosure.Error); errors.As(err, &known) && known.Code != disclosure.CodeUnavailable {
		return 0, false, nil
	}
	return found, err == nil, err
}

// rowSum tells a row from all others of the list and from itself corrected, and
// nothing of what it says.
func (c *call) rowSum(row residentRow) string {
	return c.hash("row", strings.Join([]string{row.No, row.Tail, row.Said}, "\x00"))
}

// showResult says the row that was proved to be the caller's. In a list that was
// corrected since, another may stand at its place.
func showResult(ctx context.Context, c *call, s *screen) error {
	rows, err := c.residents(ctx)
	if gone(err) {
		c.note, c.chosen, c.node = c.note+"这条公告已撤回。", 0, nodeHousing
		return showList(ctx, c, s)
	}
	if err != nil {
		return err
	}
	if c.page >= len(rows) || c.rowSum(rows[c.page]) != c.typed {
		c.note, c.page, c.typed, c.node = c.note+"名单已更正，请重新查询。", 0, "", nodeOwn
		return showOwn(ctx, c, s)
	}
	said := speech.Shorten(rows[c.page].Said, pageLimit)
	s.prompt = lastDigits(rows[c.page].No) + "的结果是，" + strings.TrimRight(said, "，；、") + "。" +
		pressFor("重听", c.Keymap.Repeat) + "；" + c.backWords() + "。"
	s.notices = c.ids[c.chosen-1 : c.chosen]
	return nil
}
