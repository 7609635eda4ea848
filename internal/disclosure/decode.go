package disclosure

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// DecodeStrict reads one JSON value into v and refuses what a lenient reader
// would swallow: broken UTF-8 and NUL characters (CodeText), text after the
// value, values of the wrong type and members that stand twice, of which a
// reader would drop one (CodeJSON, field named), and members v has no field for
// (CodeUnknown, every one named). Members held in maps or json.RawMessage are
// otherwise left to their own parser.
func DecodeStrict(data []byte, v any) error {
	// First of all: what follows walks the value by recursion, with the path.
	if at := tooDeep(data); at > 0 {
		return Errorf(CodeJSON, "第 %d 个字节处嵌套超过 %d 层", at, maxDepth)
	}
	if err := CheckText(data); err != nil {
		return err
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	if err := dec.Decode(v); err != nil {
		return jsonError(data, v, err)
	}
	end := dec.InputOffset()
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return Errorf(CodeJSON, "第 %d 个字节之后还有多余的内容", end)
	}
	var faults []FieldError
	findRepeated(json.NewDecoder(bytes.NewReader(data)), "", &faults)
	if err := invalid(CodeJSON, faults); err != nil {
		return err
	}
	findUnknown(data, reflect.TypeOf(v), "", &faults)
	slices.SortFunc(faults, func(a, b FieldError) int { return strings.Compare(a.Field, b.Field) })
	return invalid(CodeUnknown, faults)
}

// maxDepth is how deep a value may be nested; no draft has more than six levels.
// A megabyte of brackets was measured to cost 7 GB without it.
const maxDepth = 32

// tooDeep returns the number of the byte that opens one level too many, or 0.
func tooDeep(data []byte) int {
	depth, inText := 0, false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case inText && c == '\\':
			i++
		case c == '"':
			inText = !inText
		case inText:
		case c == '{', c == '[':
			if depth++; depth > maxDepth {
				return i + 1
			}
		case c == '}', c == ']':
			depth--
		}
	}
	return 0
}

// CheckText refuses JSON text that no store can keep, broken UTF-8 and NUL, raw
// or escaped, and names the member it stands in.
func CheckText(data []byte) error {
	var e *Error
	at := brokenUTF8(data)
	if at >= 0 {
		e = Errorf(CodeText, "不是有效的 UTF-8 文本")
	} else if at = findNUL(data); at >= 0 {
		e = Errorf(CodeText, "文本中含有 NUL 字符")
	} else {
		return nil
	}
	if member := memberAt(json.NewDecoder(bytes.NewReader(data)), "", int64(at)); member != "" {
		e.Detail = "“" + member + "”" + e.Detail
		return e.On(member)
	}
	return e
}

// brokenUTF8 returns where the text stops being UTF-8, or -1.
func brokenUTF8(data []byte) int {
	if utf8.Valid(data) {
		return -1
	}
	at := 0
	for {
		r, size := utf8.DecodeRune(data[at:])
		if r == utf8.RuneError && size == 1 {
			return at
		}
		at += size
	}
}

// findNUL returns where a NUL stands, or -1.
func findNUL(data []byte) int {
	if i := bytes.IndexByte(data, 0); i >= 0 {
		return i
	}
	for i := bytes.IndexByte(data, '\\'); i >= 0 && i+1 < len(data); {
		if bytes.HasPrefix(data[i:], []byte(`\u0000`)) {
			return i
		}
		next := bytes.IndexByte(data[i+2:], '\\')
		if next < 0 {
			break
		}
		i += 2 + next
	}
	return -1
}

// memberAt returns the path of the member whose value holds the byte at offset,
// as far as the text before it is JSON; "" when it is in none. A name that holds
// it is not repeated: it cannot be written.
func memberAt(dec *json.Decoder, path string, offset int64) string {
	start, err := dec.Token()
	if err != nil || dec.InputOffset() > offset {
		return path
	}
	for i := 0; start == json.Delim('{') || start == json.Delim('['); i++ {
		if !dec.More() {
			_, _ = dec.Token() // the bracket that closes it
			break
		}
		at := path + "[" + strconv.Itoa(i) + "]"
		if start == json.Delim('{') {
			name, err := dec.Token()
			if err != nil || dec.InputOffset() > offset {
				return path
			}
			text, _ := name.(string)
			at = strings.TrimPrefix(path+"."+text, ".")
		}
		if found := memberAt(dec, at, offset); found != "" || dec.InputOffset() > offset {
			return found
		}
	}
	return ""
}

func jsonError(data []byte, v any, err error) error {
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
	// A type of ours refused its text; encoding/json does not say where.
	at := findRefused(data, reflect.TypeOf(v), "")
	return Errorf(CodeJSON, "“%s”无法读取：日期请写成 2026-11-23，或写 null", at).On(at)
}

// findRefused returns the path of the first member that its type's own decoder
// refuses, or "".
func findRefused(data []byte, t reflect.Type, path string) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	var at string
	switch {
	case reflect.PointerTo(t).Implements(reflect.TypeFor[json.Unmarshaler]()):
		if json.Unmarshal(data, reflect.New(t).Interface()) != nil {
			return path
		}
	case t.Kind() == reflect.Slice:
		var elems []json.RawMessage
		_ = json.Unmarshal(data, &elems) // no list has no elements
		for i, e := range elems {
			if at = findRefused(e, t.Elem(), path+"["+strconv.Itoa(i)+"]"); at != "" {
				return at
			}
		}
	case t.Kind() == reflect.Struct:
		var members map[string]json.RawMessage
		_ = json.Unmarshal(data, &members) // likewise
		fields := jsonFields(t)
		for _, name := range slices.Sorted(maps.Keys(members)) {
			if ft, ok := fields[name]; ok && at == "" {
				at = findRefused(members[name], ft, strings.TrimPrefix(path+"."+name, "."))
			}
		}
	}
	return at
}

// findRepeated walks one value and reports members that stand twice in their
// object, each once.
func findRepeated(dec *json.Decoder, path string, faults *[]FieldError) {
	start, err := dec.Token()
	if err != nil {
		return // the value has been read before, so this does not happen
	}
	seen := map[string]int{}
	for i := 0; start == json.Delim('{') || start == json.Delim('['); i++ {
		if !dec.More() {
			_, _ = dec.Token() // the bracket that closes it
			return
		}
		at := path + "[" + strconv.Itoa(i) + "]"
		if start == json.Delim('{') {
			token, _ := dec.Token()
			name, _ := token.(string)
			at = strings.TrimPrefix(path+"."+name, ".")
			if seen[name]++; seen[name] == 2 {
				addFault(faults, at, "field.repeated", "“%s”出现了不止一次")
			}
		}
		findRepeated(dec, at, faults)
	}
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
		for _, name := range slices.Sorted(maps.Keys(members)) {
			raw := members[name]
			at := strings.TrimPrefix(path+"."+name, ".")
			ft, ok := known[name]
			if !ok {
				addFault(faults, at, string(CodeUnknown), "不认识的字段“%s”")
				continue
			}
			findUnknown(raw, ft, at, faults)
		}
	}
}

// An answer names so many faults, and so much of a name.
const (
	maxFaults   = 50
	maxNameText = 100
)

// addFault notes a fault of a member whose name is the sender's own, of any
// length and number.
func addFault(faults *[]FieldError, at, code, message string) {
	if len(*faults) == maxFaults {
		return
	}
	if runes := []rune(at); len(runes) > maxNameText {
		at = string(runes[:maxNameText]) + "…"
	}
	*faults = append(*faults, FieldError{Field: at, Code: code, Message: fmt.Sprintf(message, at)})
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
