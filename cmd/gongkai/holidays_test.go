package main

import (
	"fmt"
	"strings"
	"testing"
)

// Every format of a year's holidays comes in by the same command; half a table
// does not, and a year that is known already changes nothing.
func TestHolidaysImport(t *testing.T) {
	dir := t.TempDir()
	event := func(first, after, says string) string {
		return fmt.Sprintf("BEGIN:VEVENT\r\nUID:%s@x\r\nDTSTAMP:20271101T000000Z\r\nDTSTART;VALUE=DATE:%s\r\nDTEND;VALUE=DATE:%s\r\nSUMMARY:%s\r\nEND:VEVENT\r\n",
			first, first, after, says)
	}
	calendar := "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\n" + event("20280101", "20280104", "元旦 休") + event("20280122", "20280123", "春节 班") +
		event("20280125", "20280201", "春节 休") + event("20280404", "20280405", "清明节 休") + event("20280501", "20280506", "劳动节 休") +
		event("20280528", "20280530", "端午节 休") + event("20281001", "20281009", "国庆节 休") + "END:VCALENDAR\r\n"
	circular := "国务院办公厅关于2027年\n部分节假日安排的通知\n一、元旦：1月1日（周五）至3日（周日）放假，共3天。\n" +
		"二、春节：2月5日（农历除夕、周五）至11日（周四）放假调休，共7天。1月31日（周日）、2月14日（周日）上班。\n三、清明节：4月3日至5日放假，共3天。\n" +
		"四、劳动节：5月1日至3日放假，共3天。\n五、端午节：6月9日放假。\n六、中秋节：9月15日放假。\n七、国庆节：10月1日至7日放假调休，共7天。10月9日（周六）上班。"
	for name, tt := range map[string]struct {
		file, text string
		code       int
		want       []string
	}{
		"a circular":      {"2027.txt", circular, exitOK, []string{"2027 年：249 个工作日，已导入", "重新计算了 0 条"}},
		"a calendar file": {"2028.ics", calendar, exitOK, []string{"2028 年：", "已导入"}},
		"half a table":    {"2029.json", `{"year":2029,"source":"x","off":["2029-01-01"],"work":[]}`, exitFaulty, []string{"内容不全"}},
		"no table":        {"notes.txt", "明年再说", exitFaulty, []string{"没有找到“…年部分节假日安排”"}},
	} {
		if out, code := run(t, nil, "holidays", "import", write(t, tt.file, tt.text), "--data", dir); code != tt.code || !containsAll(out, tt.want) {
			t.Errorf("%s: exit %d, %s", name, code, out)
		}
	}
	if out, code := run(t, nil, "holidays", "import", write(t, "again.txt", circular), "--data", dir); code != exitOK || !strings.Contains(out, "没有变化") {
		t.Errorf("imported again: exit %d, %s", code, out)
	}
	if out, code := run(t, nil, "holidays", "show", "2028", "--data", dir); code != exitOK || !containsAll(out, []string{"导入的文件 2028.ics", "2028-01-22", "上班"}) {
		t.Errorf("show: exit %d, %s", code, out)
	}
	if out, code := run(t, nil, "holidays", "show", "2029", "--data", dir); code != exitOK || !strings.Contains(out, "尚未公布") {
		t.Errorf("a year that was refused: exit %d, %s", code, out)
	}
}

func containsAll(s string, parts []string) bool {
	for _, p := range parts {
		if !strings.Contains(s, p) {
			return false
		}
	}
	return true
}
