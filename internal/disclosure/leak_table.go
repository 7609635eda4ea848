package disclosure

import (
	"cmp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// column says what the heading of a column promises.
type column struct {
	name  bool   // of natural persons
	sure  bool   // of private persons, whatever the notice is about
	label string // that the cells are read with: 护照号码, 住址, 卡号
	id    bool   // of ID numbers
}

// readTables looks at rows, lines with tabs, for what only the heading of a
// column tells: names, and numbers that are nothing without their label.
func (s *leakScanner) readTables() {
	if strings.IndexByte(s.text, '\t') < 0 {
		return
	}
	var columns []column
	var found []Leak
	for start := 0; start < len(s.text); {
		end := len(s.text)
		if i := strings.IndexByte(s.text[start:], '\n'); i >= 0 {
			end = start + i
		}
		line := s.text[start:end]
		if strings.IndexByte(line, '\t') >= 0 {
			if heads := readHeadings(line); heads != nil {
				columns = heads
			} else {
				found = append(found, readRow(line, start, columns)...)
			}
		}
		start = end + 1
	}
	s.merge(found)
}

// merge adds what the tables showed to what the numbers did.
func (s *leakScanner) merge(found []Leak) {
	if len(found) == 0 {
		return
	}
	all := append(s.leaks, found...)
	slices.SortStableFunc(all, func(a, b Leak) int { return cmp.Compare(a.Start, b.Start) })
	s.leaks = all[:1]
	for _, l := range all[1:] {
		last := &s.leaks[len(s.leaks)-1]
		switch {
		case l.Start >= last.End:
			s.leaks = append(s.leaks, l)
		case last.Private && !l.Private: // the same, and better known
			*last = l
		}
	}
}

// readHeadings returns what the cells promise if the row is one of headings
// that matter, and nil otherwise.
func readHeadings(line string) []column {
	var columns []column
	matters, about := false, false
	for cell := range strings.SplitSeq(line, "\t") {
		if len(cell) > 60 || cell != "" && cell[0] >= '0' && cell[0] <= '9' {
			return nil // a row of data
		}
		c := headingOf(strings.Map(dropSpace, cell))
		about = about || containsAny(cell, householdWords)
		matters = matters || c.name || c.id || c.label != ""
		columns = append(columns, c)
	}
	if !matters {
		return nil
	}
	for i := range columns {
		columns[i].sure = columns[i].sure || columns[i].name && about
	}
	return columns
}

func dropSpace(r rune) rune {
	if unicode.IsSpace(r) || r == '*' || r == '：' || r == ':' {
		return -1
	}
	return r
}

var (
	applicantWords = []string{"申请人", "户主", "承租人", "家庭成员", "配偶", "保障对象", "轮候人", "购房人", "补助对象", "受助人",
		"被征收人", "被拆迁人", "农户", "住户", "监护人", "子女"}
	// otherWords make a heading that names a person one of something else.
	otherWords = []string{"名称", "数", "单位", "意见", "签", "电话", "手机", "身份", "证", "关系", "人口", "址", "编号", "号码", "类", "情况",
		"收入", "面积", "年龄", "性别", "结果", "金额", "日期", "时间", "代码", "账", "卡", "是否"}
	// publicWords make a heading of names one of people who are named for a duty
	// or a contract.
	publicWords    = []string{"专家", "评委", "负责人", "经理", "经办", "联系人", "代表", "监理", "工程师", "技术", "竞得", "中标", "成交", "投标", "买受", "受让"}
	householdWords = []string{"身份证", "证件号", "住址", "家庭", "户籍", "受理编号", "轮候", "人均"}
	idWords        = []string{"身份证", "证件号"}
	aboutIDs       = []string{"类型", "类别", "种类", "有效"} // and no numbers
	labelWords     = slices.Concat(passportWords, cardWords, homeWords)
)

func headingOf(head string) column {
	id := containsAny(head, idWords) && !containsAny(head, aboutIDs)
	switch {
	case head == "":
		return column{}
	case containsAny(head, labelWords):
		return column{label: head, id: id}
	case id:
		return column{id: true}
	case containsAny(head, applicantWords) && !containsAny(head, otherWords):
		return column{name: true, sure: true}
	case strings.HasSuffix(head, "姓名") && !containsAny(head, publicWords):
		return column{name: true}
	}
	return column{}
}

// readRow looks at the cells below the headings. offset is where the line
// begins in the text.
func readRow(line string, offset int, columns []column) []Leak {
	var found []Leak
	for i := 0; i < len(columns) && line != ""; i++ {
		cell, rest, _ := strings.Cut(line, "\t")
		switch c := columns[i]; {
		case c.name && LooksLikeName(cell):
			found = append(found, Leak{Kind: LeakName, Start: offset, End: offset + len(cell), Private: !c.sure})
		case c.id && idLike(cell):
			found = append(found, Leak{Kind: LeakID, Start: offset, End: offset + len(cell)})
		case c.label != "":
			found = append(found, readLabelled(c.label, cell, offset)...)
		}
		offset += len(line) - len(rest)
		line = rest
	}
	return found
}

// idLike reports whether a cell holds about as many digits as an ID number. Below
// a heading that promises one, a slip of the pen makes it no other number: the
// birth date is still there to read. A masked one has none.
func idLike(cell string) bool {
	cell = strings.TrimSpace(cell)
	n := 0
	for i := 0; i < len(cell); {
		r, width := utf8.DecodeRuneInString(cell[i:])
		_, _, digit := digitAt(cell, i)
		switch {
		case digit, isX(r) && i+width == len(cell):
			n++
		case !separates(r):
			return false
		}
		i += width
	}
	return n >= 14 && n <= 19
}

// readLabelled reads a cell as if its heading stood before it.
func readLabelled(label, cell string, offset int) []Leak {
	head := label + "："
	var found []Leak
	for _, l := range FindLeaks(head + cell) {
		if l.Start >= len(head) {
			l.Start, l.End = l.Start-len(head)+offset, l.End-len(head)+offset
			found = append(found, l)
		}
	}
	return found
}

// surnames are the one-character family names that nearly everybody has
// (百家姓, and those that are common today).
const surnames = "赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨朱秦尤许何吕施张孔曹严华金魏陶姜戚谢邹喻柏水窦章云苏潘葛奚范彭郎鲁韦昌马苗凤花方俞任袁柳" +
	"酆鲍史唐费廉岑薛雷贺倪汤滕殷罗毕郝邬安常乐于时傅皮卞齐康伍余元卜顾孟平黄和穆萧尹姚邵湛汪祁毛禹狄米贝明臧计伏成戴谈宋茅庞熊纪舒屈项祝董梁杜阮蓝闵" +
	"席季麻强贾路娄危江童颜郭梅盛林刁钟徐邱骆高夏蔡田樊胡凌霍虞万支柯昝管卢莫经房裘缪干解应宗丁宣贲邓郁单杭洪包诸左石崔吉钮龚程嵇邢滑裴陆荣翁荀羊於惠甄" +
	"曲家封芮羿储靳汲邴糜松井段富巫乌焦巴弓牧隗山谷车侯宓蓬全郗班仰秋仲伊宫宁仇栾暴甘厉戎祖武符刘景詹束龙叶幸司韶郜黎蓟薄印宿白怀蒲邰从鄂索咸籍赖卓蔺屠蒙池" +
	"乔阴胥能苍双闻莘党翟谭贡劳逄姬申扶堵冉宰郦雍璩桑桂濮牛寿通边扈燕冀浦尚农温别庄晏柴瞿阎充慕连茹习宦艾鱼容向古易慎戈廖庾终暨居衡步都耿满弘匡国文寇广禄阙东" +
	"欧殳沃利蔚越夔隆师巩厍聂晁勾敖融冷訾辛阚那简饶空曾毋沙乜养鞠须丰巢关蒯相查后荆红游竺权逯盖益桓公仉督岳帅缑亢况郈有琴归海晋楚闫法汝鄢涂钦商牟佘佴伯赏墨哈谯笪年爱阳佟付代肖邸" +
	"仝覃占冼但訚楼祖苑原植矫藏补母亓税荘揭冮"

// notNames are words of two to four characters that begin like a name.
var notNames = []string{"合计", "小计", "总计", "备注", "姓名", "公示", "无", "某", "单位", "公司", "中心", "经理", "部门", "以上", "以下", "应届",
	"计划", "安置", "时间", "成员", "共有", "符合", "不符", "全部", "相关", "公共", "房屋", "关系", "户主", "家庭", "平方", "年度", "国有", "路段"}

// LooksLikeName reports whether a cell holds the full name of a natural person
// in Chinese characters; a masked one does not.
func LooksLikeName(cell string) bool {
	cell = strings.Join(strings.Fields(cell), "")
	if len(cell) < 6 || len(cell) > 60 || containsAny(cell, notNames) {
		return false
	}
	n, dots := 0, 0
	for _, r := range cell {
		switch {
		case r == '·' || r == '•':
			dots++
		case !isHan(r):
			return false
		}
		n++
	}
	switch {
	case dots > 0:
		return n >= 4
	case n <= 3 && strings.ContainsRune(surnames, firstRune(cell)):
		return true
	}
	return n <= 4 && hasAnyPrefix(cell, compoundSurnames...)
}

func firstRune(s string) rune {
	for _, r := range s {
		return r
	}
	return 0
}
