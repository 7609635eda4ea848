package speech

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// Sentence fills a template such as "招标人是{tenderer}，最高投标限价{control_price}。"
// with values as people read them, and returns it as it is said. A clause – up
// to and including its ，；or 。– that names a value which is absent or empty is
// left out, so one template serves notices with and without optional fields.
func Sentence(template string, values map[string]string) string {
	var b strings.Builder
	for clause := range clauses(template) {
		if text, ok := fill(clause, values); ok {
			b.WriteString(text)
		}
	}
	return closed(Text(b.String()))
}

// closed ends text with a full stop unless it ends a sentence already.
func closed(s string) string {
	last, size := utf8.DecodeLastRuneInString(s)
	switch {
	case s == "" || strength(last) >= strength('。'):
		return s
	case isMark(last):
		s = s[:len(s)-size]
	}
	return s + "。"
}

// clauses yields the clauses of a template.
func clauses(template string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		start := 0
		for i, r := range template {
			if r == '，' || r == '；' || r == '。' {
				end := i + utf8.RuneLen(r)
				if !yield(template[start:end]) {
					return
				}
				start = end
			}
		}
		if start < len(template) {
			yield(template[start:])
		}
	}
}

// fill replaces the names in braces; false if one has no value.
func fill(clause string, values map[string]string) (string, bool) {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(clause, "{")
		b.WriteString(before)
		if !found {
			return b.String(), true
		}
		name, after, whole := strings.Cut(rest, "}")
		v := strings.TrimSpace(values[name])
		if !whole || v == "" {
			return "", false
		}
		b.WriteString(v)
		clause = after
	}
}

// Names lists the values a template names, in order, each once.
func Names(template string) []string {
	var names []string
	for rest := template; ; {
		_, after, found := strings.Cut(rest, "{")
		name, tail, whole := strings.Cut(after, "}")
		if !found || !whole {
			return names
		}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
		rest = tail
	}
}

// Pages cuts spoken text into pages of at most limit characters of Len, at the
// ends of sentences where that leaves half a page, else at a comma, else at any
// pause, else anywhere. Every page ends its sentence; a list cut at its 、 would
// say that its beginning is all of it. limit must be at least 2.
func Pages(text string, limit int) []string {
	var pages []string
	for text != "" {
		n, end := 0, 0
		var cut [3]int // after a full stop, after a comma, after any pause
		for i, r := range text {
			if !isMark(r) {
				if n == limit {
					break
				}
				n++
			}
			end = i + utf8.RuneLen(r)
			if !isMark(r) || r == '：' { // what a colon announces stays with it
				continue
			}
			cut[2] = end
			if n*2 >= limit && strength(r) >= strength('，') {
				cut[1] = end
				if strength(r) >= strength('；') {
					cut[0] = end
				}
			}
		}
		switch {
		case end == len(text):
		case cut[0] > 0:
			end = cut[0]
		case cut[1] > 0:
			end = cut[1]
		case cut[2] > 0:
			end = cut[2]
		}
		if page := closed(strings.TrimLeft(text[:end], marks)); page != "" {
			pages = append(pages, page)
		}
		text = strings.TrimLeft(text[end:], marks)
	}
	return pages
}
