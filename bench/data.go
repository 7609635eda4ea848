package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/google/uuid"

	"gongkai/internal/disclosure"
	"gongkai/internal/store"
	"gongkai/internal/workday"
)

// benchTypes are the types of the made-up notices, by how common their sectors
// are on a district's platform.
var benchTypes = []struct {
	code   string
	weight int
}{
	{"procurement.tender_notice", 18}, {"procurement.award_result", 16}, {"construction.tender_notice", 18},
	{"construction.candidates", 12}, {"construction.award_result", 12}, {"land.transfer_notice", 8},
	{"property.transfer_notice", 8}, {"housing.allocation_units", 5}, {"medical.procurement_notice", 3},
}

// words fill the bodies: frequent ones first, as in real notices.
var words = strings.Fields(`采购 项目 公告 招标 亭湖区 工程 单位 文件 时间 地点 投标 要求 供应商 资格 合同 金额 盐城市 建设 服务 施工 监督 结果
 中标 候选人 公示 道路 改造 学校 医院 设备 管网 污水 桥梁 河道 小区 绿化 照明 消防 电梯 食堂 保洁 物业 信息化 系统 平台 软件 维护 检测 设计 监理
 勘察 造价 审计 评估 出让 地块 规划 用途 容积率 年限 起始价 保证金 挂牌 拍卖 竞得 转让 租赁 商铺 厂房 车辆 股权 资产 底价 公租房 配租 房源 申请
 家庭 摇号 分配 耗材 试剂 器械 配送 盐东镇 黄尖镇 便仓镇 步凤镇 南洋镇 新兴镇 五星街道 文峰街道 先锋街道 毓龙街道 大洋街道`)

// loadChunk is how many notices are committed at once: the text index writes a
// segment for each transaction, and merging small ones takes longer than all else.
const loadChunk = 2000

// load fills a new SQLite file with n notices, published one a minute. Half of
// one is not kept.
func load(ctx context.Context, file string, n int) (err error) {
	if _, err := os.Stat(file); err == nil {
		return nil // loaded by an earlier run
	}
	if err := enoughDisk(filepath.Dir(file), n); err != nil {
		return err
	}
	part := file + ".part"
	if err := removeAll(part); err != nil { // of a run that was killed
		return err
	}
	defer func() {
		if e := removeAll(part); err == nil { // its lock, or all of it
			err = e
		}
	}()
	s, err := store.Open(ctx, store.Options{URL: "sqlite:" + part})
	if err != nil {
		return err
	}
	g, err := newGenerator(s.Catalog(), n)
	if err != nil {
		return errors.Join(err, s.Close())
	}
	start := time.Now()
	for done := 0; done < n; done += loadChunk {
		var ts []disclosure.Transition
		for i := range min(loadChunk, n-done) {
			pair, err := g.notice(done + i)
			if err != nil {
				return errors.Join(err, s.Close())
			}
			ts = append(ts, pair[0], pair[1])
		}
		if _, err := s.Apply(ctx, nil, ts...); err != nil {
			return errors.Join(err, s.Close())
		}
	}
	fmt.Fprintf(os.Stderr, "loaded %d notices in %s\n", n, time.Since(start).Round(time.Second))
	if err := s.Close(); err != nil {
		return err
	}
	return os.Rename(part, file)
}

// removeAll removes a database with the files beside it.
func removeAll(file string) error {
	files, err := filepath.Glob(file + "*")
	for _, f := range files {
		err = errors.Join(err, os.Remove(f))
	}
	return err
}

// enoughDisk refuses to fill a database that would fill the disk: a notice takes
// 13 KB here and 5 KB in PocketBase, and merging the text index some for a while.
func enoughDisk(dir string, notices int) error {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil {
		return fmt.Errorf("%s: %w", dir, err)
	}
	const each = 20_000
	free, need := fs.Bavail*uint64(fs.Bsize), uint64(notices)*each
	if free < need {
		return fmt.Errorf("%d notices need %.1f GB in %s, which has %.1f", notices, float64(need)/1e9, dir, float64(free)/1e9)
	}
	return nil
}

type generator struct {
	r     *rand.Rand
	from  time.Time
	bases []base
}

type base struct {
	typ     *disclosure.NoticeType
	content disclosure.Content
	weight  int
}

// newGenerator makes notices the newest of which, the last of n, was published
// yesterday.
func newGenerator(c *disclosure.Catalog, n int) (*generator, error) {
	g := &generator{r: rand.New(rand.NewPCG(1, 2)), from: time.Now().AddDate(0, 0, -1).Add(-time.Duration(n) * time.Minute)}
	for _, t := range benchTypes {
		typ, err := c.Type(t.code)
		if err != nil {
			return nil, err
		}
		today := workday.DateOf(time.Now())
		values, err := typ.Examples(today, true)
		if err != nil {
			return nil, err
		}
		for _, key := range []string{typ.DeadlineField, typ.AmountField} {
			if f, ok := typ.Field(key); ok {
				if values[key], err = f.ExampleOn(today); err != nil {
					return nil, err
				}
			}
		}
		fields := map[string]json.RawMessage{}
		for key, v := range values {
			if fields[key], err = json.Marshal(v); err != nil {
				return nil, err
			}
		}
		region := "320902"
		draft := disclosure.Draft{Type: t.code, Title: "x", Body: "resource-trading-centre", Fields: fields, Region: &region,
			Source: &disclosure.DraftSource{Name: "亭湖区公共资源交易平台"}}
		content, err := draft.Content(c, disclosure.References{})
		if err != nil {
			return nil, err
		}
		g.bases = append(g.bases, base{typ, content, t.weight})
	}
	return g, nil
}

// word prefers the front of the list, as real text does.
func (g *generator) word() string {
	f := g.r.Float64()
	return words[int(f*f*float64(len(words)))]
}

func (g *generator) text(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(g.word())
		if i%9 == 8 {
			b.WriteString("，")
		}
	}
	return b.String()
}

func (g *generator) notice(i int) ([2]disclosure.Transition, error) {
	var pair [2]disclosure.Transition
	pick := g.r.IntN(100)
	b := g.bases[0]
	for _, candidate := range g.bases {
		if pick -= candidate.weight; pick < 0 {
			b = candidate
			break
		}
	}
	c := b.content
	c.Title = "亭湖区" + g.text(12) + b.typ.Name
	c.BodyHTML = "<p>" + g.text(180) + "</p><p>" + g.text(180) + "</p>"
	c.Project = &disclosure.Project{Code: fmt.Sprintf("TH%d-%06d", 2024+i%3, i/4), Name: "亭湖区" + g.text(6)}
	at := g.from.Add(time.Duration(i) * time.Minute)
	created, err := disclosure.Create(uuid.Must(uuid.NewV7()).String(), c, 0, disclosure.Actor{Name: "甲", Role: disclosure.RoleEditor}, at)
	if err != nil {
		return pair, err
	}
	submitted, err := created.Notice.Submit(nil, disclosure.Acknowledgement{}, disclosure.Actor{Name: "甲", Role: disclosure.RoleEditor}, at)
	if err != nil {
		return pair, err
	}
	published, err := submitted.Notice.Publish(b.typ, nil, disclosure.Approval{}, disclosure.Actor{Name: "乙", Role: disclosure.RoleReviewer}, at)
	published.From = disclosure.Version{Rev: 1, Status: disclosure.StatusDraft}
	return [2]disclosure.Transition{created, published}, err
}
