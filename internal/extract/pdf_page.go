package extract

import (
	"math"
	"slices"
	"strings"
)

// page reads the text that one page draws, in the order it is drawn.
type page struct {
	*document
	fonts    map[ref]*font
	out      strings.Builder
	pictures bool
	steps    int

	font      *font
	size      float64
	leading   float64
	line      matrix // of the line of text
	text      matrix // of the next character
	current   matrix // of the page
	saved     []matrix
	resources []dict

	wrote        bool
	lastX, lastY float64 // where the last character ended
}

// matrix is [a b c d e f] of ISO 32000-1 §8.3.4.
type matrix [6]float64

var unit = matrix{1, 0, 0, 1, 0, 0}

// then applies n after m.
func (m matrix) then(n matrix) matrix {
	return matrix{m[0]*n[0] + m[1]*n[2], m[0]*n[1] + m[1]*n[3], m[2]*n[0] + m[3]*n[2], m[2]*n[1] + m[3]*n[3],
		m[4]*n[0] + m[5]*n[2] + n[4], m[4]*n[1] + m[5]*n[3] + n[5]}
}

func (p *page) read(def dict) error {
	resources := def["Resources"]
	for parent, n := def, 0; resources == nil && parent != nil && n < 32; n++ {
		parent = p.dict(parent["Parent"])
		resources = parent["Resources"]
	}
	var body []byte
	contents := p.resolve(def["Contents"])
	streams := list{contents}
	if l, ok := contents.(list); ok {
		streams = l
	}
	for _, v := range streams {
		s, ok := p.resolve(v).(stream)
		if !ok {
			continue
		}
		part, err := p.decode(s)
		if err != nil {
			return err
		}
		body = append(append(body, part...), '\n')
	}
	p.current = unit
	if err := p.draw(body, p.dict(resources)); err != nil {
		return err
	}
	for _, a := range p.list(def["Annots"]) { // what fields look like
		normal := p.resolve(p.dict(p.dict(a)["AP"])["N"])
		if s, ok := normal.(stream); ok {
			if err := p.form(s); err != nil {
				return err
			}
		}
	}
	return nil
}

// draw carries out a content stream, as far as it shows text.
func (p *page) draw(body []byte, resources dict) error {
	p.resources = append(p.resources, resources)
	defer func() { p.resources = p.resources[:len(p.resources)-1] }()
	l := lexer{data: body}
	var args []any
	for {
		v := l.next()
		if e, ok := v.(end); ok {
			if e == 0 {
				return nil
			}
			continue
		}
		op, ok := v.(operator)
		if !ok {
			if args = append(args, v); len(args) > 64 {
				args = args[1:]
			}
			continue
		}
		if p.steps++; p.steps%256 == 0 {
			if err := p.ctx.Err(); err != nil {
				return err
			}
		}
		if op == "BI" {
			p.skipImage(&l)
		} else if err := p.do(string(op), args); err != nil {
			return err
		}
		args = args[:0]
	}
}

// skipImage passes over a picture that stands in the stream itself.
func (p *page) skipImage(l *lexer) {
	p.pictures = true
	for l.pos < len(l.data) {
		i := strings.Index(string(l.data[l.pos:min(l.pos+1<<16, len(l.data))]), "EI")
		if i < 0 {
			l.pos = min(l.pos+1<<16-1, len(l.data))
			continue
		}
		l.pos += i + 2
		if isBlank(l.peek(0)) {
			return
		}
	}
}

func (p *page) do(op string, args []any) error {
	num := func(i int) float64 {
		if i < len(args) {
			v, _ := args[i].(float64)
			return v
		}
		return 0
	}
	switch op {
	case "q":
		if len(p.saved) < 1000 {
			p.saved = append(p.saved, p.current)
		}
	case "Q":
		if n := len(p.saved); n > 0 {
			p.current, p.saved = p.saved[n-1], p.saved[:n-1]
		}
	case "cm":
		p.current = matrix{num(0), num(1), num(2), num(3), num(4), num(5)}.then(p.current)
	case "BT":
		p.line, p.text = unit, unit
	case "Tf":
		if len(args) == 2 {
			p.setFont(args[0])
			p.size = num(1)
		}
	case "TL":
		p.leading = num(0)
	case "Td", "TD":
		if op == "TD" {
			p.leading = -num(1)
		}
		p.moveLine(num(0), num(1))
	case "Tm":
		p.line = matrix{num(0), num(1), num(2), num(3), num(4), num(5)}
		p.text = p.line
	case "T*":
		p.moveLine(0, -p.leading)
	case "'", "\"":
		p.moveLine(0, -p.leading)
		if len(args) > 0 {
			p.show(args[len(args)-1])
		}
	case "Tj":
		p.show(first(args))
	case "TJ":
		p.showAll(first(args))
	case "Do":
		return p.paint(first(args))
	}
	return nil
}

func first(args []any) any {
	if len(args) == 0 {
		return nil
	}
	return args[0]
}

func (p *page) moveLine(dx, dy float64) {
	p.line = matrix{1, 0, 0, 1, dx, dy}.then(p.line)
	p.text = p.line
}

// advance moves the pen along the line, in units of the text.
func (p *page) advance(dx float64) { p.text = matrix{1, 0, 0, 1, dx, 0}.then(p.text) }

func (p *page) setFont(v any) {
	key, _ := v.(name)
	for _, v := range slices.Backward(p.resources) {
		def := p.dict(v["Font"])[key]
		if def == nil {
			continue
		}
		r, ok := def.(ref)
		if known := p.fonts[r]; ok && known != nil {
			p.font = known
			return
		}
		p.font = p.document.font(def)
		if ok {
			p.fonts[r] = p.font
		} else {
			p.fonts[ref(-len(p.fonts)-1)] = p.font
		}
		return
	}
}

// show writes a string after what parts it from the one before: nothing when it
// goes on where that ended, a blank or a tab after a gap, a line break on
// another line.
func (p *page) show(v any) {
	t, ok := v.(text)
	if !ok || p.font == nil {
		return
	}
	s, width := p.font.decode(t)
	at := p.text.then(p.current)
	em := max(math.Abs(p.size)*math.Hypot(at[0], at[1]), 1e-3)
	if p.wrote {
		switch gap := at[4] - p.lastX; {
		case math.Abs(at[5]-p.lastY) > em/2:
			p.out.WriteByte('\n')
		case gap > 1.5*em || gap < -2*em:
			p.out.WriteByte('\t')
		case gap > 0.2*em:
			p.out.WriteByte(' ')
		}
	}
	p.out.WriteString(flat(s))
	p.advance(width / 1000 * p.size)
	after := p.text.then(p.current)
	p.lastX, p.lastY, p.wrote = after[4], after[5], true
}

func (p *page) showAll(v any) {
	l, _ := v.(list)
	for _, v := range l {
		if n, ok := v.(float64); ok {
			p.advance(-n / 1000 * p.size)
			continue
		}
		p.show(v)
	}
}

// paint draws a form or notes a picture.
func (p *page) paint(v any) error {
	key, _ := v.(name)
	for _, v := range slices.Backward(p.resources) {
		if s, ok := p.resolve(p.dict(v["XObject"])[key]).(stream); ok {
			if s.dict["Subtype"] != name("Form") {
				p.pictures = true
				return nil
			}
			return p.form(s)
		}
	}
	return nil
}

func (p *page) form(s stream) error {
	if len(p.resources) > maxForms {
		p.whole = false
		return nil
	}
	body, err := p.decode(s)
	if err != nil {
		return err
	}
	outer := p.current
	defer func() { p.current = outer }()
	if m := p.list(s.dict["Matrix"]); len(m) == 6 {
		p.current = matrix{p.number(m[0]), p.number(m[1]), p.number(m[2]), p.number(m[3]), p.number(m[4]), p.number(m[5])}.then(p.current)
	}
	return p.draw(body, p.dict(s.dict["Resources"]))
}
