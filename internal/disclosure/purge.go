package disclosure

import "time"

// PurgedPlace is one line of the receipt of an erasure (清除回执): from where the
// content was purged, how much of it, and when.
type PurgedPlace struct {
	Place string
	Count int64
	Done  bool // false: it could not be reached, and holds it until it expires
	At    time.Time
}

// purgePlaces names the places in the order a receipt lists them.
var purgePlaces = []struct{ place, name string }{
	{"revision", "历史版本（修订差异由其得出）"},
	{"draft", "未公开的更正、终止草稿"},
	{"step", "经办意见"},
	{"search", "检索索引和检索文本"},
	{"item", "事项关联"},
	{"attachment", "附件内容"},
	{"upload", "附件上传记录"},
	{"file_name", "附件名称"},
	{"file_scan", "附件检查记录"},
	{"lookup", "本人查询的密钥散列"},
	{"push", "排队中的推送卡片（不再发送）"},
	{"log", "数据库日志的页（PostgreSQL 由其 VACUUM 和日志轮转清理）"},
	{"memory", "进程内缓存（含订阅源和导出）"},
	{"redis", "Redis 缓存"},
}

// Name returns the Chinese name of the place.
func (p PurgedPlace) Name() string {
	for _, known := range purgePlaces {
		if known.place == p.Place {
			return known.name
		}
	}
	return p.Place
}

// Order sorts the places of a receipt.
func (p PurgedPlace) Order() int {
	for i, known := range purgePlaces {
		if known.place == p.Place {
			return i
		}
	}
	return len(purgePlaces)
}
