package handlers

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/gofiber/fiber/v2"

	"gongkai/internal/disclosure"
	"gongkai/internal/speech"
	"gongkai/internal/workday"
)

// Spoken is a notice as the hotline and the kiosk say it: hanzi and punctuation
// only. Pages are the same text in pieces of at most 25 seconds.
type Spoken struct {
	Prompt string   `json:"prompt"`
	Pages  []string `json:"pages"`
}

const (
	pageLimit    = 100 // characters of a page: 25 seconds
	pagesLimit   = 8   // of one notice; the rest is for reading
	clauseLimit  = 60  // characters of one long value
	defaultTerms = 6   // fields said of a type without a sentence
	tableRows    = 3   // rows said of a table
)

// getSpeech returns the spoken form of a notice.
//
//	@Summary	公告的播报文本
//	@Tags		公告
//	@Param		id	path		string	true	"公告的 id 或 8 位编号"
//	@Success	200	{object}	Spoken
//	@Failure	404	{object}	Problem
//	@Failure	410	{object}	Problem	"已撤回"
//	@Router		/api/v1/notices/{id}/speech [get]
func (s *Server) getSpeech(c *fiber.Ctx) error {
	ref, err := noticeRef(c)
	if err == nil {
		err = readParams(c).err()
	}
	if err != nil {
		return err
	}
	return s.answered(c, speechKey(ref), s.fillSpeech(ref))
}

func speechKey(ref disclosure.NoticeRef) string { return "speech/" + ref.String() }

func (s *Server) fillSpeech(ref disclosure.NoticeRef) func(context.Context) (*disclosure.Answer, error) {
	return func(ctx context.Context) (*disclosure.Answer, error) {
		d, err := s.Reader.Notice(ctx, ref)
		if err != nil {
			return nil, err
		}
		a, err := jsonAnswer(spokenNotice(d), d.Reading)
		return s.classed(a, d.Catalog, d.Type, d.TypeVersion), err
	}
}

// spokenNotice says a notice: what it is, what it says, from whom and since
// when. Give it masked content only.
func spokenNotice(d disclosure.NoticeDetail) Spoken {
	t := typeOf(d.Catalog, d.Type, d.TypeVersion)
	parts := []string{speech.Text(d.Title)}
	switch {
	case d.Status == disclosure.StatusTerminated:
		parts = append(parts, "请注意，本公告已经终止")
	case d.SupersededBy != "":
		parts = append(parts, "本公告有过更正，以下是更正后的内容")
	}
	parts = append(parts, spokenFields(t, d.Fields))
	parts = append(parts, spokenOrigin(d))
	var whole strings.Builder
	for _, part := range parts {
		if part = strings.TrimRight(part, "，。；、："); part != "" {
			whole.WriteString(part + "。")
		}
	}
	pages := speech.Pages(whole.String(), pageLimit)
	if len(pages) > pagesLimit {
		pages = append(pages[:pagesLimit-1], "其余内容较长，请在网站、微信或者大厅自助终端查看全文。"+spokenOrigin(d)+"。")
	}
	return Spoken{Prompt: strings.Join(pages, ""), Pages: pages}
}

// spokenOrigin names the source and the day (注明信息来源).
func spokenOrigin(d disclosure.NoticeDetail) string {
	origin := "信息来源，" + speech.Text(d.Source.Name)
	if !d.PublishedAt.IsZero() {
		origin += "，发布日期，" + speech.Text(workday.DateOf(d.PublishedAt).String())
	}
	return origin
}

// spokenFields fills the type's sentence, or says the fields that matter.
func spokenFields(t *disclosure.NoticeType, values disclosure.Values) string {
	said := map[string]string{}
	for _, f := range t.Fields {
		said[f.Key] = spokenValue(t, f, values[f.Key])
	}
	if t.Speak != "" {
		return speech.Sentence(t.Speak, said)
	}
	template, terms := "", 0
	for _, f := range inOrderOfMatter(t) {
		if said[f.Key] != "" && terms < defaultTerms {
			template += speech.Text(f.Label) + "，{" + f.Key + "}。"
			terms++
		}
	}
	return speech.Sentence(template, said)
}

// inOrderOfMatter lists the deadline and the amount first, then the short
// fields, then long ones; addresses of the web and numbers of firms are left
// to the eye.
func inOrderOfMatter(t *disclosure.NoticeType) []disclosure.Field {
	var first, short, long []disclosure.Field
	for _, f := range t.Fields {
		switch {
		case f.Key == t.DeadlineField || f.Key == t.AmountField:
			first = append(first, f)
		case f.Kind == disclosure.FieldURL || f.Kind == disclosure.FieldUSCC:
		case f.Kind == disclosure.FieldLongText || f.Kind == disclosure.FieldTable || f.Kind == disclosure.FieldPhone:
			long = append(long, f)
		default:
			short = append(short, f)
		}
	}
	return append(append(first, short...), long...)
}

// spokenValue says one value: telephone numbers with pauses, codes with letters
// by their tail, tables by their first rows. Lists of persons are counted only.
func spokenValue(t *disclosure.NoticeType, f disclosure.Field, v any) string {
	rows, isTable := v.([]any)
	switch {
	case v == nil:
		return ""
	case isTable && t.Personal:
		return fmt.Sprintf("共%d户", len(rows))
	case isTable:
		return spokenTable(f, rows)
	case f.Kind == disclosure.FieldPhone:
		return speech.Digits(f.Display(v))
	case f.Kind == disclosure.FieldUSCC:
		return speech.Tail(f.Display(v))
	}
	text := f.Display(v)
	if utf8.RuneCountInString(text) > 4*clauseLimit { // a voice says only the beginning anyway
		text = string([]rune(text)[:4*clauseLimit])
	}
	said := strings.TrimRight(speech.Text(text), "。；，")
	if speech.Len(said) > clauseLimit {
		said = strings.TrimRight(speech.Shorten(said, clauseLimit), "，、；：。") + "，等"
	}
	return said
}

// spokenTable says the first rows, each by its first columns.
func spokenTable(f disclosure.Field, rows []any) string {
	var b strings.Builder
	for i, row := range rows[:min(len(rows), tableRows)] {
		cells, _ := row.(map[string]any)
		if len(rows) > 1 {
			fmt.Fprintf(&b, "第%d，", i+1)
		}
		n := 0
		for _, col := range f.Columns {
			text := col.Display(cells[col.Key])
			if text == "" || n == 4 || col.Kind == disclosure.FieldURL || col.Kind == disclosure.FieldUSCC {
				continue
			}
			if col.Kind != disclosure.FieldText && col.Kind != disclosure.FieldEnum {
				text = col.Label + text
			}
			b.WriteString(speech.Shorten(speech.Text(text), clauseLimit/2) + "，")
			n++
		}
	}
	if len(rows) > tableRows {
		fmt.Fprintf(&b, "等，共%d项", len(rows))
	}
	return strings.TrimRight(b.String(), "，")
}

// decodeAnswer reads a JSON answer of the read model.
func decodeAnswer(a *disclosure.Answer, v any) error {
	if err := json.Unmarshal(a.Body, v); err != nil {
		return fmt.Errorf("handlers: an answer of our own: %w", err)
	}
	return nil
}
