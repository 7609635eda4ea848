package handlers

import (
	"context"
	"strings"

	"gongkai/internal/disclosure"
	"gongkai/internal/speech"
	"gongkai/internal/workday"
)

const (
	minTyped      = 6 // digits of a number that may be looked up by its end; a shorter one is a whole number
	maxCandidates = 3
	stageOptions  = 3
	nameLimit     = 20 // characters of a project's name

	investmentDigits = 20 // of 投资项目统一代码, without its dashes
)

var shanghai = workday.Shanghai

func showProgress(_ context.Context, _ *call, s *screen) error {
	s.prompt = "请按项目编号或者公告编号的数字，字母按所在的数字键，可以只按最后六位，以井号键结束。"
	return nil
}

// pressProgress looks an entry up: as the code of a notice, then as the whole,
// the end or the beginning of a project's number, then as the code of an
// investment.
func pressProgress(ctx context.Context, c *call, _ string) error {
	digits := cleared(c.in.digits)
	switch {
	case strings.Trim(digits, "0123456789") != "" || len(digits) > 40:
		c.refuse("号码只能由数字组成，请重新输入。")
		return nil
	case digits == "" && strings.Contains(c.in.digits, "*"):
		c.note = "已经清除。"
		return nil
	}
	if disclosure.ValidCode(digits) {
		if found, err := c.findNotice(ctx, digits); found || err != nil {
			return err
		}
	}
	hits, err := c.index.find(ctx, digits, maxCandidates)
	if err == nil && len(hits) == 0 && len(digits) == investmentDigits {
		hits, err = c.findInvestment(ctx, digits)
	}
	if err != nil {
		return err
	}
	c.foundProjects(digits, hits)
	return nil
}

// findInvestment returns the projects of an investment (投资项目统一代码), one more
// than maxCandidates of them at most.
func (c *call) findInvestment(ctx context.Context, digits string) ([]projectHit, error) {
	page, err := c.server.Reader.FindProjects(ctx, digits)
	if err != nil || !page.ByCode { // found by words, which nobody typed
		return nil, err
	}
	hits := []projectHit{}
	for _, p := range page.Items[:min(len(page.Items), maxCandidates+1)] {
		hits = append(hits, projectHit{disclosure.ProjectKey(p.Code), p.Newest.Code})
	}
	return hits, nil
}

// findNotice opens the notice with the code, or says that it was withdrawn.
func (c *call) findNotice(ctx context.Context, code string) (bool, error) {
	_, err := c.brief(ctx, code)
	switch {
	case codeOf(err) == disclosure.CodeWithdrawn:
		c.refuse("这条公告已撤回，请输入其他编号。")
		return true, nil
	case gone(err):
		return false, nil
	case err != nil:
		return false, err
	}
	c.ids, c.chosen, c.from, c.node, c.page = []string{code}, 1, nodeProgress, nodeDetail, 0
	return true, nil
}

// codeOf returns the code of an expected failure, or "".
func codeOf(err error) disclosure.Code {
	if err == nil {
		return ""
	}
	_, e := problemOf(err)
	return e.Code
}

// foundProjects opens the one project, asks which of a few, or asks for more.
func (c *call) foundProjects(digits string, hits []projectHit) {
	switch {
	case len(hits) == 0 && len(digits) < minTyped:
		c.refuse("请至少输入六位。")
	case len(hits) == 0 && len(digits) == 8 && !disclosure.ValidCode(digits):
		c.refuse("没有查到。如果是公告编号，可能按错了一位，请核对后重新输入。")
	case len(hits) == 0:
		c.refuse("没有查到这个编号，请核对后重新输入。")
	case len(hits) > maxCandidates:
		c.refuse("符合的项目较多，请多输入几位。")
	case len(hits) == 1:
		c.ids, c.chosen, c.from, c.node, c.page = []string{hits[0].code}, 1, nodeProgress, nodeStages, 0
	default:
		c.ids, c.chosen, c.node, c.page = nil, 0, nodePick, 0
		for _, hit := range hits {
			c.ids = append(c.ids, hit.code)
		}
	}
}

// project reads the project of a notice through the read model.
func (c *call) project(ctx context.Context, notice string) (ProjectTimeline, error) {
	var p ProjectTimeline
	b, err := c.brief(ctx, notice)
	if err != nil {
		return p, err
	}
	if b.Project == "" {
		return p, disclosure.Errorf(disclosure.CodeNoProject, "这条公告不属于项目")
	}
	a, _, err := c.server.Cache.Get(ctx, projectKey(b.Project), c.server.fillProject(b.Project))
	if err == nil {
		err = decodeAnswer(a, &p)
	}
	return p, err
}

func spokenProject(p ProjectTimeline) string {
	return strings.TrimRight(speech.Shorten(speech.Text(p.Name), nameLimit), "，、；：。")
}

func showPick(ctx context.Context, c *call, s *screen) error {
	labels := []string{}
	for _, id := range c.ids {
		p, err := c.project(ctx, id)
		switch {
		case gone(err):
			labels = append(labels, "已撤回的项目")
		case err != nil:
			return err
		default:
			s.notices = append(s.notices, id)
			labels = append(labels, spokenProject(p)+"，"+lastDigits(p.Code))
		}
	}
	s.menu("有几个项目符合。", labels, c.backWords())
	return nil
}

// lastDigits reads back the end of a number, for the caller to compare.
func lastDigits(code string) string {
	return speech.Tail(code)
}

func pressPick(_ context.Context, c *call, key string) error {
	i, ok := pick(key, len(c.ids))
	if !ok {
		c.refuse(wrongKey)
		return nil
	}
	c.from = strings.Join(append([]string{nodePick}, c.ids...), "_") // the choice, to return to
	c.ids, c.chosen, c.node, c.page = []string{c.ids[i]}, 1, nodeStages, 0
	return nil
}

// newestOf lists the project's newest notices, the newest first.
func newestOf(p ProjectTimeline) []Summary {
	var all []Summary
	for _, stage := range p.Stages {
		all = append(all, stage.Notices...)
	}
	newest := []Summary{}
	for len(newest) < stageOptions && len(newest) < len(all) {
		best := -1
		for i, n := range all {
			if !listed(newest, n.Code) && (best < 0 || deref(n.PublishedAt) >= deref(all[best].PublishedAt)) {
				best = i
			}
		}
		newest = append(newest, all[best])
	}
	return newest
}

func listed(list []Summary, code string) bool {
	for _, n := range list {
		if n.Code == code {
			return true
		}
	}
	return false
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// showStages says how far a project has come. Its newest notices are pinned
// behind the one that names the project.
func showStages(ctx context.Context, c *call, s *screen) error {
	p, err := c.project(ctx, c.ids[0])
	if gone(err) {
		c.note += "没有查到这个项目的公告。"
		if err := backFromStages(ctx, c); err != nil {
			return err
		}
		return c.nodes[c.node].show(ctx, c, s)
	}
	if err != nil {
		return err
	}
	newest := newestOf(p)
	c.ids = c.ids[:1]
	labels := []string{}
	for _, n := range newest {
		c.ids = append(c.ids, n.Code)
		labels = append(labels, speech.Shorten(speech.Text(n.TypeName), titleLimit/2))
	}
	s.notices = c.ids[1:]
	intro := spokenProject(p) + "，" + lastDigits(p.Code) + "。最新进展是" + c.daySaid(newest[0].PublishedAt) + "的" + labels[0] + "。"
	if p.NextDeadline != nil {
		intro += "下一个时限是" + c.daySaid(p.NextDeadline) + timeSaid(*p.NextDeadline) + "。"
	}
	s.menu(intro+"收听", labels, c.backWords())
	return nil
}

// daySaid says the day of an instant, with its year unless that is the present one.
func (c *call) daySaid(at *string) string {
	t, err := disclosure.ParseInstant(deref(at))
	if err != nil {
		return ""
	}
	t = t.In(shanghai)
	if t.Year() != c.now.In(shanghai).Year() {
		return speech.Text(t.Format("2006年1月2日"))
	}
	return speech.Text(t.Format("1月2日"))
}

// timeSaid says the time of day of a deadline, nothing of one that ends with its day.
func timeSaid(at string) string {
	t, err := disclosure.ParseInstant(at)
	if t = t.In(shanghai); err != nil || t.Hour() == 23 && t.Minute() == 59 {
		return ""
	}
	return speech.Clock(t.Hour(), t.Minute())
}

func pressStages(ctx context.Context, c *call, key string) error {
	i, ok := pick(key, len(c.ids)-1)
	if !ok {
		c.refuse(wrongKey)
		return nil
	}
	c.typed = c.from // put by while one of the project's notices is read
	return c.openDetail(ctx, i+2)
}

// backFromStages returns to where the project was opened: to the batch, whose
// notice names it, to the choice among projects, or to the entry.
func backFromStages(_ context.Context, c *call) error {
	parent, choice, _ := strings.Cut(c.from, "_")
	switch parent {
	case nodeBatch:
		c.node, c.from, c.ids, c.chosen = nodeBatch, nodeHousing, c.ids[:1], 1
	case nodePick:
		c.callState = callState{node: nodePick, ids: strings.Split(choice, "_"), at: c.at, tries: c.tries}
	default:
		c.callState = callState{node: nodeProgress, at: c.at, tries: c.tries}
	}
	return nil
}
