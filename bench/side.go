package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"text/tabwriter"
)

const (
	listPath   = "/api/v1/notices?sector=procurement"
	searchPath = "/api/v1/notices?q=%E9%87%87%E8%B4%AD" // 采购
	detailPath = "/api/v1/notices/"
)

// rivals are the servers of a side-by-side run; pocketbase and redis are nil
// where there is none.
type rivals struct {
	gongkai, bare, redis, nginx, pocketbase *server
}

func (r *rivals) stop() {
	for _, v := range []*server{r.gongkai, r.bare, r.redis, r.nginx, r.pocketbase} {
		if v != nil {
			v.stop()
		}
	}
}

// side measures answers from cache beside the same bytes sent by others, and
// beside PocketBase with the same rows.
func (s settings) side(ctx context.Context) error {
	var r rivals
	defer r.stop()
	var err error
	if r.gongkai, err = s.gongkai(ctx, "--database", "sqlite:"+s.database()); err != nil {
		return err
	}
	b, err := collect(r.gongkai)
	if err != nil {
		return err
	}
	if err := s.startRivals(ctx, &r, b); err != nil {
		return err
	}
	_, nginxHeader, err := get(r.nginx.url + "/list.json")
	if err != nil {
		return err
	}
	fmt.Printf("list of 20: %d bytes, gzip %d; notice: %d bytes; search: %d bytes\n",
		len(b.files["list.json"]), len(b.files["list.json.gz"]), len(b.files["detail.json"]), len(b.files["search.json"]))
	for _, part := range comparisons(r, b, nginxHeader.Get("ETag"), s.notices) {
		if _, err := s.compare(ctx, part.title, part.targets); err != nil {
			return err
		}
	}
	return r.memory()
}

// served is what gongkai answered, for its rivals to send again.
type served struct {
	files map[string][]byte
	code  string // of the notice
	etag  string // of the list
}

func collect(g *server) (served, error) {
	b := served{files: map[string][]byte{}}
	list, header, err := get(g.url + listPath)
	if err != nil {
		return b, err
	}
	b.etag = header.Get("ETag")
	if b.code, err = firstCode(list); err != nil {
		return b, err
	}
	b.files["list.json"] = list
	if b.files["detail.json"], _, err = get(g.url + detailPath + b.code); err != nil {
		return b, err
	}
	if b.files["search.json"], _, err = get(g.url + searchPath); err != nil {
		return b, err
	}
	var packed bytes.Buffer
	w, err := gzip.NewWriterLevel(&packed, 6)
	if err != nil {
		return b, err
	}
	if _, err := w.Write(list); err != nil {
		return b, err
	}
	err = w.Close()
	b.files["list.json.gz"] = packed.Bytes()
	return b, err
}

func firstCode(list []byte) (string, error) {
	_, rest, ok := strings.Cut(string(list), `"code":"`)
	if !ok || len(rest) < 8 {
		return "", errors.New("the list is empty")
	}
	return rest[:8], nil
}

func (s settings) startRivals(ctx context.Context, r *rivals, b served) (err error) {
	if r.bare, err = s.startFiber(ctx, b.files, ""); err != nil {
		return err
	}
	if r.nginx, err = s.startNginx(ctx, b.files); err != nil {
		return err
	}
	if s.redis == "" {
		fmt.Println("no Redis given: the handler that asks it is left out")
	} else if r.redis, err = s.startFiber(ctx, b.files, s.redis); err != nil {
		return err
	}
	r.pocketbase, err = s.startPocketBase(ctx, s.notices)
	return err
}

// comparison is one question and who answers it; the first is gongkai.
type comparison struct {
	title   string
	targets []target
}

func comparisons(r rivals, b served, nginxETag string, notices int) []comparison {
	gz, same := []string{"Accept-Encoding: gzip"}, func(etag string) []string { return []string{"If-None-Match: " + etag} }
	of := func(v *server, name, path string, asked float64, headers ...string) target {
		return target{name: name, by: v, path: path, headers: headers, asked: asked}
	}
	plain := func(title, path, file string, peer target) comparison {
		peer.conns, peer.longer = 4, 3 // it takes seconds for a search, and more callers would only wait
		return comparison{title, []target{of(r.gongkai, "gongkai", path, 0), of(r.bare, "bare fiber", file, 0.95),
			of(r.nginx, "nginx", file, 0.80), of(r.redis, "fiber and a Redis GET", file, 0), peer}}
	}
	lists := 150.0
	if notices < 100_000 {
		lists = 0 // it is asked of a hundred thousand: a tenth of them PocketBase sorts in half the time
	}
	records := "/api/collections/notices/records"
	return []comparison{
		plain("list of 20, plain", listPath, "/list.json", of(r.pocketbase, "PocketBase 0.40.4", pocketList, lists)),
		plain("one notice, plain", detailPath+b.code, "/detail.json",
			of(r.pocketbase, "PocketBase 0.40.4", records+"/n00000000000007?fields="+pocketFields+",content", 0)),
		plain("search for 采购, plain", searchPath, "/search.json",
			of(r.pocketbase, "PocketBase 0.40.4, titles only", records+"?perPage=20&sort=-published_at&filter="+
				url.QueryEscape("title~'采购'")+"&fields="+pocketFields, 0)),
		{"list, gzip", []target{of(r.gongkai, "gongkai", listPath, 0, gz...), of(r.nginx, "nginx gzip_static", "/list.json", 0.65, gz...)}},
		{"list, 304", []target{of(r.gongkai, "gongkai", listPath, 0, same(b.etag)...), of(r.bare, "bare fiber", "/304", 0, same(bareETag)...),
			of(r.nginx, "nginx sending it, gzip", "/list.json", 1, gz...), of(r.nginx, "nginx's own 304", "/list.json", 0, same(nginxETag)...),
			of(r.redis, "fiber and a Redis GET", "/304", 0, same(bareETag)...)}},
	}
}

// memory prints what each rival holds after the load.
func (r *rivals) memory() error {
	fmt.Println("\nanonymous memory after the load")
	tw := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	for _, v := range []struct {
		name string
		*server
	}{{"gongkai", r.gongkai}, {"bare fiber", r.bare}, {"nginx", r.nginx}, {"fiber and a Redis GET", r.redis}, {"PocketBase", r.pocketbase}} {
		if v.server == nil {
			continue
		}
		n, err := v.memory()
		if err != nil {
			return err
		}
		fmt.Fprintf(tw, "%s\t%.1f MB\n", v.name, n)
	}
	return tw.Flush()
}
