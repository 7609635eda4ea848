package disclosure

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
)

type decodeTest struct {
	name   string
	in     string
	code   Code
	faults string // "field code" of each, sorted
}

func checkDecode(t *testing.T, tests []decodeTest) {
	t.Helper()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := ParseDraft([]byte(tt.in))
			if got := codeOf(err); got != tt.code {
				t.Fatalf("ParseDraft(%q) = %v, want code %q", tt.in, err, tt.code)
			}
			if got := faultsOf(err); got != tt.faults {
				t.Errorf("ParseDraft(%q) faults = %q, want %q", tt.in, got, tt.faults)
			}
		})
	}
}

func TestDecodeRefusesUnknownMembers(t *testing.T) {
	checkDecode(t, []decodeTest{
		{"known members", `{"title":"甲","summary":null,"source":{"name":"乙","url":null}}`, "", ""},
		{"empty object", `{}`, "", ""},
		{"blanks around it", "\r\n\t {} \n", "", ""},
		{"misspelt", `{"titel":"甲"}`, CodeUnknown, "titel request.unknown"},
		{"empty name", `{"":1}`, CodeUnknown, " request.unknown"},
		{"name of the Go field", `{"BodyHTML":"甲"}`, CodeUnknown, "BodyHTML request.unknown"},
		{"capitals do not count as the member", `{"TITLE":"甲"}`, CodeUnknown, "TITLE request.unknown"},
		{"a second member in capitals", `{"title":"甲","Title":"乙"}`, CodeUnknown, "Title request.unknown"},
		{"in an object", `{"source":{"name":"甲","link":"x"}}`, CodeUnknown, "source.link request.unknown"},
		{"capitals in an object", `{"source":{"Name":"甲"}}`, CodeUnknown, "source.Name request.unknown"},
		{"in an array", `{"relations":[{"type":"follows","id":"1"},{"type":"follows","id":"2","note":"x"}]}`,
			CodeUnknown, "relations[1].note request.unknown"},
		{"every one, by name", `{"z":1,"project":{"code":"1","nme":"x"},"a":1}`, CodeUnknown,
			"a request.unknown; project.nme request.unknown; z request.unknown"},
		{"field keys are the type's business", `{"fields":{"any":{"thing":[1]}}}`, "", ""},
		{"an uploaded file as it was answered", `{"attachments":["f1",{"id":"f2","name":"甲.pdf","size":3}]}`, "", ""},
	})
}

func TestDecodeNamesTheMemberOfWrongType(t *testing.T) {
	checkDecode(t, []decodeTest{
		{"number for a string", `{"title":5}`, CodeJSON, "title request.json"},
		{"object for a string", `{"summary":{}}`, CodeJSON, "summary request.json"},
		{"string for an object", `{"source":"甲"}`, CodeJSON, "source request.json"},
		{"boolean in an object", `{"source":{"name":true}}`, CodeJSON, "source.name request.json"},
		{"array for a map", `{"fields":[]}`, CodeJSON, "fields request.json"},
		{"string for an array", `{"items":"A1-04"}`, CodeJSON, "items request.json"},
		{"number in an array", `{"items":["A1-04",5]}`, CodeJSON, "items request.json"},
		{"number in an object in an array", `{"relations":[{"type":5}]}`, CodeJSON, "relations.type request.json"},
		{"number for a file", `{"attachments":[5]}`, CodeJSON, "attachments request.json"},
		{"array instead of the whole", `[]`, CodeJSON, ""},
		{"string instead of the whole", `"甲"`, CodeJSON, ""},
	})
}

// Of two members of one name a reader would silently drop one.
func TestDecodeRefusesRepeatedMembers(t *testing.T) {
	checkDecode(t, []decodeTest{
		{"at the top", `{"title":"甲","body":"x","title":"乙"}`, CodeJSON, "title field.repeated"},
		{"with the same value", `{"title":"甲","title":"甲"}`, CodeJSON, "title field.repeated"},
		{"written in another way", `{"title":"甲","\u0074itle":"甲"}`, CodeJSON, "title field.repeated"},
		{"three times is told once", `{"title":"甲","title":"甲","title":"甲"}`, CodeJSON, "title field.repeated"},
		{"in an object", `{"source":{"name":"甲","name":"乙"}}`, CodeJSON, "source.name field.repeated"},
		{"in an array", `{"relations":[{"id":"1"},{"id":"1","id":"2"}]}`, CodeJSON, "relations[1].id field.repeated"},
		{"a field of the type", `{"fields":{"a":1,"b":2,"a":3}}`, CodeJSON, "fields.a field.repeated"},
		{"in a table", `{"fields":{"rows":[{"a":[{}],"a":{}}]}}`, CodeJSON, "fields.rows[0].a field.repeated"},
		{"in what is corrected", `{"changes":{"title":"甲","title":"乙"}}`, CodeJSON, "changes.title field.repeated"},
		{"every one", `{"title":"甲","title":"乙","source":{"name":"甲","name":"乙"}}`, CodeJSON, "title field.repeated; source.name field.repeated"},
		{"of two objects", `{"source":{"name":"甲"},"project":{"name":"甲","code":"1"}}`, "", ""},
	})
}

// What a type of ours cannot read is named too, though encoding/json does not.
func TestDecodeNamesWhatATypeRefuses(t *testing.T) {
	for _, tt := range []struct{ name, in, field string }{
		{"a date", `{"code":"land","name":"土地","valid_from":"tomorrow"}`, "valid_from"},
		{"a number for a date", `{"code":"land","name":"土地","valid_to":5}`, "valid_to"},
		{"a day that is none", `{"code":"land","name":"土地","valid_to":"2026-02-30"}`, "valid_to"},
	} {
		_, err := ParseDefinition(KindSector, []byte(tt.in))
		if got := faultsOf(err); got != tt.field+" request.json" {
			t.Errorf("%s: ParseDefinition(%s) faults = %q, want %s", tt.name, tt.in, got, tt.field)
		}
	}
}

func TestDecodeRefusesWhatIsNotJSON(t *testing.T) {
	checkDecode(t, []decodeTest{
		{"empty body", ``, CodeJSON, ""},
		{"blanks only", " \n", CodeJSON, ""},
		{"cut off", `{"title":`, CodeJSON, ""},
		{"a byte order mark", "\ufeff{}", CodeJSON, ""},
		{"single quotes", `{'title':'甲'}`, CodeJSON, ""},
		{"a comma too many", `{"title":"甲",}`, CodeJSON, ""},
		{"a line break in a string", "{\"title\":\"甲\n乙\"}", CodeJSON, ""},
		{"a second value", `{} {}`, CodeJSON, ""},
		{"a word after it", `{}x`, CodeJSON, ""},
		{"a bracket too many", `{"title":"甲"}}`, CodeJSON, ""},
	})
}

func TestDecodeRefusesTextNoStoreKeeps(t *testing.T) {
	checkDecode(t, []decodeTest{
		{"broken UTF-8 in a value", "{\"title\":\"\xff\"}", CodeText, "title request.text"},
		{"broken UTF-8 in a name", "{\"ti\xfftle\":1}", CodeText, ""},
		{"half a character", "{\"title\":\"\xe7\x94\"}", CodeText, "title request.text"},
		{"a surrogate half as bytes", "{\"title\":\"\xed\xa0\x80\"}", CodeText, "title request.text"},
		{"GBK", "{\"title\":\"\xb2\xc9\xb9\xba\"}", CodeText, "title request.text"},
		{"a raw NUL", "{\"title\":\"\x00\"}", CodeText, "title request.text"},
		{"a raw NUL outside of strings", "{}\x00", CodeText, ""},
		{"an escaped NUL", `{"title":"\u0000"}`, CodeText, "title request.text"},
		{"an escaped NUL after other escapes", `{"title":"\n\"\\\u0000"}`, CodeText, "title request.text"},
		{"an escaped NUL in a field", `{"fields":{"a":"\u0000"}}`, CodeText, "fields.a request.text"},
		{"broken UTF-8 behind other members", "{\"fields\":{\"a\":[1,{\"b\":null}],\"c\":\"\xff\"}}", CodeText, "fields.c request.text"},
		{"broken UTF-8 in a list", "{\"items\":[{\"x\":1},\"a\",\"\xff\"]}", CodeText, "items[2] request.text"},
		{"broken UTF-8 between members", "{\"title\":\"a\",\xff\"body\":1}", CodeText, ""},
		{"an escaped NUL in a name", `{"\u0000":1}`, CodeText, ""},
		{"an escaped backslash, then u0000", `{"title":"\\u0000"}`, "", ""},
		{"two escaped backslashes, then u0000", `{"title":"\\\\u0000"}`, "", ""},
		{"U+0001 is JSON's business", `{"title":"\u0001"}`, "", ""},
		{"cut off after a backslash", `{"title":"\`, CodeJSON, ""},
	})
}

// What a stranger sends costs little, however it is made: a megabyte of nested
// members was measured to take 7 GB and half a minute, and a megabyte of unknown
// ones to be answered by many.
func TestDecodeIsBounded(t *testing.T) {
	const megabyte = 1 << 20
	name := strings.Repeat("长", 30)
	for _, tt := range []struct{ name, in string }{
		{"nested objects", strings.Repeat(`{"`+name+`":`, 9_900) + "1" + strings.Repeat("}", 9_900)},
		{"nested lists", `{"title":` + strings.Repeat("[", megabyte)},
		{"nested lists behind broken UTF-8", "{\"title\":\"\xff\",\"items\":" + strings.Repeat("[", megabyte)},
		{"a bracket in text behind an escape", `{"title":"\\\"","items":` + strings.Repeat("[", megabyte)},
		{"unknown members", "{" + strings.TrimSuffix(manyMembers(megabyte/20), ",") + "}"},
		{"a long name", `{"` + strings.Repeat("长", megabyte/3) + `":1}`},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := ParseDraft([]byte(tt.in))
		runtime.ReadMemStats(&after)
		e := new(Error)
		if !errors.As(err, &e) || len(e.Fields) > 50 || len(e.Error()) > 50*4*200 {
			t.Errorf("%s: %d faults in %d bytes of text", tt.name, len(e.Fields), len(fmt.Sprint(err)))
		}
		if spent := (after.TotalAlloc - before.TotalAlloc) / megabyte; spent > 100 {
			t.Errorf("%s: took %d MiB", tt.name, spent)
		}
	}
	deep := `{"fields":{"a":` + strings.Repeat("[", maxDepth-2) + strings.Repeat("]", maxDepth-2) + `}}`
	if _, err := ParseDraft([]byte(deep)); err != nil {
		t.Errorf("%d levels: %v", maxDepth, err)
	}
}

func manyMembers(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `"member%09d":1,`, i)
	}
	return b.String()
}

func TestDecodeSaysWhere(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"syntax", `{"title" "甲"}`, "第 10 个字节处不符合 JSON 语法"},
		{"text after the value", `{"a":1}   {}`, "第 7 个字节之后还有多余的内容"},
		{"garbage after the value", `{"a":1}   !`, "第 7 个字节之后还有多余的内容"},
		{"type of a member", `{"source":{"name":5}}`, "“source.name”的类型不对：收到的是 number"},
		{"type of the whole", `[{}]`, "正文应为 JSON 对象，收到的是 array"},
		{"nothing", ``, "正文为空或不完整"},
		{"unknown member", `{"source":{"publisher":5}}`, "不认识的字段“source.publisher”"},
	}
	for _, tt := range tests {
		_, err := ParseDraft([]byte(tt.in))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: ParseDraft(%q) = %v, want %q in it", tt.name, tt.in, err, tt.want)
		}
	}
}

// What a lenient reader would change on the way is kept as sent.
func TestDecodeKeepsWhatWasSent(t *testing.T) {
	var got struct {
		Text  string `json:"text"`
		Any   any    `json:"any"`
		Plain int
	}
	in := `{"text":"\\u0000 <b>&","any":1234567890123456.70,"Plain":7}`
	if err := DecodeStrict([]byte(in), &got); err != nil {
		t.Fatalf("DecodeStrict(%s) = %v, want nil", in, err)
	}
	if got.Text != `\u0000 <b>&` || got.Plain != 7 {
		t.Errorf("DecodeStrict(%s) = %+v, want the text unchanged", in, got)
	}
	if n, ok := got.Any.(interface{ String() string }); !ok || n.String() != "1234567890123456.70" {
		t.Errorf("DecodeStrict(%s).Any = %v, want the digits as sent", in, got.Any)
	}
}

// A member behind a tag, an embedded struct or a pointer is known; one that is
// hidden or excluded is not.
func TestDecodeKnowsTheMembersOfAStruct(t *testing.T) {
	type Embedded struct {
		Inner string `json:"inner"`
	}
	type target struct {
		Embedded
		Tagged  string `json:"tagged,omitempty"`
		Skipped string `json:"-"`
		Pointer *struct {
			X []struct {
				Y int `json:"y"`
			} `json:"x"`
		} `json:"pointer"`
	}
	tests := []struct{ name, in, faults string }{
		{"tag with an option", `{"tagged":"a"}`, ""},
		{"embedded", `{"inner":"a"}`, ""},
		{"name of the embedded struct", `{"Embedded":{}}`, "Embedded request.unknown"},
		{"excluded", `{"Skipped":"a"}`, "Skipped request.unknown"},
		{"excluded, by its tag", `{"-":"a"}`, "- request.unknown"},
		{"deep down", `{"pointer":{"x":[{"y":1},{"y":2,"z":3}]}}`, "pointer.x[1].z request.unknown"},
		{"null on the way", `{"pointer":{"x":null}}`, ""},
	}
	for _, tt := range tests {
		if got := faultsOf(DecodeStrict([]byte(tt.in), &target{})); got != tt.faults {
			t.Errorf("%s: DecodeStrict(%s) faults = %q, want %q", tt.name, tt.in, got, tt.faults)
		}
	}
}
