package disclosure

import (
	"fmt"
	"slices"
	"strings"
)

// Code names one kind of expected failure. Codes are part of the public
// contract: problem documents carry them and /problems/<code> explains them.
type Code string

// The codes. Each has a title for people in Problems and an HTTP status in
// package handlers; tests hold the three lists together.
const (
	CodeInternal    Code = "internal"             // a bug or an outage; the cause is in the log only
	CodeUnavailable Code = "service.unavailable"  // the database is out of reach; retry
	CodeStoreFull   Code = "store.full"           // no disk space; nothing was written
	CodeRateLimited Code = "rate.limited"         // too many requests from one client
	CodeNoRoute     Code = "route.not_found"      // no such path
	CodeMethod      Code = "route.method"         // the path exists, the method does not
	CodeTooLarge    Code = "request.too_large"    // body or header over the limit
	CodeTimeout     Code = "request.timeout"      // the request did not arrive in time
	CodeEncoding    Code = "request.encoding"     // a request with Content-Encoding
	CodeMediaType   Code = "request.media_type"   // not JSON, or not multipart where files are sent
	CodeText        Code = "request.text"         // broken UTF-8 or a NUL character
	CodeJSON        Code = "request.json"         // not JSON, or a value of the wrong JSON type
	CodeUnknown     Code = "request.unknown"      // an unknown parameter or body field
	CodeParam       Code = "request.invalid"      // a parameter out of range
	CodeCursor      Code = "cursor.invalid"       // a cursor that is not ours, or of another query
	CodeIfMatch     Code = "precondition.invalid" // an If-Match that is not one quoted revision
	CodeIdemKey     Code = "idempotency.invalid"  // an Idempotency-Key of the wrong form
	CodeIdemClash   Code = "idempotency.conflict" // the key was used for another request
	CodeNoToken     Code = "auth.missing"         // no bearer token
	CodeBadToken    Code = "auth.invalid"         // unknown, expired or revoked token
	CodeRole        Code = "auth.role"            // the role may not do this
	CodeScope       Code = "auth.scope"           // the token is not for this body
	CodeSamePerson  Code = "review.same_person"   // the author tries to check their own notice
	CodeNotFound    Code = "notice.not_found"     // no public notice has this id or code
	CodeWithdrawn   Code = "notice.withdrawn"     // it was public and has been withdrawn
	CodeInvalid     Code = "notice.invalid"       // the content breaks the rules of its type
	CodeWarnings    Code = "notice.warnings"      // warnings that must be acknowledged with a reason
	CodeState       Code = "notice.state"         // the step does not exist from the present state
	CodeStale       Code = "notice.stale"         // somebody changed it in the meantime
	CodeNoItem      Code = "catalog.not_found"    // no such catalogue item, sector, body or type
	CodeDefinition  Code = "catalog.invalid"      // a definition that breaks the catalogue's rules
	CodeExists      Code = "catalog.exists"       // a definition with this id is there already
	CodeNoProject   Code = "project.not_found"    // no public notice names this project
	CodeNoMatch     Code = "housing.no_match"     // no public list has a row for what was asked
	CodeAmbiguous   Code = "project.ambiguous"    // the code belongs to several projects
	CodeNoFile      Code = "attachment.not_found" // no public notice carries this file
	CodeFileGone    Code = "attachment.withdrawn" // it was public and has been withdrawn
	CodeFileType    Code = "attachment.type"      // a kind of file that is not accepted
	CodeFileSize    Code = "attachment.too_large" // over 20 MB, or empty

	CodeNoSubscription Code = "subscription.not_found" // none of the person's has this id
	CodeSubscription   Code = "subscription.invalid"   // a filter or manner of delivery that cannot be
	CodeTooMany        Code = "subscription.limit"     // the person has as many as allowed
	CodeNoInbox        Code = "inbox.not_found"        // no row of the person's inbox has this id
	CodeLogin          Code = "session.code"           // WeChat does not accept the login code
	CodeSnapshot       Code = "session.snapshot"       // WeChat shows a page to a made-up person
	CodeNoApp          Code = "app.not_found"          // no such WeChat account is configured
	CodeLink           Code = "link.invalid"           // a one-time code that is unknown, used or too old
	CodeWeChat         Code = "wechat.unavailable"     // WeChat does not answer, or refuses us
	CodeWeChatCallback Code = "callback.refused"       // a callback that WeChat did not send
	CodeTemplate       Code = "template.invalid"       // a template field that cannot show what it is bound to
	CodeNoEvent        Code = "push.not_found"         // no push has this number
	CodePushState      Code = "push.state"             // the push cannot do this from where it stands
	CodeSigned         Code = "link.signature"         // a signed link that is not ours

	CodeNoKiosk      Code = "kiosk.not_found" // no device, pairing or pairing code like this
	CodeKioskToken   Code = "kiosk.unpaired"  // the device has no token of ours
	CodeKioskRevoked Code = "kiosk.revoked"   // the device was taken out of the fleet

	CodeNoCallback     Code = "callback.not_found" // no callback request has this id
	CodeCallbackState  Code = "callback.state"     // it is done already
	CodeCallbackErased Code = "callback.erased"    // its number was erased in time
	CodeCallbackFull   Code = "callback.full"      // as many wait as may

	CodeNoImport    Code = "import.not_found" // no such import, or somebody else's
	CodeImportFile  Code = "import.file"      // a file that cannot be read as what it should be
	CodeImportState Code = "import.state"     // the step does not exist from the present state
	CodeImport      Code = "import.invalid"   // rows of the file break the rules of their type
	CodeImportGone  Code = "import.purged"    // the content of the import is gone
)

// ErrNoMatch answers every lookup of a housing list that finds nothing, for
// whatever reason, in the same words.
var ErrNoMatch = Errorf(CodeNoMatch, "没有查到。请核对批次、受理编号和身份证件号码的最后四位")

// Problem is what a person is told of a code.
type Problem struct {
	Title string // a short Chinese sentence without the particulars
	Help  string // what to do now, in Chinese
}

// Problems explains every Code.
var Problems = map[Code]Problem{
	CodeInternal:    {"系统出错了", "请稍后再试；仍不行时，请把 request_id 告诉管理员。"},
	CodeUnavailable: {"服务暂时不可用", "数据没有丢失。请按 Retry-After 的秒数稍后重试。"},
	CodeStoreFull:   {"磁盘空间不足，没有保存", "查询不受影响。请管理员清理磁盘后重试，刚才的内容请先不要关闭页面。"},
	CodeRateLimited: {"请求过于频繁", "请按 Retry-After 的秒数稍后重试。"},
	CodeNoRoute:     {"没有这个地址", "接口说明见 /docs。"},
	CodeMethod:      {"这个地址不支持该请求方法", "允许的方法见 Allow 响应头，接口说明见 /docs。"},
	CodeTooLarge:    {"请求内容过大", "正文请求不超过 1 MB；文件请用附件接口上传，每个不超过 20 MB。"},
	CodeTimeout:     {"请求没有按时发完", "请求头和正文应在 5 秒内发完，上传文件为 2 分钟；请检查网络后重试。"},
	CodeEncoding:    {"不接受压缩过的请求", "请去掉 Content-Encoding，按原文发送。"},
	CodeMediaType:   {"请求的内容类型不对", "正文请用 application/json，上传文件请用 multipart/form-data。"},
	CodeText:        {"文本含有无法保存的字符", "请检查是否有乱码或不可见字符（NUL），用 UTF-8 重新发送。"},
	CodeJSON:        {"请求正文不是有效的 JSON", "请按 detail 指出的位置修改。"},
	CodeUnknown:     {"有不认识的参数或字段", "请对照 /docs 检查拼写；不认识的内容不会被悄悄忽略。"},
	CodeParam:       {"参数的值不对", "请按 errors 中逐项说明修改。"},
	CodeCursor:      {"翻页标记无效", "翻页标记只能原样用于得到它的那次查询；请从第一页重新开始。"},
	CodeIfMatch:     {"If-Match 的写法不对", "请写成带引号的版本号，如 If-Match: \"3\"。"},
	CodeIdemKey:     {"Idempotency-Key 的写法不对", "请用 1 到 255 个可见的 ASCII 字符，如一个 UUID。"},
	CodeIdemClash:   {"同一个 Idempotency-Key 用在了不同的请求上", "请为每次新的操作生成新的 Idempotency-Key。"},
	CodeNoToken:     {"需要令牌", "请在 Authorization 请求头中带上 Bearer 令牌；令牌由管理员用 gongkai token create 发放。"},
	CodeBadToken:    {"令牌无效、已过期或已吊销", "请向管理员索取新的令牌。"},
	CodeRole:        {"您的角色不能做这一步", "请由具备相应角色的同事操作。"},
	CodeScope:       {"令牌不适用于这个公开主体", "请改用本单位的令牌，或请管理员调整范围。"},
	CodeSamePerson:  {"不能核验自己录入的公告", "一次录入、一次核验须由两个人完成，请换一位核验人员。"},
	CodeNotFound:    {"没有找到这条公告", "请核对公告编号；编号为 8 位数字，最后一位是校验位。"},
	CodeWithdrawn:   {"这条公告已撤回", "撤回的原因和时间见 detail。"},
	CodeInvalid:     {"公告内容有误", "请按 errors 中逐项说明修改后再提交，内容没有丢失。"},
	CodeWarnings:    {"有需要确认的提醒", "确认无误后，请在 acknowledge 中列出这些提醒的代码并写明 reason。"},
	CodeState:       {"公告当前的状态不能做这一步", "请刷新后查看最新状态。"},
	CodeStale:       {"公告已被他人修改", "请取回最新版本，核对后重试；您的改动没有覆盖他人的内容。"},
	CodeNoItem:      {"目录中没有这一项", "可用的代码见 /api/v1/sectors、/api/v1/bodies、/api/v1/catalog 和 /api/v1/notice-types。"},
	CodeDefinition:  {"目录定义有误", "请按 errors 中逐项说明修改。"},
	CodeExists:      {"目录中已有这一项", "请改用 PATCH 修改现有的一项，历史版本会保留。"},
	CodeNoProject:   {"没有找到这个项目", "请核对项目编号；只有已经公开公告的项目才能查到。"},
	CodeNoMatch:     {"没有查到", "请核对批次、受理编号和身份证件号码的最后四位；公示期满的名单不再提供查询，可向发布单位咨询。"},
	CodeAmbiguous:   {"这个编号对应多个项目", "请从 errors 列出的项目中选择一个，用它的项目编号查询。"},
	CodeNoFile:      {"没有找到这个附件", "请从公告页面重新打开附件。"},
	CodeFileGone:    {"附件所属的公告已撤回", "撤回的原因见该公告。"},
	CodeFileType:    {"不接受这种文件", "可上传 PDF、Word、Excel、WPS、图片（PNG、JPEG）、ZIP、OFD 和纯文本（UTF-8）。"},
	CodeFileSize:    {"附件过大或为空", "每个附件不超过 20 MB；更大的请拆分。"},

	CodeNoSubscription: {"没有这个订阅", "请从 /api/v1/me/subscriptions 取回您的订阅。"},
	CodeSubscription:   {"订阅的条件有误", "请按 errors 中逐项说明修改。"},
	CodeTooMany:        {"订阅的个数已到上限", "请先合并或删除不用的订阅。"},
	CodeNoInbox:        {"收件箱中没有这一条", "请从 /api/v1/me/inbox 取回您的收件箱。"},
	CodeLogin:          {"微信登录没有成功", "登录码只能用一次，五分钟内有效；请重新登录。"},
	CodeSnapshot:       {"微信给的是快照页身份", "请点击页面上的“使用完整服务”后再登录；不登录也能查询公告。"},
	CodeNoApp:          {"没有这个公众号或小程序", "请核对网址，或请管理员检查 wechat 配置。"},
	CodeLink:           {"绑定码无效", "绑定码只能用一次，十分钟内有效；请重新获取。"},
	CodeWeChat:         {"微信暂时没有回应", "请稍后重试；公告和收件箱不受影响。"},
	CodeWeChatCallback: {"不是微信发来的消息", "签名、时间或加密方式与配置不符，已拒收。"},
	CodeTemplate:       {"模板字段的绑定有误", "请按 errors 中逐项说明修改；gongkai push doctor 可以检查。"},
	CodeNoEvent:        {"没有这次推送", "推送列表见 /api/v1/staff/pushes。"},
	CodePushState:      {"这次推送现在不能做这一步", "请刷新后查看它的状态。"},
	CodeSigned:         {"链接无效", "请从收到的卡片重新打开。"},

	CodeNoKiosk:      {"没有这台终端或这次配对", "请核对终端屏幕上的 6 位配对码；配对码 10 分钟内有效，过期后终端会显示新的。"},
	CodeKioskToken:   {"终端尚未登记", "请用终端屏幕上的配对码由管理员批准。"},
	CodeKioskRevoked: {"终端已停用", "公开查询不受影响；需要恢复时请重新配对。"},

	CodeNoCallback:     {"没有这个回电请求", "请从 /api/v1/staff/callbacks 取回列表。"},
	CodeCallbackState:  {"这个回电请求已经办结", "请刷新列表；来电人再次留下号码会成为新的请求。"},
	CodeCallbackErased: {"号码已按期清除", "办结后的号码只保留规定的天数；来电人可以再次留下号码。"},
	CodeCallbackFull:   {"等待回电的请求已满", "请先办结现有的回电请求。"},

	CodeNoImport:    {"没有找到这次导入", "只能查看本人的导入；记录的编号由上传时的回答给出。"},
	CodeImportFile:  {"导入文件无法读取", "请从 /api/v1/staff/templates/{type}.xlsx 下载模板填写，另存为 .xlsx 或 CSV（UTF-8）后重试。"},
	CodeImportState: {"这次导入当前的状态不能做这一步", "请重新查看导入的状态；改好的文件请重新上传。"},
	CodeImport:      {"导入文件中有错误", "一条也没有写入。请按 errors 或 issues.xlsx 中的批注修改后重新上传。"},
	CodeImportGone:  {"导入的内容已清除", "提交之后，或满一天没有提交，文件和逐行结果即被清除；请重新上传文件。"},
}

// FieldError is one thing wrong with one field of what a person sent.
type FieldError struct {
	Field   string // path as the sender wrote it: "fields.bid_deadline", "limit"
	Code    string // a word for programs: "date.too_early"
	Message string // a Chinese sentence for the person
	Rule    string // the deadline rule D1–D21 behind it, or ""
}

// Error is the one kind of expected failure; anything else is a bug or an
// outage. Detail is Chinese and safe to show: it never holds a secret, a token
// or an ID number.
type Error struct {
	Code   Code
	Detail string
	Fields []FieldError
}

// Error returns the code and the detail for logs.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s", e.Code, e.Detail)
	for _, f := range e.Fields {
		fmt.Fprintf(&b, "; %s: %s (%s)", f.Field, f.Message, f.Code)
	}
	return b.String()
}

// Is reports whether target is an *Error of the same code, so that
// errors.Is(err, &Error{Code: CodeStale}) asks for the kind.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code
}

// Errorf makes an Error with a Chinese detail.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Detail: fmt.Sprintf(format, args...)}
}

// On names the field the error is about and returns the error: the field error
// repeats its code and detail.
func (e *Error) On(field string) *Error {
	e.Fields = append(e.Fields, FieldError{Field: field, Code: string(e.Code), Message: e.Detail})
	return e
}

// invalid builds the error of code that lists all faults, or nil for none. Its
// detail counts them and says the first.
func invalid(code Code, faults []FieldError) error {
	if len(faults) == 0 {
		return nil
	}
	detail := faults[0].Message
	if len(faults) > 1 {
		detail = fmt.Sprintf("有 %d 处需要修改，第一处：%s", len(faults), detail)
	}
	return &Error{Code: code, Detail: detail, Fields: slices.Clone(faults)}
}
