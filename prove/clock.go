package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// clockJumps moves the clock of a demo ahead by an hour again and again, over the
// leap day of 2028 and beyond 2038, and looks whether a scheduled notice comes
// when it is due and its card to everybody, once.
func clockJumps(ctx context.Context, l *lab) (outcome, error) {
	h, err := l.hall(ctx, 3)
	if err != nil {
		return outcome{}, err
	}
	now := func() (time.Time, error) {
		var out struct{ Now time.Time }
		return out.Now, h.do(ctx, "GET", "/demo/sim/clock", nil, &out)
	}
	var wrong []string
	tried := 0
	for _, at := range []string{"", "2028-02-28T23:30:00+08:00", "2028-02-29T23:30:00+08:00", "2031-12-31T23:30:00+08:00", "2037-12-31T23:30:00+08:00", "2038-01-19T10:44:00+08:00"} {
		if at != "" {
			if err := h.do(ctx, "POST", "/demo/sim/clock", object{"at": at}, nil); err != nil {
				return outcome{}, err
			}
		}
		begun, err := now()
		if err != nil {
			return outcome{}, err
		}
		// Due in two hours: an hour's jump is too early, two are not.
		due := begun.Add(2 * time.Hour)
		n, err := h.schedule(ctx, due)
		if err != nil {
			return outcome{}, fmt.Errorf("at %s: %w", begun, err)
		}
		status := func() int {
			return load{}.get(http.DefaultClient, h.node, "/api/v1/notices/"+n.code).status
		}
		if err := h.pass(ctx, time.Hour); err != nil {
			return outcome{}, err
		}
		wait(ctx, 2*time.Second)
		if status() == http.StatusOK {
			wrong = append(wrong, begun.Format(time.DateTime)+": public an hour early")
		}
		if err := h.pass(ctx, time.Hour+time.Second); err != nil {
			return outcome{}, err
		}
		got := map[string]int{}
		for deadline := time.Now().Add(20 * time.Second); len(got) < len(h.people) && time.Now().Before(deadline); wait(ctx, 100*time.Millisecond) {
			if got, err = h.count(ctx, n); err != nil {
				return outcome{}, err
			}
		}
		if status() != http.StatusOK || len(got) != len(h.people) {
			wrong = append(wrong, fmt.Sprintf("%s: page %d, cards to %d of %d", begun.Format(time.DateTime), status(), len(got), len(h.people)))
		}
		for _, cards := range got {
			if cards != 1 {
				wrong = append(wrong, fmt.Sprintf("%s: %d cards", begun.Format(time.DateTime), cards))
			}
		}
		tried++
	}
	return outcome{figure: fmt.Sprintf("%d scheduled notices, of 2026 to 2038; wrong: %s", tried, listed(wrong)), mark: "nowhere: no early, late, missing or second card",
		passed: len(wrong) == 0 && tried == 6}, nil
}

// schedule releases a notice for later.
func (h *hall) schedule(ctx context.Context, at time.Time) (notice, error) {
	title := fmt.Sprintf("第%d号定时公告", h.office.serial.Add(1))
	if err := h.office.learn(ctx, h.node, ""); err != nil { // the examples are of today
		return notice{}, err
	}
	var made struct{ ID, Code, Title string }
	if err := h.office.call(ctx, h.node, "POST", "/api/v1/staff/notices", h.office.editor, h.office.draft(tender, title), http.StatusCreated, &made); err != nil {
		return notice{}, err
	}
	path := "/api/v1/staff/notices/" + made.ID
	if err := h.office.call(ctx, h.node, "POST", path+"/submit", h.office.editor, object{}, http.StatusOK, nil); err != nil {
		return notice{}, err
	}
	return notice{made.ID, made.Code, made.Title}, h.office.call(ctx, h.node, "POST", path+"/publish", h.office.reviewer, object{"publish_at": at.Format(time.RFC3339)}, http.StatusOK, nil)
}

// privacyCheck enters drafts that hold ID numbers, in text and in files, among
// drafts that only look so.
func privacyCheck(ctx context.Context, l *lab) (outcome, error) {
	_, n, o, err := l.alone(ctx)
	if err != nil {
		return outcome{}, err
	}
	amount := l.form.pick(30, 300, 2000)
	missed, alarms, planted, innocent := 0, 0, 0, 0
	for i := range amount {
		bad := i%2 == 0
		text := "联系编号" + l.nearMiss()
		if bad {
			text = "身份证号" + l.madeUpID()
		}
		draft := o.draft(tender, fmt.Sprintf("第%d号道路工程招标公告", i))
		switch i / 2 % 3 {
		case 0:
			draft["body_html"] = "<p>" + text + "</p>"
		case 1:
			file, err := o.upload(ctx, n, pdfOf(text))
			if err != nil {
				return outcome{}, err
			}
			draft["attachments"] = []string{file}
		case 2:
			draft["summary"] = text
		}
		var made struct{ ID string }
		if err := o.call(ctx, n, "POST", "/api/v1/staff/notices", o.editor, draft, http.StatusCreated, &made); err != nil {
			return outcome{}, err
		}
		err := o.call(ctx, n, "POST", "/api/v1/staff/notices/"+made.ID+"/submit", o.editor, object{}, http.StatusOK, nil)
		stopped := err != nil && strings.Contains(err.Error(), "422")
		switch {
		case err != nil && !stopped:
			return outcome{}, err
		case bad:
			if planted++; !stopped {
				missed++
			}
		default:
			if innocent++; stopped {
				alarms++
			}
		}
	}
	return outcome{figure: fmt.Sprintf("of %d planted numbers %d missed; %d false alarms in %d near-misses", planted, missed, alarms, innocent),
		mark: "0 missed; ≤ 1 % false", passed: missed == 0 && alarms*100 <= innocent && planted > 0}, nil
}

// nearMiss is a number of 18 digits whose check digit is wrong.
func (l *lab) nearMiss() string {
	id := []byte(l.madeUpID())
	last := id[17]
	for id[17] == last || id[17] == 'X' {
		id[17] = byte('0' + l.rand.IntN(10))
	}
	return string(id)
}

// pdfOf is a PDF whose only page shows the digits of a text.
func pdfOf(text string) string {
	digits := strings.Map(func(r rune) rune {
		if r < 128 {
			return r
		}
		return ' '
	}, text)
	stream := "BT /F1 12 Tf 72 700 Td (" + digits + ") Tj ET"
	objects := []string{"<< /Type /Catalog /Pages 2 0 R >>", "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
		"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>",
		fmt.Sprintf("<< /Length %d >>\nstream\n%s\nendstream", len(stream), stream), "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"}
	var b strings.Builder
	b.WriteString("%PDF-1.4\n")
	var offsets []int
	for i, o := range objects {
		offsets = append(offsets, b.Len())
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", i+1, o)
	}
	start := b.Len()
	fmt.Fprintf(&b, "xref\n0 %d\n0000000000 65535 f \n", len(objects)+1)
	for _, at := range offsets {
		fmt.Fprintf(&b, "%010d 00000 n \n", at)
	}
	fmt.Fprintf(&b, "trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n", len(objects)+1, start)
	return b.String()
}
