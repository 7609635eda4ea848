package handlers_test

import (
	"bytes"
	"encoding/base64"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"gongkai/internal/disclosure"
)

// A number that is personal stops a notice until a second person lets it pass,
// for the content they have seen and no other, and no answer repeats it.
func TestPrivacyGate(t *testing.T) {
	w := start(t)
	const wideID = "３２０９０２１９９００１０１０００６"
	draft := w.draft(t, tender, "行政处罚公告", object{"body_html": "<p>当事人身份证号 <b>320902</b>19900101-0006，住址略。</p>"})
	created := w.create(t, draft)
	id := created.text("id")
	at := "/api/v1/staff/notices/" + id

	refused := w.call(t, "POST", at+"/submit", opts{as: "editor", want: 422})
	if refused.text("errors.0.field") != "body_html" || refused.text("errors.0.code") != "privacy.id_number" {
		t.Errorf("submit: %s", refused.body)
	}
	if acknowledged := w.call(t, "POST", at+"/submit", opts{as: "editor", body: object{"acknowledge": []any{"privacy.id_number"}, "reason": "确认"}, want: 422}); acknowledged.len("errors") != 1 {
		t.Errorf("acknowledging is not enough: %s", acknowledged.body)
	}
	preview := w.call(t, "GET", at+"/preview", opts{as: "editor"})
	if preview.text("checks.0.code") != "privacy.id_number" || preview.at("checks.0.warning") != false {
		t.Errorf("preview: %v", preview.at("checks"))
	}
	for _, r := range []reply{refused} {
		if r.holds("320902") || r.holds("0006") {
			t.Errorf("the answer repeats the number: %s", r.body)
		}
	}

	override := func(who string, body any, want int) reply {
		return w.call(t, "POST", at+"/privacy-override", opts{as: who, body: body, want: want})
	}
	because := object{"reason": "行政处罚决定依法公开当事人"}
	override("editor", because, 403)
	override("editor-as-reviewer", because, 403)
	override("auditor", because, 403)
	override("housing-reviewer", because, 403)
	override("reviewer", object{"reason": " "}, 422)
	if r := override("reviewer", object{"reason": "号码是" + wideID}, 422); r.holds(wideID) {
		t.Errorf("the answer repeats the number: %s", r.body)
	}
	passed := override("reviewer", because, 200)
	if passed.text("privacy_override.by") != "王核验" || passed.text("privacy_override.reason") != "行政处罚决定依法公开当事人" || passed.text("status") != "draft" {
		t.Errorf("override: %s", passed.body)
	}
	if checks := w.call(t, "GET", at+"/preview", opts{as: "editor"}); checks.at("checks.0.warning") != true {
		t.Errorf("preview after the override: %v", checks.at("checks"))
	}

	// It was for that revision.
	w.call(t, "PUT", at, opts{as: "editor", body: w.draft(t, tender, "行政处罚公告 "+wideID)})
	if again := w.call(t, "POST", at+"/submit", opts{as: "editor", want: 422}); again.text("errors.0.field") != "title" || again.holds(wideID) {
		t.Errorf("submit after an edit: %s", again.body)
	}
	override("reviewer", because, 200)
	w.step(t, "editor", id, "submit", nil)
	w.step(t, "reviewer", id, "publish", nil)
	w.get(t, "/api/v1/notices/"+id)

	rows := w.call(t, "GET", "/api/v1/staff/audit?id="+id, opts{as: "auditor"})
	if got := rows.texts("items", "action"); !slices.Contains(got, "privacy_override") || rows.holds("依法公开") {
		t.Errorf("audit: %s", rows.body)
	}
	if public := w.get(t, "/api/v1/notices/"+id); public.holds("行政处罚决定依法公开当事人") {
		t.Error("the public reads the reason of the override")
	}
}

// What the type masks needs nobody's leave, and is gone when it is published.
func TestMaskedListsPassTheGate(t *testing.T) {
	w := start(t)
	draft := w.draft(t, housing, "2026年第一批公共租赁住房分配结果公示")
	row := draft["fields"].(object)["allocation_results"].([]any)[0].(object)
	row["applicant"], row["id_number"] = "慕容青山", otherID
	created := w.create(t, draft)
	id := created.text("id")
	w.step(t, "editor", id, "submit", nil)
	if len(w.inFiles(t, otherID, "慕容青山")) == 0 {
		t.Fatal("the test looks for what was never there")
	}
	published := w.step(t, "reviewer", id, "publish", nil)
	n := w.get(t, "/api/v1/notices/"+id)
	for _, r := range []reply{published, n} {
		if r.holds(otherID) || r.holds("青山") || r.holds("19491231") {
			t.Errorf("a masked value is public: %s", r.body)
		}
	}
	if !n.holds("1101************2X") || !n.holds("慕容**") {
		t.Errorf("the list is not masked: %s", n.body)
	}
	if leaks := w.inFiles(t, otherID, "慕容青山"); len(leaks) > 0 {
		t.Errorf("the originals are still in %v", leaks)
	}
}

// otherID is a number that no example has: the examples are in the database
// with the types.
const otherID = "11010519491231002X"

// inFiles names the words that are in the database's files: the file, the log,
// and what else lies beside them. Strings may be split by a page's end, so the
// words should be short.
func (w *world) inFiles(t *testing.T, words ...string) []string {
	t.Helper()
	var found []string
	for _, suffix := range []string{"", "-wal", "-journal"} {
		data, err := os.ReadFile(w.store.File() + suffix)
		if os.IsNotExist(err) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, word := range words {
			if bytes.Contains(data, []byte(word)) {
				found = append(found, word+" in gongkai.db"+suffix)
			}
		}
	}
	return found
}

// Files are read when they are uploaded. What is in them stops a notice like
// what is in its text; what nobody can read needs the second person's look.
func TestPrivacyGateReadsFiles(t *testing.T) {
	w := start(t)
	png, err := base64.StdEncoding.DecodeString("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")
	if err != nil {
		t.Fatal(err)
	}
	submit := func(title, name, data string, want int) (string, reply) {
		file := w.upload(t, "editor", name, data)
		id := w.create(t, w.draft(t, tender, title, object{"attachments": []any{file.text("id")}})).text("id")
		return id, w.call(t, "POST", "/api/v1/staff/notices/"+id+"/submit", opts{as: "editor", want: want})
	}
	_, r := submit("附有名单的公告", "名单.csv", "序号,申请人,证件号\n1,王小明,"+idNumber+"\n2,李示范,无\n", 422)
	if got := r.texts("errors", "code"); !slices.Equal(got, []string{"privacy.name", "privacy.id_number"}) || r.holds(idNumber) || r.holds("王小明") || !r.holds("第 2 行") {
		t.Errorf("a list in a file: %s", r.body)
	}
	_, r = submit("文件名含号码的公告", idNumber+".txt", "无", 422)
	if r.text("errors.0.code") != "privacy.id_number" || r.holds(idNumber) {
		t.Errorf("a file's name: %s", r.body)
	}
	submit("附有说明的公告", "说明.txt", "联系电话：0515-88880001", 200)

	id, _ := submit("附有图片的公告", "附图.png", string(png), 200)
	at := "/api/v1/staff/notices/" + id
	unread := w.call(t, "POST", at+"/publish", opts{as: "reviewer", want: 422})
	if unread.text("code") != "notice.warnings" || unread.text("errors.0.code") != "privacy.unreadable" {
		t.Errorf("a picture: %s", unread.body)
	}
	w.call(t, "POST", at+"/publish", opts{as: "reviewer", body: object{"acknowledge": []any{"privacy.unreadable"}, "reason": "已看过，是位置图"}})
}

// A mobile as the contact is a warning: the office number is better.
func TestContactMobile(t *testing.T) {
	w := start(t)
	draft := w.draft(t, tender, "道路工程招标公告")
	draft["fields"].(object)["contact_phone"] = "13800000000"
	id := w.create(t, draft).text("id")
	at := "/api/v1/staff/notices/" + id
	if r := w.call(t, "POST", at+"/submit", opts{as: "editor", want: 422}); r.text("code") != "notice.warnings" || r.text("errors.0.code") != "privacy.mobile" || r.holds("13800000000") {
		t.Errorf("submit: %s", r.body)
	}
	w.call(t, "POST", at+"/submit", opts{as: "editor", body: object{"acknowledge": []any{"privacy.mobile"}, "reason": "值班手机"}})
}

// A correction goes through the privacy check with what it makes of its original.
func TestPrivacyGateReadsCorrections(t *testing.T) {
	w := start(t)
	id := w.publish(t, w.draft(t, tender, "道路工程招标公告")).text("id")
	c := w.call(t, "POST", "/api/v1/staff/notices/"+id+"/correct", opts{as: "editor", want: 201,
		body: object{"changes": object{"body_html": "<p>请联系王小明 " + idNumber + "</p>"}, "reason": "补充"}})
	r := w.call(t, "POST", "/api/v1/staff/notices/"+c.text("id")+"/submit", opts{as: "editor", want: 422})
	if got := r.texts("errors", "field"); !slices.Contains(got, "changes.body_html") || r.holds(idNumber) {
		t.Errorf("submit: %s", r.body)
	}
	if r := w.call(t, "POST", "/api/v1/staff/notices/"+id+"/withdraw", opts{as: "reviewer", body: object{"reason": "误发了" + idNumber}, want: 422}); r.holds(idNumber) ||
		r.text("errors.0.field") != "reason" {
		t.Errorf("a reason that repeats the number: %s", r.body)
	}
}

const lookup = "/api/v1/housing/lookup"

func asked(batch, number, tail string) object {
	return object{"batch": batch, "acceptance_no": number, "id_tail": tail}
}

// People find their own row, masked, and learn nothing by trying.
func TestHousingLookup(t *testing.T) {
	w := start(t)
	const batch, number = "2026年第一批", "TH20260018"
	w.call(t, "POST", lookup, opts{body: asked(batch, number, "0006"), want: 404})
	draft := w.draft(t, housing, "分配结果公示")
	rows := draft["fields"].(object)["allocation_results"].([]any)
	second := object{}
	maps.Copy(second, rows[0].(object))
	second["acceptance_no"], second["applicant"], second["id_number"] = "TH20260019", "李青山", otherID
	draft["fields"].(object)["allocation_results"] = append(rows, second)
	id := w.create(t, draft).text("id")
	w.step(t, "editor", id, "submit", nil)
	w.call(t, "POST", lookup, opts{body: asked(batch, number, "0006"), want: 404})
	published := w.step(t, "reviewer", id, "publish", nil)

	mine := w.call(t, "POST", lookup, opts{body: asked(" 2026年第一批", "th20260018", "０００６"), want: 200})
	if mine.header.Get("Cache-Control") != "private, no-store" || mine.text("notice.id") != id || mine.holds(idNumber) || mine.holds("王小明") || mine.holds("李") ||
		!slices.Contains(mine.texts("row", "display"), "王**") || !slices.Contains(mine.texts("row", "display"), "3209************06") {
		t.Errorf("one's own row: %v %s", mine.header, mine.body)
	}
	if other := w.call(t, "POST", lookup, opts{body: asked(published.text("code"), "TH20260019", "002x"), want: 200}); !other.holds("李**") || other.holds("王") {
		t.Errorf("by the notice's code: %s", other.body)
	}
	var miss string
	for _, q := range []object{asked(batch, number, "0007"), asked(batch, "TH20260019", "0006"), asked(batch, "TH99999999", "0006"), asked("2026年第九批", number, "0006")} {
		r := w.call(t, "POST", lookup, opts{body: q, want: 404})
		text := strings.Replace(string(r.body), r.text("request_id"), "", 1)
		if miss != "" && text != miss || r.text("code") != "housing.no_match" {
			t.Errorf("%v = %s, want %s", q, text, miss)
		}
		miss = text
	}
	for _, bad := range []any{asked("", number, "0006"), asked(batch, "", "0006"), asked(batch, number, "06"), asked(batch, number, "abcd"), nil,
		object{"batch": batch, "acceptance_no": number, "id_tail": "0006", "name": "王小明"}} {
		w.call(t, "POST", lookup, opts{body: bad, want: 400})
	}
	w.call(t, "GET", lookup, opts{want: 405})
	if leaks := w.inFiles(t, otherID, "李青山"); len(leaks) > 0 {
		t.Errorf("the database holds %v", leaks)
	}

	// A correction that takes a row away takes the lookup with it, and one that
	// writes a row anew makes its own; the rest are found as before.
	w.advance(2 * time.Hour)
	kept, changed := rows[0].(object), object{}
	maps.Copy(changed, second)
	kept["applicant"], kept["id_number"] = "王**", "3209************06"
	changed["acceptance_no"], changed["id_number"] = "TH20260020", "320902199001010014"
	w.amended(t, id, "correct", object{"changes": object{"fields": object{"allocation_results": []any{kept, changed}}}, "reason": "受理编号有误"})
	w.call(t, "POST", lookup, opts{body: asked(batch, number, "0006"), want: 200})
	w.call(t, "POST", lookup, opts{body: asked(batch, "TH20260019", "002X"), want: 404})
	w.call(t, "POST", lookup, opts{body: asked(batch, "TH20260020", "0014"), want: 200})

	w.advance(2 * time.Hour)
	w.step(t, "reviewer", id, "withdraw", object{"reason": "名单有误"})
	w.call(t, "POST", lookup, opts{body: asked(batch, number, "0006"), want: 404})
}

// Numbers cannot be tried: neither many ends of one number from anywhere, nor
// many numbers by one client.
func TestHousingLookupIsLimited(t *testing.T) {
	w := start(t)
	w.publish(t, w.draft(t, housing, "分配结果公示"))
	tries := 0
	for ; tries < 100; tries++ {
		r := w.call(t, "POST", lookup, opts{body: asked("2026年第一批", "TH20260018", "1"+string(rune('0'+tries/10%10))+string(rune('0'+tries%10))+"1"), want: anyStatus})
		if r.status == 429 {
			if r.header.Get("Retry-After") == "" {
				t.Error("429 without Retry-After")
			}
			break
		}
	}
	if tries > 10 {
		t.Errorf("%d ends of one number were tried", tries)
	}
	if r := w.call(t, "POST", lookup, opts{body: asked("2026年第一批", "TH20260018", "0006"), want: anyStatus}); r.status != 429 {
		t.Errorf("the right end, after too many wrong ones = %d", r.status)
	}
	limited := false
	for i := range 30 {
		r := w.call(t, "POST", lookup, opts{body: asked("2026年第一批", "TH3026"+string(rune('A'+i)), "0006"), want: anyStatus})
		limited = limited || r.status == 429
	}
	if !limited {
		t.Error("a client tried 30 numbers")
	}
	w.advance(time.Hour)
	w.call(t, "POST", lookup, opts{body: asked("2026年第一批", "TH20260018", "0006"), want: 200})
}

// A list of persons leaves the public by itself when its time is over, with what
// amends it, and stays for those who check.
func TestListsExpire(t *testing.T) {
	w := start(t)
	id := w.publish(t, w.draft(t, housing, "分配结果公示")).text("id")
	other := w.publish(t, w.draft(t, tender, "道路工程招标公告")).text("id")
	c := w.amended(t, id, "correct", object{"changes": object{"title": "分配结果公示（更正）"}, "reason": "标题有误"}).text("id")
	begin := w.Now()
	for _, step := range []struct {
		days, expired, status int
	}{{0, 0, 200}, {30, 0, 200}, {31, 1, 410}, {400, 0, 410}} {
		w.advance(begin.AddDate(0, 0, step.days).Sub(w.Now()))
		n, err := w.service.ExpireDue(t.Context())
		if err != nil || n != step.expired {
			t.Errorf("day %d: ExpireDue() = %d, %v, want %d", step.days, n, err, step.expired)
		}
		if err := w.cache.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.call(t, "GET", "/api/v1/notices/"+id, opts{want: step.status})
		w.call(t, "GET", "/api/v1/notices/"+c, opts{want: step.status})
	}
	gone := w.call(t, "GET", "/api/v1/notices/"+id, opts{want: 410})
	if !strings.Contains(gone.text("detail"), "公示期已满") || gone.holds("王**") {
		t.Errorf("tombstone: %s", gone.body)
	}
	w.call(t, "POST", lookup, opts{body: asked("2026年第一批", "TH20260018", "0006"), want: 404})
	w.get(t, "/api/v1/notices/"+other)
	kept := w.call(t, "GET", "/api/v1/staff/notices/"+id, opts{as: "auditor"})
	if kept.text("status") != "withdrawn" || !kept.holds("王**") || kept.at("erased") != false {
		t.Errorf("for the auditor: %s", kept.body)
	}
	w.call(t, "POST", "/api/v1/staff/notices/"+id+"/withdraw", opts{as: "reviewer", body: object{"reason": "到期清除", "erase": true}})
	if leaks := w.inFiles(t, "3209************06"); len(leaks) > 0 {
		t.Errorf("after the erasure: %v", leaks)
	}
}

// What is erased is in no file any more, and the receipt says from where it was
// taken.
func TestErasureLeavesNothing(t *testing.T) {
	w := start(t)
	const secret = "朱雀玄武"
	file := w.upload(t, "editor", secret+".txt", "附件内容："+secret+"附")
	draft := w.draft(t, tender, secret+"工程招标公告", object{"summary": secret + "摘要", "body_html": "<p>" + strings.Repeat(secret+"正文。", 2000) + "</p>",
		"attachments": []any{file.text("id")}, "project": object{"code": "E9", "name": secret + "项目"}})
	id := w.create(t, draft).text("id")
	w.step(t, "editor", id, "submit", object{"reason": secret})
	w.step(t, "reviewer", id, "reject", object{"comment": secret + "意见"})
	w.step(t, "editor", id, "submit", nil)
	w.step(t, "reviewer", id, "publish", nil)
	w.amended(t, id, "correct", object{"changes": object{"title": secret + "工程招标公告（更正）"}, "reason": secret + "理由"})
	w.call(t, "POST", "/api/v1/staff/notices/"+id+"/correct", opts{as: "editor", want: 201,
		body: object{"changes": object{"summary": secret + "再改"}, "reason": "起草中"}})
	w.get(t, "/api/v1/notices/"+id)
	w.get(t, "/api/v1/notices?q=%E6%9C%B1%E9%9B%80")
	if len(w.inFiles(t, secret)) == 0 {
		t.Fatal("the test looks for what was never there")
	}
	gone := w.step(t, "reviewer", id, "withdraw", object{"reason": "含有不宜公开的内容", "erase": true})
	if leaks := w.inFiles(t, secret, "朱雀", "玄武"); len(leaks) > 0 {
		t.Errorf("after the erasure: %v", leaks)
	}
	counts := map[string]int{}
	places, _ := gone.at("purged").([]any)
	for i, p := range places {
		row := p.(object)
		counts[row["place"].(string)] = gone.number("purged." + strconv.Itoa(i) + ".count")
		if row["done"] != true || row["name"] == row["place"] || row["at"] != disclosure.FormatInstant(w.Now()) {
			t.Errorf("receipt: %v", row)
		}
	}
	for place, least := range map[string]int{"revision": 2, "draft": 1, "step": 2, "search": 2, "attachment": 1, "upload": 1, "file_name": 1,
		"file_scan": 1, "memory": 1, "log": 1} {
		if counts[place] < least {
			t.Errorf("receipt: %s = %v, want at least %v", place, counts[place], least)
		}
	}
	if again := w.call(t, "GET", "/api/v1/staff/notices/"+id, opts{as: "auditor"}); again.len("purged") != len(places) {
		t.Errorf("the receipt is not kept: %v", again.at("purged"))
	}
}
