package handlers

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"gongkai/internal/disclosure"
	"gongkai/internal/speech"
)

// The nodes of the dialogue.
const (
	nodeGreet    = "greet"
	nodeRoot     = "root"
	nodeSectors  = "sectors"
	nodeDept     = "dept"
	nodeList     = "list"
	nodeDetail   = "detail"
	nodeHandoff  = "handoff"
	nodeProgress = "progress"
	nodePick     = "pick"
	nodeStages   = "stages"
	nodeHousing  = "housing"
	nodeBatch    = "batch"
	nodeOwn      = "own"
	nodeTail     = "tail"
	nodeResult   = "result"
	nodeConsult  = "consult"
	nodeInfo     = "info"
	nodeCallback = "callback"
	nodeConfirm  = "confirm"
	nodeNoted    = "noted"
	nodeOperator = "operator" // ends the turn
	nodeBye      = "bye"      // likewise
)

// node is one place of the dialogue. show says its prompt, press reacts to a key
// or an entry, back leads to its parent. entry is how many keys the longest
// entry has, 0 where one key is awaited.
type node struct {
	show  func(context.Context, *call, *screen) error
	press func(context.Context, *call, string) error
	back  func(context.Context, *call) error
	entry int
}

// dialogue is every node by its name.
func dialogue() map[string]node {
	return map[string]node{
		nodeGreet:    {showGreet, pressGreet, toNode(nodeGreet), 0},
		nodeRoot:     {showRoot, pressRoot, toNode(nodeRoot), 0},
		nodeSectors:  {showSectors, pressSectors, backToRoot, 0},
		nodeDept:     {showSectors, pressDept, toNode(nodeConsult), 0},
		nodeList:     {showList, pressList, backToSectors, 0},
		nodeHousing:  {showList, pressList, backToRoot, 0},
		nodeDetail:   {showDetail, pressDetail, backFromDetail, 0},
		nodeHandoff:  {showHandoff, pressNothing, toNode(nodeDetail), 0},
		nodeProgress: {showProgress, pressProgress, backToRoot, maxTypedBytes},
		nodePick:     {showPick, pressPick, toNode(nodeProgress), 0},
		nodeStages:   {showStages, pressStages, backFromStages, 0},
		nodeBatch:    {showBatch, pressBatch, backToHousing, 0},
		nodeOwn:      {showOwn, pressOwn, toNode(nodeBatch), maxTypedBytes},
		nodeTail:     {showTail, pressTail, toNode(nodeOwn), tailLength},
		nodeResult:   {showResult, pressNothing, toNode(nodeBatch), 0},
		nodeConsult:  {showConsult, pressConsult, backToRoot, 0},
		nodeCallback: {showCallback, pressCallback, toNode(nodeConsult), callbackLength},
		nodeConfirm:  {showConfirm, pressConfirm, toNode(nodeCallback), 0},
		nodeNoted:    {showNoted, pressNothing, backToRoot, 0},
		nodeInfo:     {showInfo, pressNothing, toNode(nodeConsult), 0},
	}
}

// toNode leads to a node that needs nothing but what the call has.
func toNode(name string) func(context.Context, *call) error {
	return func(_ context.Context, c *call) error {
		c.node = name
		return nil
	}
}

func backToRoot(_ context.Context, c *call) error {
	c.callState = callState{node: nodeRoot, at: c.at, tries: c.tries}
	return nil
}

// pressNothing is for places where only the keys that work everywhere do.
func pressNothing(_ context.Context, c *call, _ string) error {
	c.refuse(wrongKey)
	return nil
}

func (c *call) backWords() string { return pressFor("返回", c.Keymap.Back) }

func showGreet(_ context.Context, c *call, s *screen) error {
	s.prompt = c.words(c.Wording.Greeting, "")
	s.options = []choice{{"1", "自助查询"}}
	return nil
}

func pressGreet(ctx context.Context, c *call, key string) error {
	if key != "1" {
		c.refuse(wrongKey)
		return nil
	}
	return backToRoot(ctx, c)
}

func showRoot(_ context.Context, c *call, s *screen) error {
	s.menu("", []string{"最新公告", "项目进度", "住房分配", "咨询监督"}, pressFor("人工服务", c.Keymap.Operator))
	return nil
}

func pressRoot(ctx context.Context, c *call, key string) error {
	i, ok := pick(key, 4)
	if !ok {
		c.refuse(wrongKey)
		return nil
	}
	c.callState = callState{node: []string{nodeSectors, nodeProgress, nodeHousing, nodeConsult}[i], at: c.at, tries: c.tries}
	if c.node == nodeHousing {
		return c.openList(ctx, 0)
	}
	return nil
}

const sectorsPerPage = 4

// sectors lists the sectors in force in the order of the menu.
func (c *call) sectors() []disclosure.Sector {
	order := func(code string) int {
		if i := slices.Index(c.Sectors, code); i >= 0 {
			return i
		}
		return len(c.Sectors)
	}
	list := slices.Clone(c.server.Cache.Catalog().Sectors)
	slices.SortStableFunc(list, func(a, b disclosure.Sector) int { return order(a.Code) - order(b.Code) })
	return list
}

func showSectors(_ context.Context, c *call, s *screen) error {
	list := c.sectors()
	from := min(c.page*sectorsPerPage, len(list))
	labels := []string{}
	for _, sector := range list[from:min(from+sectorsPerPage, len(list))] {
		labels = append(labels, speech.Text(sector.Name))
	}
	tail := c.backWords()
	if s.more = from+sectorsPerPage < len(list); s.more {
		tail = pressFor("更多领域", c.Keymap.More)
	}
	s.menu("", labels, tail)
	return nil
}

// pressSector returns the sector a key chooses, or turns the page.
func (c *call) pressSector(key string) string {
	list := c.sectors()
	from := min(c.page*sectorsPerPage, len(list))
	switch i, ok := pick(key, min(sectorsPerPage, len(list)-from)); {
	case ok:
		return list[from+i].Code
	case key == keyMore && from+sectorsPerPage < len(list):
		c.page++
	default:
		c.refuse(wrongKey)
	}
	return ""
}

func pressSectors(ctx context.Context, c *call, key string) error {
	sector := c.pressSector(key)
	if sector == "" {
		return nil
	}
	c.callState = callState{node: nodeList, sector: sector, at: c.at, tries: c.tries}
	return c.openList(ctx, 0)
}

func backToSectors(_ context.Context, c *call) error {
	page := max(0, slices.IndexFunc(c.sectors(), func(s disclosure.Sector) bool { return s.Code == c.sector })) / sectorsPerPage
	c.callState = callState{node: nodeSectors, page: page, at: c.at, tries: c.tries}
	return nil
}

const (
	itemsPerPage = 3
	listPages    = 3
	resultType   = "housing.allocation_result"
)

// openList reads a page of the newest notices and pins it: what is heard is what
// a key opens, whatever is published meanwhile. The next page begins after the
// last notice heard.
func (c *call) openList(ctx context.Context, page int) error {
	q := disclosure.NoticeQuery{Sort: disclosure.SortPublished, Limit: itemsPerPage*(listPages+1) + 1}
	if c.node == nodeHousing {
		q.Types = []string{resultType}
	} else {
		q.Sectors = []string{c.sector}
	}
	list, err := c.server.noticeList(ctx, q)
	if err != nil {
		return err
	}
	from := 0
	if page > 0 {
		from = min(c.after(list.Items, page), len(list.Items))
	}
	to := min(from+itemsPerPage, len(list.Items))
	if from == to && page > 0 {
		c.more, c.note = false, "已经是最后一页。"
		return nil
	}
	c.ids = nil
	for _, n := range list.Items[from:to] {
		c.ids = append(c.ids, n.Code)
	}
	c.page, c.chosen, c.more = page, 0, to < len(list.Items) && page+1 < listPages
	return nil
}

// after is where the page begins that follows the pinned notices: behind the
// last of them that is still listed. When none is, all of them were withdrawn,
// and what followed has moved up by a page.
func (c *call) after(list []Summary, page int) int {
	for _, code := range slices.Backward(c.ids) {
		if i := slices.IndexFunc(list, func(n Summary) bool { return n.Code == code }); i >= 0 {
			return i + 1
		}
	}
	return (page - 1) * itemsPerPage
}

func showList(ctx context.Context, c *call, s *screen) error {
	labels, err := c.labels(ctx, s)
	if err != nil {
		return err
	}
	intro := ""
	if len(labels) == 0 {
		intro = "暂时没有公告。"
	}
	tail := []string{}
	if s.more = c.more; s.more {
		tail = append(tail, pressFor("更多", c.Keymap.More))
	}
	s.menu(intro, labels, append(tail, c.backWords())...)
	return nil
}

// labels says each pinned notice; one withdrawn since keeps its number.
func (c *call) labels(ctx context.Context, s *screen) ([]string, error) {
	labels := []string{}
	for _, id := range c.ids {
		b, err := c.brief(ctx, id)
		switch {
		case gone(err):
			b.Title = "已撤回的公告"
		case err != nil:
			return nil, err
		default:
			s.notices = append(s.notices, id)
		}
		labels = append(labels, b.Title)
	}
	return labels, nil
}

func pressList(ctx context.Context, c *call, key string) error {
	i, ok := pick(key, len(c.ids))
	switch {
	case ok && c.node == nodeHousing:
		c.chosen, c.from, c.node = i+1, c.node, nodeBatch
		return c.stillPublic(ctx)
	case ok:
		return c.openDetail(ctx, i+1)
	case key == keyMore && c.more:
		return c.openList(ctx, c.page+1)
	case key == keyMore:
		c.note = "已经是最后一页。"
	default:
		c.refuse(wrongKey)
	}
	return nil
}

// openDetail opens the n-th pinned notice, counting from 1. The page of the list
// it was chosen from is kept with the place to return to.
func (c *call) openDetail(ctx context.Context, n int) error {
	c.from = c.node + "_" + strconv.Itoa(c.page)
	c.chosen, c.node, c.page = n, nodeDetail, 0
	return c.stillPublic(ctx)
}

// stillPublic returns to where the notice was chosen if it was withdrawn since.
func (c *call) stillPublic(ctx context.Context) error {
	_, err := c.brief(ctx, c.ids[c.chosen-1])
	if !gone(err) {
		return err
	}
	c.note = "这条公告已撤回。"
	if c.node == nodeDetail {
		return backFromDetail(ctx, c)
	}
	c.node, c.chosen = c.from, 0
	return nil
}

func backFromDetail(_ context.Context, c *call) error {
	from, page, _ := strings.Cut(c.from, "_")
	if _, ok := c.nodes[from]; !ok {
		from = nodeRoot
	}
	c.node, c.page = from, number(page)
	switch from {
	case nodeProgress:
		c.ids = nil
	case nodeList, nodeHousing:
		c.chosen = 0
	case nodeStages:
		c.from, c.typed = c.typed, "" // as pressStages put it by
	}
	return nil
}

// speech reads the spoken form of the notice that is open.
func (c *call) speech(ctx context.Context) (Spoken, error) {
	var said Spoken
	ref, ok := c.notice()
	if !ok {
		return said, disclosure.Errorf(disclosure.CodeNotFound, "没有选择公告")
	}
	a, age, err := c.server.Cache.Get(ctx, speechKey(ref), c.server.fillSpeech(ref))
	if err == nil {
		err = decodeAnswer(a, &said)
	}
	if err == nil && age > 0 {
		said.Pages[0] = "数据截至" + speech.Text(c.now.Add(-age).In(shanghai).Format("15:04")) + "。" + said.Pages[0]
	}
	return said, err
}

func showDetail(ctx context.Context, c *call, s *screen) error {
	said, err := c.speech(ctx)
	if gone(err) { // withdrawn while it was read out
		if err := backFromDetail(ctx, c); err != nil {
			return err
		}
		c.note += "这条公告已撤回。"
		return c.nodes[c.node].show(ctx, c, s)
	}
	if err != nil {
		return err
	}
	page := min(c.page, len(said.Pages)-1)
	s.more, s.handoff = page+1 < len(said.Pages), c.ids[c.chosen-1]
	s.notices = []string{s.handoff}
	help := []string{pressFor("发到微信", c.Keymap.Handoff), c.backWords()}
	if s.more {
		help[0] = pressFor("继续", c.Keymap.More)
	}
	s.prompt = said.Pages[page] + strings.Join(help, "；") + "。"
	return nil
}

func pressDetail(ctx context.Context, c *call, key string) error {
	switch key {
	case keyHandoff:
		c.node = nodeHandoff
		if !c.again {
			c.metrics.handoffs.Inc()
		}
	case keyMore:
		said, err := c.speech(ctx)
		if gone(err) {
			return nil // showing it says so
		}
		if err != nil {
			return err
		}
		if c.page+1 >= len(said.Pages) {
			c.note = "公告已经播完。"
			return nil
		}
		c.page++
	default:
		c.refuse(wrongKey)
	}
	return nil
}

// showHandoff gives the caller the notice's own code to take along: it works in
// WeChat, at the kiosk and on the web, has a check digit and does not expire.
func showHandoff(ctx context.Context, c *call, s *screen) error {
	ref, ok := c.notice()
	if !ok {
		return disclosure.Errorf(disclosure.CodeNotFound, "没有选择公告")
	}
	if _, err := c.brief(ctx, ref.Code); gone(err) {
		c.node = nodeDetail
		return showDetail(ctx, c, s)
	} else if err != nil {
		return err
	}
	code := speech.Digits(ref.Code)
	s.handoff, s.notices = ref.Code, []string{ref.Code}
	s.prompt = fmt.Sprintf("公告编号是，%s。再说一遍，%s。%s%s；%s。", code, code, c.words(c.Wording.Handoff, ""),
		pressFor("重听", c.Keymap.Repeat), c.backWords())
	return nil
}

func showConsult(_ context.Context, c *call, s *screen) error {
	labels := []string{"办公时间", "监督投诉", "转接责任部门"}
	if c.takesCallbacks() {
		labels = append(labels, "留号回电")
	}
	s.menu("", labels, pressFor("人工服务", c.Keymap.Operator), c.backWords())
	return nil
}

func pressConsult(_ context.Context, c *call, key string) error {
	i, ok := pick(key, 4)
	switch {
	case !ok || i == 3 && !c.takesCallbacks():
		c.refuse(wrongKey)
	case i == 3:
		c.node, c.page = nodeCallback, 0
	case i == 2:
		c.node, c.page = nodeDept, 0
	default:
		c.node, c.page = nodeInfo, i
	}
	return nil
}

func showInfo(_ context.Context, c *call, s *screen) error {
	text := "人工服务时间是工作日" + c.hours() + "。"
	if c.AlwaysOpen {
		text = "人工服务全天开通。"
	}
	if c.page == 1 {
		text = "对信息公开有意见，可以拨打监督电话，" + speech.Digits(c.Supervision) + "。"
	}
	s.prompt = text + pressFor("重听", c.Keymap.Repeat) + "；" + c.backWords() + "。"
	return nil
}

func pressDept(_ context.Context, c *call, key string) error {
	sector := c.pressSector(key)
	switch {
	case sector == "":
	case !c.open(c.now) && c.takesCallbacks(): // nobody is there: a call back does more than a ringing telephone
		c.about, c.node, c.page = sector, nodeCallback, 0
		c.note = "现在是非工作时间，可以留下号码，等候回电；转接" + speech.Digits(c.AfterHours) + "，请按" + speech.Key(c.Keymap.Operator) + "。"
	default:
		c.sector = sector
		c.toOperator("department")
	}
	return nil
}
