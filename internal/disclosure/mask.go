package disclosure

import (
	"cmp"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// Apply hides a value (去标识化). Masking a masked value changes nothing.
func (m Mask) Apply(s string) string {
	switch m {
	case MaskName:
		return maskName(s)
	case MaskID:
		return keepEnds(narrowDigits(s), 4, 2)
	case MaskPhone:
		return maskPhone(narrowDigits(s))
	case MaskAccount:
		return keepEnds(narrowDigits(s), 0, 4)
	case MaskAddress:
		return maskAddress(s)
	}
	return s
}

var (
	mobileForm = regexp.MustCompile(`(1[3-9]\d)[ \-－—]?\d{4}[ \-－—]?(\d{4})`)
	// An address is cut after the community or village or, failing them, the
	// street; one that names the house before them shows nothing.
	communityEnd = regexp.MustCompile(`^[^0-9０-９号幢栋室]*?(社区|居委会|村委会|村)`)
	streetEnd    = regexp.MustCompile(`^[^0-9０-９号幢栋室]*?(街道|镇|乡)`)
)

// compoundSurnames are the two-character family names still common.
var compoundSurnames = []string{"欧阳", "上官", "司马", "诸葛", "东方", "皇甫", "尉迟", "公孙", "令狐", "慕容",
	"夏侯", "司徒", "长孙", "宇文", "轩辕", "钟离", "申屠", "端木", "南宫", "独孤", "淳于", "单于", "太史", "公羊"}

// narrowDigits turns full-width digits into plain ones, so that none escapes.
func narrowDigits(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= '０' && r <= '９' {
			return '0' + r - '０'
		}
		return r
	}, s)
}

// maskName keeps the family name and stars the rest: 王*, 欧阳*, 阿***·***.
func maskName(s string) string {
	if utf8.RuneCountInString(s) == 1 {
		return "*"
	}
	keep := 1
	for _, surname := range compoundSurnames {
		if strings.HasPrefix(s, surname) && utf8.RuneCountInString(s) > 2 {
			keep = 2
		}
	}
	var b strings.Builder
	for i, r := range []rune(s) {
		if i >= keep && r != '·' && r != '•' {
			r = '*'
		}
		b.WriteRune(r)
	}
	return b.String()
}

// maskPhone hides mobile numbers, landlines stay. It goes on until none is left:
// in a long run of digits the end of one number may begin another.
func maskPhone(s string) string {
	for {
		masked := mobileForm.ReplaceAllString(s, "$1****$2")
		if masked == s {
			return s
		}
		s = masked
	}
}

func keepEnds(s string, head, tail int) string {
	r := []rune(s)
	if len(r) <= head+tail {
		return strings.Repeat("*", len(r))
	}
	return string(r[:head]) + strings.Repeat("*", len(r)-head-tail) + string(r[len(r)-tail:])
}

func maskAddress(s string) string {
	return cmp.Or(communityEnd.FindString(s), streetEnd.FindString(s), "***")
}

// Masked returns the content as the public may see it: every value of a field
// or column with a mask is hidden. The receiver is not changed.
func (c Content) Masked(t *NoticeType) Content {
	if t.Masks() {
		c.Fields = maskValues(t.Fields, c.Fields)
	}
	return c
}

func maskValues(defs []Field, values map[string]any) map[string]any {
	out := maps.Clone(values)
	for _, f := range defs {
		switch v := out[f.Key].(type) {
		case string:
			out[f.Key] = f.Mask.Apply(v)
		case []any:
			rows := slices.Clone(v)
			for i, row := range rows {
				if cells, ok := row.(map[string]any); ok {
					rows[i] = maskValues(f.Columns, cells)
				}
			}
			out[f.Key] = rows
		}
	}
	return out
}
