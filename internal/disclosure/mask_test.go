package disclosure

import (
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestMask(t *testing.T) {
	tests := []struct {
		name string
		mask Mask
		in   string
		want string
	}{
		{"none", MaskNone, "王小明", "王小明"},
		{"nothing", MaskName, "", ""},
		{"family name stays", MaskName, "王小明", "王**"},
		{"two characters", MaskName, "王明", "王*"},
		{"compound family name", MaskName, "欧阳修", "欧阳*"},
		{"compound family name, four characters", MaskName, "司马相如", "司马**"},
		{"two characters are no compound family name", MaskName, "欧阳", "欧*"},
		{"dotted name", MaskName, "阿卜杜拉·买买提", "阿***·***"},
		{"dotted with a bullet", MaskName, "阿卜杜拉•买买提", "阿***•***"},
		{"latin name", MaskName, "John Smith", "J*********"},
		{"ID of 18", MaskID, "320902199001010006", "3209************06"},
		{"ID with X", MaskID, "32090219900101004X", "3209************4X"},
		{"ID of 15", MaskID, "320902900101001", "3209*********01"},
		{"passport", MaskID, "E12345678", "E123***78"},
		{"too short to keep anything", MaskID, "123456", "******"},
		{"mobile", MaskPhone, "13800000000", "138****0000"},
		{"mobiles in text", MaskPhone, "王 13800000000、19912345678（微信同号）", "王 138****0000、199****5678（微信同号）"},
		{"mobile with the country", MaskPhone, "+8613812345678", "+86138****5678"},
		{"mobile with blanks", MaskPhone, "138 1234 5678", "138****5678"},
		{"mobile with dashes", MaskPhone, "138-1234-5678", "138****5678"},
		{"landline stays", MaskPhone, "0515-88880001", "0515-88880001"},
		{"landline without a dash stays", MaskPhone, "051588880001", "051588880001"},
		{"landline with an extension stays", MaskPhone, "0515-88881388转8001", "0515-88881388转8001"},
		{"hotline stays", MaskPhone, "12345", "12345"},
		{"digits run on", MaskPhone, "138000013912345678", "138****139****5678"},
		{"account", MaskAccount, "6222021234567890123", "***************0123"},
		{"short account", MaskAccount, "0123", "****"},
		{"cut after the community", MaskAddress, "五星街道新洋社区3幢502室", "五星街道新洋社区"},
		{"cut after the village", MaskAddress, "盐东镇东南村三组12号", "盐东镇东南村"},
		{"committee of the village", MaskAddress, "便仓镇东郊村委会二组", "便仓镇东郊村委会"},
		{"committee of residents", MaskAddress, "毓龙街道建军路居委会8号楼", "毓龙街道建军路居委会"},
		{"failing them after the street", MaskAddress, "先锋街道解放路12号", "先锋街道"},
		{"or the town", MaskAddress, "盐东镇人民路12号", "盐东镇"},
		{"community named after the house", MaskAddress, "先锋街道解放路12号502室（浦南社区）", "先锋街道"},
		{"house before everything", MaskAddress, "解放路12号502室，浦南社区", "***"},
		{"full-width house number", MaskAddress, "解放路１２号，浦南社区", "***"},
		{"none of them", MaskAddress, "解放路12号", "***"},
	}
	for _, tt := range tests {
		got := tt.mask.Apply(tt.in)
		if got != tt.want {
			t.Errorf("%s: Mask(%q).Apply(%q) = %q, want %q", tt.name, tt.mask, tt.in, got, tt.want)
		}
		if again := tt.mask.Apply(got); again != got {
			t.Errorf("%s: Mask(%q).Apply(%q) = %q, want the masked value unchanged", tt.name, tt.mask, got, again)
		}
	}
}

func TestMaskedContent(t *testing.T) {
	typ := &NoticeType{Fields: []Field{
		{Key: "head", Kind: FieldText},
		{Key: "phone", Kind: FieldPhone, Mask: MaskPhone},
		{Key: "rows", Kind: FieldTable, Columns: []Field{
			{Key: "applicant", Kind: FieldPerson, Mask: MaskName},
			{Key: "estate", Kind: FieldText},
		}},
	}}
	original := Content{Title: "分配结果公示", Fields: Values{"head": "王小明", "phone": "13800000000", "rows": []any{
		map[string]any{"applicant": "王小明", "estate": "示范家园"}, map[string]any{"estate": "示范家园"}}}}
	before := Values{"head": "王小明", "phone": "13800000000", "rows": []any{
		map[string]any{"applicant": "王小明", "estate": "示范家园"}, map[string]any{"estate": "示范家园"}}}
	want := Values{"head": "王小明", "phone": "138****0000", "rows": []any{
		map[string]any{"applicant": "王**", "estate": "示范家园"}, map[string]any{"estate": "示范家园"}}}
	got := original.Masked(typ)
	if !reflect.DeepEqual(got.Fields, want) || got.Title != original.Title {
		t.Errorf("Masked() = %v, want %v", got.Fields, want)
	}
	if !reflect.DeepEqual(original.Fields, before) {
		t.Errorf("Masked() changed the receiver to %v", original.Fields)
	}
	if again := got.Masked(typ); !reflect.DeepEqual(again, got) {
		t.Errorf("Masked().Masked() = %v, want no change", again.Fields)
	}
	typ.Fields[1].Mask, typ.Fields[2].Columns[0].Mask = MaskNone, MaskNone
	if got := original.Masked(typ); !reflect.DeepEqual(got.Fields, original.Fields) {
		t.Errorf("Masked() without masks = %v, want no change", got.Fields)
	}
}

var anyMobile = regexp.MustCompile(`1[3-9][0-9]{9}`)

// FuzzMask holds what every mask promises, and that neither the birth date of
// an ID nor a mobile number comes through.
func FuzzMask(f *testing.F) {
	f.Add("王小明", "", uint64(320902), uint64(19900101), uint64(6))
	f.Add("13800000000", "、", uint64(110101), uint64(20001231), uint64(9999))
	f.Add("五星街道新洋社区3幢", "村", uint64(0), uint64(0), uint64(0))
	f.Add("阿卜杜拉·买买提", "·", uint64(999999), uint64(99999999), uint64(9999))
	f.Fuzz(func(t *testing.T, s, after string, region, birth, tail uint64) {
		if !utf8.ValidString(s) || !utf8.ValidString(after) {
			return
		}
		date := fmt.Sprintf("%08d", birth%1e8)
		id := fmt.Sprintf("%06d%s%04d", region%1e6, date, tail%1e4)
		for _, mask := range maskKinds {
			for _, in := range []string{s, s + id + after, id} {
				got := mask.Apply(in)
				if again := mask.Apply(got); again != got {
					t.Errorf("Mask(%q).Apply(%q) = %q, want the masked value unchanged", mask, got, again)
				}
				if mask == MaskPhone && anyMobile.MatchString(got) {
					t.Errorf("Mask(phone).Apply(%q) = %q, want no mobile number in it", in, got)
				}
				if mask == MaskID && strings.Contains(got, date) {
					t.Errorf("Mask(id).Apply(%q) = %q, want no %s in it", in, got, date)
				}
			}
		}
	})
}
