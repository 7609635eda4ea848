package extract

import (
	"bytes"
	"compress/flate"
	"encoding/ascii85"
	"errors"
	"io"
	"maps"
	"strconv"
)

// document is a PDF: its objects by number. The table of positions is not
// trusted; the objects are found by reading the file, and of several with one
// number the last counts, as updates are appended.
type document struct {
	*job
	data      []byte
	at        map[int]int // object number → position of its value
	packed    map[int]any // objects that stand in an object stream
	cache     map[int]any
	encrypted bool
	trailer   dict
}

func (j *job) openPDF(data []byte) (*document, error) {
	d := &document{job: j, data: data, at: map[int]int{}, packed: map[int]any{}, cache: map[int]any{}, trailer: dict{}}
	for pos := 0; ; {
		i := bytes.Index(data[pos:], []byte("trailer"))
		if i < 0 {
			break
		}
		pos += i + len("trailer")
		d.readTrailer(pos)
		if err := j.ctx.Err(); err != nil {
			return nil, err
		}
	}
	var streams []int
	for pos, n := 0, 0; pos < len(data); {
		i := bytes.Index(data[pos:], []byte("obj"))
		if i < 0 {
			break
		}
		pos += i + len("obj")
		number, ok := objectNumber(data, pos-len("obj"))
		if !ok {
			continue
		}
		if n++; n > j.limits.Entries*20 {
			return nil, errLimit
		}
		d.at[number] = pos
		delete(d.packed, number)
		next, isStream := d.skipObject(pos)
		if isStream {
			streams = append(streams, number)
		}
		pos = next
		if err := j.ctx.Err(); err != nil {
			return nil, err
		}
	}
	if d.encrypted {
		return d, nil
	}
	for _, n := range streams {
		if err := d.unpack(n); err != nil {
			return nil, err
		}
	}
	return d, nil
}

func (d *document) readTrailer(pos int) {
	l := lexer{data: d.data, pos: pos}
	if t, ok := l.next().(dict); ok {
		d.noteTrailer(t)
	}
}

func (d *document) noteTrailer(t dict) {
	if t["Encrypt"] != nil {
		d.encrypted = true
	}
	maps.Copy(d.trailer, t)
}

// objectNumber reads "12 0 " backwards from the word obj.
func objectNumber(data []byte, at int) (int, bool) {
	i := at
	blanks := func() bool {
		from := i
		for i > 0 && isBlank(data[i-1]) {
			i--
		}
		return i < from
	}
	digits := func() []byte {
		to := i
		for i > 0 && data[i-1] >= '0' && data[i-1] <= '9' && to-i < 10 {
			i--
		}
		return data[i:to]
	}
	if !blanks() || len(digits()) == 0 || !blanks() {
		return 0, false
	}
	n, err := strconv.Atoi(string(digits()))
	return n, err == nil
}

// skipObject returns where to look for the next object, past the bytes of a
// stream, and whether there was one that may hold objects.
func (d *document) skipObject(pos int) (int, bool) {
	l := lexer{data: d.data, pos: pos}
	v, ok := l.next().(dict)
	if !ok {
		return pos, false
	}
	l.skip()
	if !bytes.HasPrefix(d.data[l.pos:], []byte("stream")) {
		return max(l.pos, pos), false
	}
	if v["Type"] == name("XRef") {
		d.noteTrailer(v)
	}
	i := bytes.Index(d.data[l.pos:], []byte("endstream"))
	if i < 0 {
		return len(d.data), v["Type"] == name("ObjStm")
	}
	return l.pos + i + len("endstream"), v["Type"] == name("ObjStm")
}

// object returns the object with the number, or nil.
func (d *document) object(n int) any {
	if v, ok := d.cache[n]; ok {
		return v
	}
	var v any
	if pos, ok := d.at[n]; ok {
		v = d.readObject(pos)
	} else {
		v = d.packed[n]
	}
	d.cache[n] = v
	return v
}

func (d *document) readObject(pos int) any {
	l := lexer{data: d.data, pos: pos}
	v := l.next()
	head, ok := v.(dict)
	if !ok {
		return v
	}
	l.skip()
	if !bytes.HasPrefix(d.data[l.pos:], []byte("stream")) {
		return v
	}
	start := l.pos + len("stream")
	if start < len(d.data) && d.data[start] == '\r' {
		start++
	}
	if start < len(d.data) && d.data[start] == '\n' {
		start++
	}
	stop := -1
	if n, ok := d.resolve(head["Length"]).(float64); ok && n >= 0 && start+int(min(n, 1<<30)) <= len(d.data) {
		after := start + int(n)
		if bytes.HasPrefix(bytes.TrimLeft(d.data[after:min(after+16, len(d.data))], "\r\n "), []byte("endst")) {
			stop = after
		}
	}
	if stop < 0 {
		i := bytes.Index(d.data[start:], []byte("endstream"))
		if i < 0 {
			i = len(d.data) - start
		}
		stop = start + i
	}
	return stream{head, d.data[start:stop]}
}

// resolve follows a reference; chains of them are cut short.
func (d *document) resolve(v any) any {
	for range 8 {
		r, ok := v.(ref)
		if !ok {
			return v
		}
		v = d.object(int(r))
	}
	return nil
}

func (d *document) dict(v any) dict {
	switch v := d.resolve(v).(type) {
	case dict:
		return v
	case stream:
		return v.dict
	}
	return nil
}

func (d *document) list(v any) list {
	l, _ := d.resolve(v).(list)
	return l
}

func (d *document) number(v any) float64 {
	n, _ := d.resolve(v).(float64)
	return n
}

// unpack reads the objects in an object stream.
func (d *document) unpack(n int) error {
	s, ok := d.object(n).(stream)
	if !ok {
		return nil
	}
	body, err := d.decode(s)
	if err != nil {
		return err
	}
	count, first := int(d.number(s.dict["N"])), int(d.number(s.dict["First"]))
	heads := lexer{data: body}
	for range min(max(count, 0), d.limits.Entries*4) {
		number, ok := heads.next().(float64)
		offset, ok2 := heads.next().(float64)
		if !ok || !ok2 || first < 0 || offset < 0 || first+int(offset) >= len(body) {
			return nil
		}
		if _, plain := d.at[int(number)]; !plain {
			l := lexer{data: body, pos: first + int(offset)}
			d.packed[int(number)] = l.next()
		}
	}
	return nil
}

// decode undoes a stream's filters, as far as they are for text. A filter that
// is not known leaves nothing, and the file is not whole.
func (d *document) decode(s stream) ([]byte, error) {
	data := s.raw
	filters := d.list(s.dict["Filter"])
	if f, ok := d.resolve(s.dict["Filter"]).(name); ok {
		filters = list{f}
	}
	params := d.list(s.dict["DecodeParms"])
	if p, ok := d.resolve(s.dict["DecodeParms"]).(dict); ok {
		params = list{p}
	}
	for i, f := range filters {
		var r io.Reader
		switch d.resolve(f) {
		case name("FlateDecode"), name("Fl"):
			if len(data) < 2 {
				return nil, nil
			}
			r = flate.NewReader(bytes.NewReader(data[2:])) // its checksum is not needed
		case name("ASCII85Decode"), name("A85"):
			data, _, _ = bytes.Cut(data, []byte("~>"))
			r = ascii85.NewDecoder(bytes.NewReader(data))
		case name("ASCIIHexDecode"), name("AHx"):
			l := lexer{data: append([]byte("<"), data...)}
			plain, _ := l.next().(text)
			r = bytes.NewReader(plain)
		default:
			d.whole = false
			return nil, nil
		}
		out, err := readPiece(metered{d.job, r})
		if err != nil && (errors.Is(err, errLimit) || d.ctx.Err() != nil) {
			return nil, errLimit
		}
		if err != nil && len(out) == 0 {
			d.whole = false // damaged; what came before the damage is read
		}
		data = out
		if i < len(params) {
			data = d.predict(data, d.dict(params[i]))
		}
	}
	return data, nil
}

// predict undoes the PNG filters that a stream's rows may have.
func (d *document) predict(data []byte, params dict) []byte {
	if d.number(params["Predictor"]) < 10 {
		return data
	}
	bits, colors := d.number(params["BitsPerComponent"]), d.number(params["Colors"])
	if bits == 0 {
		bits = 8
	}
	pixel := max(int(bits*max(colors, 1))/8, 1)
	columns := int(max(d.number(params["Columns"]), 1))
	if columns > 1<<20 || pixel > 64 {
		d.whole = false
		return nil
	}
	width := columns * pixel
	var out []byte
	prev := make([]byte, width)
	for len(data) > width {
		kind, row := data[0], bytes.Clone(data[1:width+1])
		for i := range row {
			var left, corner byte
			if i >= pixel {
				left, corner = row[i-pixel], prev[i-pixel]
			}
			row[i] += pngFilter(kind, left, prev[i], corner)
		}
		out, prev, data = append(out, row...), row, data[width+1:]
	}
	return out
}

func pngFilter(kind, left, up, corner byte) byte {
	switch kind {
	case 1:
		return left
	case 2:
		return up
	case 3:
		return byte((int(left) + int(up)) / 2)
	case 4:
		p := int(left) + int(up) - int(corner)
		a, b, c := abs(p-int(left)), abs(p-int(up)), abs(p-int(corner))
		if a <= b && a <= c {
			return left
		}
		if b <= c {
			return up
		}
		return corner
	}
	return 0
}

func abs(n int) int {
	if n < 0 {
		return -n
	}
	return n
}
