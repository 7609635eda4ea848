package web

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"unicode"

	"github.com/mozillazg/go-pinyin"

	"gongkai/internal/disclosure"
)

// phrases gives the initials of words in which a character is not read the way
// it mostly is: places of the district and around it first, then words of
// notices. Characters outside such words are read as they mostly are.
var phrases = map[string]string{
	// The district's towns, streets and zones, and places nearby.
	"亭湖": "th", "东亭湖": "dth", "便仓": "bc", "盐东": "yd", "黄尖": "hj", "新兴": "xx", "步凤": "bf", "南洋": "ny", "五星": "wx",
	"文峰": "wf", "先锋": "xf", "毓龙": "yl", "大洋": "dy", "新洋": "xy", "新城": "xc", "盐都": "yd", "大丰": "df", "射阳": "sy",
	"阜宁": "fn", "响水": "xs", "东台": "dt", "台州": "tz", "六合": "lh", "六安": "la", "蚌埠": "bb", "厦门": "xm", "乐清": "yq",
	"朝阳": "cy", "长江": "cj", "长亭": "ct", "长安": "ca", "长坝": "cb", "重庆": "cq", "宿迁": "sq", "成都": "cd", "番禺": "py",
	"丽水": "ls", "洪泽": "hz", "单县": "sx", "解放": "jf", "兴化": "xh", "东大厦": "dds", "大厦": "ds",
	// Words of notices.
	"重建": "cj", "重新": "cx", "重修": "cx", "重复": "cf", "重大": "zd", "重点": "zd", "便民": "bm", "行政": "xz", "行业": "hy",
	"银行": "yh", "支行": "zh", "分行": "fh", "执行": "zx", "会计": "kj", "调整": "tz", "调解": "tj", "调查": "dc", "调研": "dy",
	"空调": "kt", "参数": "cs", "单位": "dw", "校验": "jy", "学校": "xx", "校园": "xy", "更正": "gz", "变更": "bg", "更新": "gx",
	"给水": "js", "给排水": "jps", "供给": "gj", "给付": "jf", "宿舍": "ss", "车辆": "cl", "音乐": "yy", "系统": "xt", "传统": "ct",
	"血液": "xy", "供应": "gy", "差额": "ce", "出差": "cc", "效率": "xl", "中标": "zb", "招标": "zb", "长期": "cq", "长效": "cx",
	"增长": "zz", "街长": "jz", "处置": "cz", "处罚": "cf", "办事处": "bsc", "都市": "ds", "石料": "sl", "拆除": "cc", "拆迁": "cq",
	"规划": "gh", "计划": "jh", "划拨": "hb", "核算": "hs", "藏品": "cp", "数字": "sz", "分数": "fs", "模具": "mj", "卡口": "kk",
	"乐园": "ly", "应急": "yj", "相关": "xg", "降雨": "jy", "折旧": "zj", "还款": "hk", "还原": "hy", "还建": "hj", "角落": "jl",
	"露天": "lt", "强制": "qz", "载重": "zz", "载体": "zt", "种植": "zz", "种子": "zz", "着力": "zl", "转让": "zr", "奇数": "js",
}

var longestPhrase = sync.OnceValue(func() int {
	longest := 0
	for p := range phrases {
		longest = max(longest, len([]rune(p)))
	}
	return longest
})

var firstLetter = pinyin.Args{Style: pinyin.FirstLetter}

// Initials spells text by the first letters of its pinyin, one character for
// each: a small letter for a Han character, letters and digits as they are in
// lower case, a dot for all else.
func Initials(text string) string {
	runes := []rune(text)
	out := make([]byte, 0, len(runes))
	for i := 0; i < len(runes); {
		if word, n := phraseAt(runes[i:]); n > 0 {
			out = append(out, word...)
			i += n
			continue
		}
		out = append(out, initial(runes[i]))
		i++
	}
	return string(out)
}

// phraseAt returns the initials of the longest phrase that the runes begin with
// and its length, or 0.
func phraseAt(runes []rune) (string, int) {
	for n := min(longestPhrase(), len(runes)); n > 1; n-- {
		if word, ok := phrases[string(runes[:n])]; ok {
			return word, n
		}
	}
	return "", 0
}

func initial(r rune) byte {
	if r < unicode.MaxASCII && (unicode.IsLetter(r) || unicode.IsDigit(r)) {
		return byte(unicode.ToLower(r))
	}
	if r == '〇' {
		return 'l'
	}
	if p := pinyin.SinglePinyin(r, firstLetter); len(p) == 1 && len(p[0]) == 1 && p[0][0] >= 'a' && p[0][0] <= 'z' {
		return p[0][0]
	}
	return '.'
}

// Word is something people look for, with its initials.
type Word struct {
	Word     string `json:"word"`
	Initials string `json:"initials"`
}

// searchWords are words of the field that titles and types may lack.
var searchWords = []string{"公租房", "公共租赁住房", "保障性租赁住房", "经济适用房", "共有产权住房", "棚户区改造", "租赁补贴", "安置房", "危房改造",
	"招标", "中标", "中标候选人", "中标结果", "更正", "终止", "延期", "采购意向", "合同", "验收", "竞争性谈判", "竞争性磋商", "询价", "单一来源",
	"土地出让", "挂牌", "拍卖", "成交", "产权转让", "资产出租", "道路", "桥梁", "学校", "医院", "绿化", "污水", "排水", "监理", "设计", "施工",
	"耗材", "试剂", "设备", "信用", "处罚", "投诉"}

// shortForms are what people call what notices name in full: typed by their
// initials, they find the full name.
var shortForms = [][2]string{{"公租房", "公共租赁住房"}, {"保租房", "保障性租赁住房"}, {"经适房", "经济适用房"}, {"棚改", "棚户区改造"}, {"危改", "危房改造"}}

// Vocabulary lists the words that letters may stand for on the kiosk: the
// field's own, the places, and what the catalogue names, shorter ones first.
func Vocabulary(c *disclosure.Catalog) []Word {
	seen := map[string]bool{}
	var words []Word
	add := func(list ...string) {
		for _, w := range list {
			if n := len([]rune(w)); n > 1 && n <= 16 && !seen[w] {
				seen[w] = true
				words = append(words, Word{w, Initials(w)})
			}
		}
	}
	for _, s := range shortForms {
		words = append(words, Word{s[1], Initials(s[0])})
	}
	add(searchWords...)
	add("便仓", "盐东", "黄尖", "新兴", "步凤", "南洋", "五星", "文峰", "先锋", "毓龙", "大洋", "新洋", "新城")
	for _, s := range c.Sectors {
		add(s.Name)
	}
	for _, t := range c.Types {
		add(strings.TrimSpace(t.Name))
	}
	slices.SortStableFunc(words, func(a, b Word) int { return cmp.Compare(len(a.Initials), len(b.Initials)) })
	return words
}
