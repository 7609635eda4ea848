package disclosure

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// codeOf returns the code of an expected failure, "" for none. A bug says so.
func codeOf(err error) Code {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return Code("not an *Error: " + err.Error())
}

// faultsOf lists the fields of a failure as "field code", joined by "; ".
func faultsOf(err error) string {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return ""
	}
	return faultText(e.Fields)
}

func faultText(faults []FieldError) string {
	var list []string
	for _, f := range faults {
		list = append(list, f.Field+" "+f.Code)
	}
	return strings.Join(list, "; ")
}

// codeConstants reads the constants of type Code out of the source, so that a
// new one is noticed here and not by a reader of an empty page.
func codeConstants(t *testing.T) map[string]Code {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "errors.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	codes := map[string]Code{}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || !strings.HasPrefix(spec.Names[0].Name, "Code") {
			return true
		}
		lit, ok := spec.Values[0].(*ast.BasicLit)
		if !ok {
			t.Fatalf("%s is not written as a literal", spec.Names[0].Name)
		}
		value, err := strconv.Unquote(lit.Value)
		if err != nil {
			t.Fatal(err)
		}
		codes[spec.Names[0].Name] = Code(value)
		return true
	})
	return codes
}

func TestEveryCodeIsExplained(t *testing.T) {
	codes := codeConstants(t)
	if len(codes) < 30 {
		t.Fatalf("codeConstants(errors.go) = %d codes, want all of them", len(codes))
	}
	names := map[Code]string{}
	for name, code := range codes {
		if other := names[code]; other != "" {
			t.Errorf("%s and %s are both %q", name, other, code)
		}
		names[code] = name
		p, ok := Problems[code]
		if !ok {
			t.Errorf("Problems[%s] is missing", name)
			continue
		}
		if n := utf8.RuneCountInString(p.Title); n < 4 || n > 30 || strings.HasSuffix(p.Title, "。") || !hasHan(p.Title) {
			t.Errorf("Problems[%s].Title = %q, want a short Chinese sentence without a full stop", name, p.Title)
		}
		if !strings.HasSuffix(p.Help, "。") || !hasHan(p.Help) {
			t.Errorf("Problems[%s].Help = %q, want Chinese sentences", name, p.Help)
		}
	}
	for code := range Problems {
		if names[code] == "" {
			t.Errorf("Problems[%q] explains no constant", code)
		}
	}
}

func hasHan(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return unicode.Is(unicode.Han, r) })
}

// Codes stand in addresses (/problems/<code>) and in clients' switches.
func TestCodesAreWordsAndDots(t *testing.T) {
	for name, code := range codeConstants(t) {
		if strings.Trim(string(code), "abcdefghijklmnopqrstuvwxyz_.") != "" || code == "" {
			t.Errorf("%s = %q, want lower-case words joined by dots", name, code)
		}
	}
}

func TestErrorIsAskedForByItsCode(t *testing.T) {
	stale := Errorf(CodeStale, "第 %d 版", 3)
	tests := []struct {
		name   string
		err    error
		target error
		want   bool
	}{
		{"same code, other words", stale, &Error{Code: CodeStale}, true},
		{"wrapped", fmt.Errorf("store: apply: %w", stale), &Error{Code: CodeStale}, true},
		{"other code", stale, &Error{Code: CodeState}, false},
		{"no *Error", errors.New("notice.stale: 第 3 版"), &Error{Code: CodeStale}, false},
		{"target is no *Error", stale, errors.ErrUnsupported, false},
	}
	for _, tt := range tests {
		if got := errors.Is(tt.err, tt.target); got != tt.want {
			t.Errorf("%s: Is(%v, %v) = %t, want %t", tt.name, tt.err, tt.target, got, tt.want)
		}
	}
}

func TestErrorText(t *testing.T) {
	tests := []struct {
		name string
		err  *Error
		want string
	}{
		{"code and detail", Errorf(CodeStale, "已有第 %d 版", 2), "notice.stale: 已有第 2 版"},
		{"a field repeats them", Errorf(CodeParam, "超出范围").On("limit"),
			"request.invalid: 超出范围; limit: 超出范围 (request.invalid)"},
		{"two fields", Errorf(CodeScope, "不适用").On("body").On("items[0]"),
			"auth.scope: 不适用; body: 不适用 (auth.scope); items[0]: 不适用 (auth.scope)"},
	}
	for _, tt := range tests {
		if got := tt.err.Error(); got != tt.want {
			t.Errorf("%s: Error() = %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestInvalidCountsTheFaults(t *testing.T) {
	a := FieldError{Field: "title", Code: "field.required", Message: "请填写标题"}
	b := FieldError{Field: "body", Code: "reference.unknown", Message: "目录中没有“x”"}
	tests := []struct {
		name   string
		faults []FieldError
		want   string
	}{
		{"one speaks for itself", []FieldError{a}, "请填写标题"},
		{"two are counted, the first is said", []FieldError{a, b}, "有 2 处需要修改，第一处：请填写标题"},
	}
	for _, tt := range tests {
		err, ok := errors.AsType[*Error](invalid(CodeInvalid, tt.faults))
		if !ok || err.Detail != tt.want || len(err.Fields) != len(tt.faults) {
			t.Errorf("%s: invalid(%v) = %v, want detail %q", tt.name, tt.faults, err, tt.want)
		}
	}
	if err := invalid(CodeInvalid, nil); err != nil {
		t.Errorf("invalid(nil) = %v, want nil", err)
	}
}
