package disclosure

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// DecodeStrict reads one JSON value into v and refuses what a lenient reader
// would swallow: broken UTF-8 and NUL characters (CodeText), text after the
// value and values of the wrong type (CodeJSON, field named), and members v has
// no field for (CodeUnknown, every one named). Members held in maps or
// json.RawMessage are left to their own parser.
func DecodeStrict(data []byte, v any) error {
	if err := CheckText(data); err != nil {
		return err
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	if err := dec.Decode(v); err != nil {
		return jsonError(err)
	}
	end := dec.InputOffset()
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return Errorf(CodeJSON, "第 %d 个字节之后还有多余的内容", end)
	}
	var faults []FieldError
	findUnknown(data, reflect.TypeOf(v), "", &faults)
	slices.SortFunc(faults, func(a, b FieldError) int { return strings.Compare(a.Field, b.Field) })
	return invalid(CodeUnknown, faults)
}

// CheckText refuses JSON text that no store can keep: broken UTF-8 and NUL,
// raw or escaped.
func CheckText(data []byte) error {
	if !utf8.Valid(data) {
		return Errorf(CodeText, "不是有效的 UTF-8 文本")
	}
	if bytes.IndexByte(data, 0) >= 0 || hasEscapedNUL(data) {
		return Errorf(CodeText, "文本中含有 NUL 字符")
	}
	return nil
}

func hasEscapedNUL(data []byte) bool {
	for i := bytes.IndexByte(data, '\\'); i >= 0 && i+1 < len(data); {
		if bytes.HasPrefix(data[i:], []byte(`\u0000`)) {
			return true
		}
		next := bytes.IndexByte(data[i+2:], '\\')
		if next < 0 {
			return false
		}
		i += 2 + next
	}
	return false
}

func jsonError(err error) error {
	var typeErr *json.UnmarshalTypeError
	var syntaxErr *json.SyntaxError
	switch {
	case errors.As(err, &typeErr) && typeErr.Field == "":
		return Errorf(CodeJSON, "正文应为 JSON 对象，收到的是 %s", typeErr.Value)
	case errors.As(err, &typeErr):
		return Errorf(CodeJSON, "“%s”的类型不对：收到的是 %s", typeErr.Field, typeErr.Value).On(typeErr.Field)
	case errors.As(err, &syntaxErr):
		return Errorf(CodeJSON, "第 %d 个字节处不符合 JSON 语法", syntaxErr.Offset)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return Errorf(CodeJSON, "正文为空或不完整")
	}
	return Errorf(CodeJSON, "正文无法读取：日期请写成 2026-11-23，或写 null")
}

// findUnknown walks data along the struct type t and reports members without a
// field, by their path.
func findUnknown(data []byte, t reflect.Type, path string, faults *[]FieldError) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t.Kind() == reflect.Slice && t.Elem().Kind() != reflect.Uint8:
		var elems []json.RawMessage
		if json.Unmarshal(data, &elems) != nil {
			return
		}
		for i, e := range elems {
			findUnknown(e, t.Elem(), path+"["+strconv.Itoa(i)+"]", faults)
		}
	case t.Kind() == reflect.Struct && !reflect.PointerTo(t).Implements(reflect.TypeFor[json.Unmarshaler]()):
		var members map[string]json.RawMessage
		if json.Unmarshal(data, &members) != nil {
			return
		}
		known := jsonFields(t)
		for name, raw := range members {
			at := strings.TrimPrefix(path+"."+name, ".")
			ft, ok := known[name]
			if !ok {
				*faults = append(*faults, FieldError{Field: at, Code: string(CodeUnknown), Message: "不认识的字段“" + at + "”"})
				continue
			}
			findUnknown(raw, ft, at, faults)
		}
	}
}

func jsonFields(t reflect.Type) map[string]reflect.Type {
	fields := map[string]reflect.Type{}
	for _, f := range reflect.VisibleFields(t) {
		if f.Anonymous || !f.IsExported() {
			continue
		}
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch name {
		case "-":
		case "":
			fields[f.Name] = f.Type
		default:
			fields[name] = f.Type
		}
	}
	return fields
}
