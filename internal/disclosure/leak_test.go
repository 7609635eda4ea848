package disclosure

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestFindLeaks(t *testing.T) {
	const id, x, old = "320902199001010006", "11010519491231002X", "320902900101001"
	tests := []struct {
		name string
		text string
		want string // kinds, "?" after a private one and "!" after a contact
	}{
		{"nothing", "亭湖区盐东镇东闸路道路改造工程施工招标公告", ""},
		{"empty", "", ""},
		{"ID in a sentence", "申请人身份证号码为" + id + "，已核对。", "id_number"},
		{"ID with X", "证件" + x, "id_number"},
		{"with a small x", "证件" + strings.ToLower(x), "id_number"},
		{"ID after letters", "ID" + id, "id_number"},
		{"ID before letters", id + "abc", "id_number"},
		{"ID numbered in a list", "1." + id + ",2." + x, "id_number id_number"},
		{"ID of 15 digits", "证件" + old + "。", "id_number"},
		{"full-width digits", "３２０９０２１９９００１０１０００６", "id_number"},
		{"full width with X", "１１０１０５１９４９１２３１００２Ｘ", "id_number"},
		{"mathematical digits", "𝟑𝟐𝟎𝟗𝟎𝟐𝟏𝟗𝟗𝟎𝟎𝟏𝟎𝟏𝟎𝟎𝟎𝟔", "id_number"},
		{"half and half", "320902１９９００１０１0006", "id_number"},
		{"in three parts", "320902 19900101 0006", "id_number"},
		{"with dashes", "320902-19900101-0006", "id_number"},
		{"with long dashes", "320902—19900101—0006", "id_number"},
		{"with no-break and wide blanks", "320902\u00a019900101\u30000006", "id_number"},
		{"in fours", "3209 0219 9001 0100 06", "id_number"},
		{"letter-spaced", strings.Join(strings.Split(id, ""), " "), "id_number"},
		{"letter-spaced with X", strings.Join(strings.Split(x, ""), " "), "id_number"},
		{"zero-width characters between", "320902\u200b1990\ufeff0101\u00ad0006", "id_number"},
		{"broken across lines", "号码 3209021990\n01010006 有效", "id_number"},
		{"after another number", "1 " + id, "id_number"},
		{"residence permit of Hong Kong", "810000199408230021", "id_number"},
		{"card for permanent residence", "911124198108030024", "id_number"},
		{"masked", "3209************06", ""},
		{"wrong check digit", "编号320902199001010007", ""},
		{"cut by a spreadsheet", "320902199001010000", "id_number"},
		{"a project code of a like form", "320902202611231000", ""},
		{"no such month", "320902199013010000", ""},
		{"no such province", "990902199001010006", ""},
		{"inside a longer number", "1" + id, ""},
		{"as part of a longer number", id + "12", ""},
		{"credit code", "91320902MA1X2Y3Z4W", ""},
		{"project code", "E3209020001000001001", ""},
		{"investment project code", "2018-320902-47-03-512345", ""},
		{"trade code", "A01-11320902014000000X-20261123-000001-K", ""},
		{"amount", "预算金额 13,800,000,000.00 元，控制价13800000000元", ""},

		{"mobile", "王小明 13800000000", "mobile"},
		{"mobile with blanks", "138 0000 0000", "mobile"},
		{"mobile with dashes", "138-0000-0000", "mobile"},
		{"mobile, letter-spaced", "1 3 8 0 0 0 0 0 0 0 0", "mobile"},
		{"mobile in full width", "１３８００００００００", "mobile"},
		{"mobile with the country", "+86 13800000000、8613912345678", "mobile mobile"},
		{"mobiles side by side", "13800000000,13912345678", "mobile mobile"},
		{"contact line", "联系人：张工，电话：13800000000", "mobile!"},
		{"contact in a form", "联系电话\t13800000000", "mobile!"},
		{"office phone", "联系电话：0515-88880001，传真 051588880002", ""},
		{"hotline", "咨询电话 12345 400-888-1234", ""},
		{"letters before", "合同编号 TH13800000000", ""},
		{"no such prefix", "12800000000", ""},

		{"bank card", "6222021234567890128", "bank_card"},
		{"bank card in fours", "6222 0212 3456 7890 128", "bank_card"},
		{"wrong Luhn digit", "6222021234567890123", ""},
		{"another card where it says so", "卡号：4111111111111111", "bank_card"},
		{"the same number otherwise", "凭证 4111111111111111", ""},
		{"company account", "保证金账户：32001628736052501234", ""},

		{"passport", "护照号码：E12345678", "passport"},
		{"new passport", "护照号：EA1234567", "passport"},
		{"permit", "港澳通行证 C12345678", "passport"},
		{"a code like a passport", "合同编号：E12345678", ""},

		{"home", "家庭住址：亭湖区盐东镇东南村三组18号", "address"},
		{"home to the community", "家庭住址：亭湖区五星街道新洋社区", ""},
		{"a room anywhere", "和悦家园3号楼2单元502室", "address?"},
		{"an office room", "递交地址：世纪大道21号行政中心3号楼502室", ""},
		{"an office", "地址：盐城市亭湖区示范路8号", ""},

		{"column of applicants", "序号\t申请人\t受理编号\n1\t王小明\tTH1\n2\t欧阳修文\tTH2", "name name"},
		{"column of names in a household list", "姓名\t身份证号\n王小明\t3209************06", "name"},
		{"column of names", "姓名\t职称\n王小明\t高级工程师", "name?"},
		{"column of names with more to it", "选房人姓名\t房号\n王小明\t一", "name?"},
		{"column of managers' names", "项目经理姓名\t身份证号\n王小明\t略", ""},
		{"column of masked names", "申请人\t结果\n王**\t符合\n欧阳*\t符合", ""},
		{"column of firms", "申请人名称\t结果\n江苏示例建设有限公司\t合格", ""},
		{"firms among applicants", "申请人\t结果\n江苏示例建设有限公司\t合格", ""},
		{"dotted name", "户主\t人口\n阿卜杜拉·买买提\t3", "name"},
		{"label of a column", "姓名\t护照号码\n李示范\tE12345678", "name? passport"},
		{"cell of a column of homes", "户主\t家庭住址\n王**\t盐东镇东南村三组18号", "address"},
		{"ID in a cell", "序号\t备注\n1\t" + id + "\n", "id_number"},
		{"IDs in neighbouring cells", id + "\t" + x, "id_number id_number"},
		{"a slip in a column of IDs", "户主\t身份证号\n王**\t320902199001010007\n李*\t32090219900101006\n", "id_number id_number"},
		{"masked in a column of IDs", "户主\t身份证号\n王**\t320902XXXXXXXX0006\n李*\t3209**********0006\n赵*\t0006\n", ""},
		{"a credit code in a column of numbers", "投标人\t证件号码\n江苏示例建设有限公司\t91320902MA0000015Y\n", ""},
		{"the kind of a document", "申请人\t证件类型\n王**\t320902199001010007\n", ""},
		{"halves in two cells", "320902199\t001010006", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, l := range FindLeaks(tt.text) {
				kind := string(l.Kind)
				if l.Contact {
					kind += "!"
				}
				if l.Private {
					kind += "?"
				}
				got = append(got, kind)
			}
			if s := strings.Join(got, " "); s != tt.want {
				t.Errorf("FindLeaks(%q) = %q, want %q", tt.text, s, tt.want)
			}
		})
	}
}

// maker makes up documents.
type maker struct{ *rand.Rand }

func (m maker) pick(list ...string) string { return list[m.IntN(len(list))] }

func (m maker) digits(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte('0' + m.IntN(10))
	}
	return string(b)
}

// id makes a number with a right check digit.
func (m maker) id() string {
	place := m.pick("110101", "310115", "320902", "320903", "320981", "440304", "500112", "610113", "650102", "810000", "420106")
	s := place + fmt.Sprintf("%04d%02d%02d", 1930+m.IntN(95), 1+m.IntN(12), 1+m.IntN(28)) + m.digits(3)
	return s + string(checkDigit(s))
}

func checkDigit(s string) byte {
	sum := 0
	for i, w := range idWeights {
		sum += int(s[i]-'0') * w
	}
	return "10X98765432"[sum%11]
}

// disguise writes an ID as people and evaders do.
func (m maker) disguise(id string) string {
	switch m.IntN(9) {
	case 0:
		return wide(id)
	case 1:
		return id[:6] + " " + id[6:14] + " " + id[14:]
	case 2:
		return id[:6] + "-" + id[6:14] + "-" + id[14:]
	case 3:
		return strings.ToLower(id)
	case 4:
		return id[:4] + " " + id[4:8] + " " + id[8:12] + " " + id[12:16] + " " + id[16:]
	case 5:
		return strings.Join(strings.Split(id, ""), "\u3000")
	case 6:
		return id[:9] + "\u200b" + id[9:]
	}
	return id
}

func wide(s string) string {
	return strings.Map(func(r rune) rune { return r - '0' + '０' }, strings.ReplaceAll(s, "X", "X"))
}

// nearMiss makes a number that is no ID, mobile or card, though it looks like one.
func (m maker) nearMiss() string {
	id := m.id()
	switch m.IntN(12) {
	case 0: // another check digit
		return id[:17] + string("0123456789X"[(strings.IndexByte("0123456789X", id[17])+1+m.IntN(10))%11])
	case 1: // one digit changed
		i := m.IntN(17)
		return id[:i] + string('0'+(id[i]-'0'+1+byte(m.IntN(9)))%10) + id[i+1:]
	case 2:
		return m.pick("E", "I") + "320902" + m.digits(11+m.IntN(9))
	case 3:
		return id + m.digits(1+m.IntN(4))
	case 4:
		return "91320902" + m.pick("MA1", "MA2", "579") + m.pick("K", "R", "X") + m.digits(5) + m.pick("A", "H", "3")
	case 5:
		return "2026-320902-" + m.digits(2) + "-0" + m.digits(1) + "-" + m.digits(6)
	case 6:
		return "0515-8" + m.digits(7)
	case 7:
		return m.digits(3) + "," + m.digits(3) + "," + m.digits(3) + "." + m.digits(2) + "元"
	case 8:
		return "3209" + strings.Repeat("*", 12) + m.digits(2)
	case 9:
		return "138****" + m.digits(4)
	case 10:
		return "10" + m.digits(9)
	}
	return "320016" + m.digits(14)
}

// document makes up a notice around what is planted in it.
func (m maker) document(plant string) string {
	before := m.pick("项目编号：", "证件号码：", "备注：", "序号 3 ", "合同编号：", "（", "申请人王**，", "现公示如下：\n", "附件第2页\t", "受理编号TH20260018 ")
	after := m.pick("。", "，特此公告。", "\n", "）", "\t合格\t", " 共计3户", "；建筑面积58.60平方米")
	filler := strings.Repeat(m.pick("亭湖区公共资源交易中心受托对本工程公开招标，投标截止时间为2026年12月20日9时30分。",
		"公示期为2026年11月23日至2026年12月2日，监督电话0515-88880002。", "预算金额4860000.00元，面积1,234.56平方米，共3标段。\n"), 1+m.IntN(4))
	return filler + before + plant + after + filler
}

// TestEveryNumberIsFound is the promise of the privacy check: over 2,000 made-up
// documents no ID with a right check digit passes, however it is written, and
// at most one in a hundred of those without is stopped.
func TestEveryNumberIsFound(t *testing.T) {
	m := maker{rand.New(rand.NewPCG(320902, 18))}
	falseAlarms := 0
	for i := range 2000 {
		planted := i%2 == 0
		if planted {
			id := m.id()
			text := m.document(m.disguise(id))
			n := 0
			for _, l := range FindLeaks(text) {
				if l.Kind == LeakID {
					n++
				}
			}
			if n != 1 {
				t.Errorf("document %d: %d IDs found, want 1, in %q", i, n, text)
			}
			continue
		}
		text := m.document(m.nearMiss())
		if leaks := FindLeaks(text); len(leaks) > 0 {
			falseAlarms++
			t.Logf("false alarm %s in %q", leaks[0].Kind, text)
		}
	}
	if falseAlarms > 10 {
		t.Errorf("%d false alarms in 1,000 documents without personal data, want at most 10", falseAlarms)
	}
}

// TestLeaksInLongRuns holds that a number is found wherever it stands among
// thousands of others.
func TestLeaksInLongRuns(t *testing.T) {
	for _, n := range []int{maxRun - 2, maxRun - 1, maxRun, maxRun + 1, 3*maxRun - 1} {
		text := strings.Repeat("12 ", n) + "320902 19900101 0006" + strings.Repeat(" 12", n)
		leaks := FindLeaks(text)
		if len(leaks) != 1 || leaks[0].Kind != LeakID || leaks[0].Start != 3*n {
			t.Errorf("behind %d groups: %v", n, leaks)
		}
	}
}

// FuzzFindLeaks holds the form of what is found, that a planted ID is found
// between any two texts that do not touch it with digits, and that redaction
// leaves nothing to find.
func FuzzFindLeaks(f *testing.F) {
	f.Add("证件号码：", "。", uint64(1))
	f.Add("姓名\t身份证号\n王小明\t", "\n", uint64(2))
	f.Add("320902 ", " 0006\t１２", uint64(3))
	f.Add("护照号码\t卡号\n", "-", uint64(4))
	f.Fuzz(func(t *testing.T, before, after string, seed uint64) {
		if !utf8.ValidString(before) || !utf8.ValidString(after) || len(before)+len(after) > 1<<16 {
			return
		}
		m := maker{rand.New(rand.NewPCG(seed, 7))}
		id := m.id()
		text := before + "。" + id + "。" + after
		at := 0
		found := false
		for _, l := range FindLeaks(text) {
			if l.Start < at || l.End <= l.Start || l.End > len(text) || !utf8.ValidString(text[l.Start:l.End]) {
				t.Fatalf("FindLeaks(%q): %+v after byte %d", text, l, at)
			}
			at = l.End
			found = found || l.Start <= len(before)+len("。") && l.End >= len(before)+len("。")+len(id)
		}
		if !found {
			t.Errorf("FindLeaks(%q) does not find the ID", text)
		}
		for _, l := range FindLeaks(StrikeLeaks(text)) {
			if l.Kind == LeakID {
				t.Errorf("StrikeLeaks(%q) still holds an ID", text)
			}
		}
		LooksLikeName(before)
		cellText(text)
	})
}

// BenchmarkFindLeaks reads prose, and a list as a sheet gives it.
func BenchmarkFindLeaks(b *testing.B) {
	m := maker{rand.New(rand.NewPCG(1, 2))}
	var prose, list strings.Builder
	for range 2000 {
		prose.WriteString(m.document(m.nearMiss()))
	}
	list.WriteString("序号\t受理编号\t申请人\t身份证件号码\t家庭人口\t面积\t小区\n")
	for i := range 10_000 {
		fmt.Fprintf(&list, "%d\tTH2026%04d\t王**\t3209************%02d\t%d\t%d.%02d\t和悦家园\n", i, i, i%100, i%5, 40+i%60, i%100)
	}
	for _, tt := range []struct{ name, text string }{{"prose", prose.String()}, {"list", list.String()}} {
		b.Run(tt.name, func(b *testing.B) {
			b.SetBytes(int64(len(tt.text)))
			for b.Loop() {
				FindLeaks(tt.text)
			}
		})
	}
}
