package main

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// bombs sends what has blown up other servers. Each must be refused at once and
// cost no memory to speak of.
func bombs(ctx context.Context, l *lab) (outcome, error) {
	_, n, o, err := l.alone(ctx)
	if err != nil {
		return outcome{}, err
	}
	before, err := n.memory()
	if err != nil {
		return outcome{}, err
	}
	packed := inflated(512 << 20)
	sheet, tall := workbook(200<<20, 0), workbook(0, 1_000_000)
	drafts := "/api/v1/staff/notices"
	cases := []struct {
		name, path string
		header     map[string]string
		body       []byte
		want       int
	}{
		{"gzip", drafts, map[string]string{"Content-Encoding": "gzip"}, packed, 415},
		{"gzip twice", drafts, map[string]string{"Content-Encoding": "gzip, gzip"}, packed, 415},
		{"brotli", drafts, map[string]string{"Content-Encoding": "br"}, packed, 415},
		{"deflate", drafts, map[string]string{"Content-Encoding": "deflate"}, packed, 415},
		{"nested", drafts, nil, []byte(strings.Repeat("[", 500_000)), 400},
		{"nested members", drafts, nil, []byte(strings.Repeat(`{"fields":`, 90_000)), 400},
		{"10 MB", drafts, nil, bytes.Repeat([]byte(" "), 10<<20), 413},
		{"upload of 30 MB", "/api/v1/staff/attachments", map[string]string{"Content-Type": "multipart/form-data; boundary=x"}, bytes.Repeat([]byte("x"), 30<<20), 413},
		{"multipart gzip", "/api/v1/staff/attachments", multipartHeader("gzip"), multipartOf("a.pdf", packed), 415},
		{"gzip in a part", "/api/v1/staff/imports", multipartHeader(""), multipartOf("a.csv", packed), 422},
		{"workbook of 200 MiB", "/api/v1/staff/imports", multipartHeader(""), multipartOf("a.xlsx", sheet), 422},
		{"workbook of a million rows", "/api/v1/staff/imports", multipartHeader(""), multipartOf("a.xlsx", tall), 422},
		{"workbook with ../ in it", "/api/v1/staff/imports", multipartHeader(""), multipartOf("a.xlsx", slipped()), 422},
		{"header", drafts, map[string]string{"X-Filler": strings.Repeat("x", 64<<10)}, []byte("{}"), 431},
	}
	slowest, wrong := time.Duration(0), ""
	for _, c := range cases {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, n.url+c.path, bytes.NewReader(c.body))
		if err != nil {
			return outcome{}, err
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Authorization", "Bearer "+o.editor)
		for k, v := range c.header {
			req.Header.Set(k, v)
		}
		start := time.Now()
		res, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 20 * time.Second}).Do(req)
		took := time.Since(start)
		var said []byte
		status := 0 // the server may close before it was sent everything
		if err == nil {
			status = res.StatusCode
			said, _ = io.ReadAll(io.LimitReader(res.Body, 300))
			_ = res.Body.Close()
		}
		slowest = max(slowest, took)
		if status != c.want && (status != 0 || c.want != 413 && c.want != 431) {
			wrong += fmt.Sprintf(" %s: %d, want %d: %s;", c.name, status, c.want, said)
		}
	}
	after, err := n.memory()
	if err != nil {
		return outcome{}, err
	}
	grown := (after - before) >> 20
	return outcome{figure: fmt.Sprintf("%d bombs, slowest answer %d ms, memory +%d MiB%s", len(cases), slowest.Milliseconds(), grown, wrong),
		mark: "≤ 1000 ms, ≤ +64 MiB, all refused", passed: wrong == "" && grown <= 64 && slowest <= time.Second}, nil
}

// inflated is a gzip stream of n zero bytes.
func inflated(n int64) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = io.CopyN(w, zeros{}, n) // memory does not fail
	_ = w.Close()
	return b.Bytes()
}

// multipartHeader is the header of a form; encoding "" is none.
func multipartHeader(encoding string) map[string]string {
	h := map[string]string{"Content-Type": "multipart/form-data; boundary=prove"}
	if encoding != "" {
		h["Content-Encoding"] = encoding
	}
	return h
}

// multipartOf is a form with one file, which says of itself that it is gzip, and
// the type of the notices in it.
func multipartOf(name string, data []byte) []byte {
	head := "--prove\r\nContent-Disposition: form-data; name=\"type\"\r\n\r\n" + tender + "\r\n--prove\r\nContent-Disposition: form-data; name=\"file\"; filename=\"" + name + "\"\r\nContent-Encoding: gzip\r\n\r\n"
	return slices.Concat([]byte(head), data, []byte("\r\n--prove--\r\n"))
}

const sheetHead = `<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>`

// workbook is an .xlsx whose sheet is padded to a size, or has a number of rows.
func workbook(size int64, rows int) []byte {
	return zipped(map[string]func(io.Writer){"xl/worksheets/sheet1.xml": func(w io.Writer) {
		_, _ = io.WriteString(w, sheetHead)
		for i := range rows {
			_, _ = fmt.Fprintf(w, `<row r="%d"><c r="A%d"><v>1</v></c></row>`, i+1, i+1)
		}
		_, _ = io.CopyN(w, spaces{}, size)
		_, _ = io.WriteString(w, `</sheetData></worksheet>`)
	}})
}

// slipped is an .xlsx with a member that would be written outside.
func slipped() []byte {
	return zipped(map[string]func(io.Writer){"../../../../tmp/gongkai-slipped": func(w io.Writer) { _, _ = io.WriteString(w, "x") },
		"xl/worksheets/sheet1.xml": func(w io.Writer) { _, _ = io.WriteString(w, sheetHead+`</sheetData></worksheet>`) }})
}

// zipped is the archive around a sheet that makes it a workbook.
func zipped(members map[string]func(io.Writer)) []byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	parts := map[string]string{
		"[Content_Types].xml":        `<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/><Override PartName="/xl/worksheets/sheet1.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/></Types>`,
		"_rels/.rels":                `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>`,
		"xl/workbook.xml":            `<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets><sheet name="a" sheetId="1" r:id="rId1"/></sheets></workbook>`,
		"xl/_rels/workbook.xml.rels": `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.xml"/></Relationships>`,
	}
	for name, text := range parts {
		members[name] = func(w io.Writer) { _, _ = io.WriteString(w, text) }
	}
	for name, write := range members {
		w, err := z.Create(name)
		if err != nil {
			panic(err) // memory does not fail
		}
		write(w)
	}
	_ = z.Close()
	return b.Bytes()
}

type spaces struct{}

func (spaces) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// pooled is how many KiB a connection may leave behind: its buffers, for those
// that come next. They outlive two collections, and a Go program with nothing to
// do collects every two minutes, so that nothing of it is back in one.
const pooled = 48

// slowloris opens connections that send a header byte by byte while good people
// read.
func slowloris(ctx context.Context, l *lab) (outcome, error) {
	_, n, o, err := l.alone(ctx)
	if err != nil {
		return outcome{}, err
	}
	made, err := o.publishTender(ctx, n)
	if err != nil {
		return outcome{}, err
	}
	good := func(d time.Duration) tally {
		var t tally
		load{rate: 200, see: t.see, next: func() (*node, string) { return n, "/api/v1/notices/" + made.code }}.forAWhile(ctx, d)
		return t
	}
	base := good(3 * time.Second)
	before, err := n.memory()
	if err != nil {
		return outcome{}, err
	}
	bad, stop := context.WithCancel(ctx)
	defer stop()
	connections := l.form.pick(200, 1000, 2000)
	dripping := dripAll(bad, connections, strings.TrimPrefix(n.url, "http://"))
	var held []float64
	var counting sync.WaitGroup
	counting.Go(func() { held = n.openFiles(bad) })
	t := good(time.Duration(l.form.pick(3, 12, 60)) * time.Second)
	stop()
	counting.Wait()
	if err := dripping(); err != nil {
		return outcome{}, err
	}
	wait(ctx, 10*time.Second)
	after, err := n.memory()
	if err != nil {
		return outcome{}, err
	}
	p, q, open := base.times.at(0.99), t.times.at(0.99), 0.0
	if len(held) > 0 {
		open = median(held)
	}
	kept := (after - before) >> 10 / int64(connections)
	return outcome{figure: fmt.Sprintf("%d drip, %.0f files open at once; good readers: %s, p99 %.1f → %.1f ms; memory %+d MiB after, %d KiB a connection", connections, open, &t,
		ms(p), ms(q), (after-before)>>20, kept),
		mark: "≥ 90 % open at once; 0 failed; p99 ≤ 2 × or ≤ 20 ms; ≤ 48 KiB a connection",
		passed: open >= 0.9*float64(connections) && t.failed+t.refused+base.failed == 0 && t.ok > 100 &&
			q <= max(2*p, 20*time.Millisecond) && kept <= pooled}, nil
}

// openFiles says each half second how many files and connections the program has
// open, until ctx ends.
func (n *node) openFiles(ctx context.Context) (counts []float64) {
	for wait(ctx, time.Second); ctx.Err() == nil; wait(ctx, 500*time.Millisecond) {
		if open, err := n.metric("process_open_fds"); err == nil {
			counts = append(counts, open)
		}
	}
	return counts
}

// dripEvery is how long each waits between two bytes.
const dripEvery = 500 * time.Millisecond

// dripAll lets so many drip until ctx ends, one after the other, so that what it
// costs to drip does not come all at once. The function it returns waits for all
// of them and says what kept any from it.
func dripAll(ctx context.Context, connections int, addr string) (ended func() error) {
	var dripping sync.WaitGroup
	errs := make([]error, connections)
	for i := range connections {
		dripping.Go(func() {
			wait(ctx, time.Duration(i)*dripEvery/time.Duration(connections))
			errs[i] = drip(ctx, addr)
		})
	}
	return func() error {
		dripping.Wait()
		for _, err := range errs {
			if err != nil {
				return err // the others say the same
			}
		}
		return nil
	}
}

// drip keeps sending one request that never ends, again when it is cut off. Not
// to be let in is an error.
func drip(ctx context.Context, addr string) error {
	for ctx.Err() == nil {
		conn, err := (&net.Dialer{Timeout: 5 * time.Second}).DialContext(ctx, "tcp", addr)
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("no connection to drip on: %w", err)
		}
		_, err = io.WriteString(conn, "GET /api/v1/notices HTTP/1.1\r\nHost: a\r\nX: ")
		for err == nil && ctx.Err() == nil {
			wait(ctx, dripEvery)
			_, err = io.WriteString(conn, "x")
		}
		_ = conn.Close()
	}
	return nil
}

// spoofed pretends to be many people from one address, and one person behind
// many forged ones.
func spoofed(ctx context.Context, l *lab) (outcome, error) {
	const burst, asked = 20, 60
	limits := []string{"--limits.rate", "1", "--limits.burst", fmt.Sprint(burst)}
	_, direct, _, err := l.alone(ctx, limits...)
	if err != nil {
		return outcome{}, err
	}
	_, behind, _, err := l.alone(ctx, append(limits, "--limits.trusted-proxies", "127.0.0.1/32")...)
	if err != nil {
		return outcome{}, err
	}
	client := &http.Client{Timeout: 10 * time.Second}
	var strange error
	count := func(n *node, forwarded func(i int) string) int {
		ok := 0
		for i := range asked {
			a := load{header: func() http.Header { return http.Header{"X-Forwarded-For": {forwarded(i)}} }}.get(client, n, "/api/v1/feeds/all.atom")
			passed, err := letThrough(a)
			if strange = errors.Join(strange, err); passed {
				ok++
			}
		}
		return ok
	}
	near := func(n, want int) bool { return n >= want-1 && n <= want+2 } // the bucket gets one more each second that it is asked
	lies := count(direct, func(i int) string { return fmt.Sprintf("10.9.8.%d", i) })
	prefixed := count(behind, func(i int) string { return fmt.Sprintf("198.51.100.%d, 203.0.113.7", i) })
	neighbours := count(behind, func(i int) string { return fmt.Sprintf("2001:db8:1:2::%x", i+1) })
	others := count(behind, func(i int) string { return fmt.Sprintf("2001:db8:1:%x::1", i+16) })
	return outcome{figure: fmt.Sprintf("of %d requests passed: forged without a proxy %d, forged prefix %d, one IPv6 /64 %d, %d networks %d",
		asked, lies, prefixed, neighbours, asked, others),
		mark: fmt.Sprintf("%d each, −1 to +2 as a bucket refills while it is asked; %d", burst, asked),
		// Hiring has used some of the first bucket.
		passed: lies <= burst+2 && lies >= burst/2 && near(prefixed, burst) && near(neighbours, burst) && others == asked}, strange
}

// letThrough tells an answer from a refusal by the limit; anything else is
// neither.
func letThrough(a answer) (bool, error) {
	switch a.status {
	case http.StatusOK, http.StatusTooManyRequests:
		return a.status == http.StatusOK, a.err
	}
	return false, fmt.Errorf("%s: status %d, %w: %.200s", a.path, a.status, a.err, a.body)
}
