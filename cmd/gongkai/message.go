package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"strings"
	"unicode"

	"gongkai/internal/disclosure"
	"gongkai/internal/store"
	"gongkai/push"
)

// message returns what a person is told of an error: an expected fault speaks
// for itself, without the words of the layers it came through; the system's
// words stand behind a sentence of ours.
func message(err error) string {
	e := new(disclosure.Error)
	switch {
	case errors.Is(err, store.ErrNewerSchema):
		return "数据库已由更新版本的 gongkai 升级过，请使用新版本的程序；旧程序不会打开它，以免损坏数据\n" + err.Error()
	case !errors.As(err, &e):
		return inChinese(err)
	}
	var b strings.Builder
	b.WriteString(e.Detail)
	if e.Code == disclosure.CodeUnavailable || e.Code == disclosure.CodeStoreFull {
		fmt.Fprintf(&b, "\n%v", err) // whoever runs the command may see the cause
	}
	for _, f := range e.Fields {
		fmt.Fprintf(&b, "\n  %s：%s（%s）", f.Field, f.Message, f.Code)
	}
	return b.String()
}

// inChinese returns the error's text, behind a sentence of what happened unless
// whoever made the error has put one there.
func inChinese(err error) string {
	text := err.Error()
	ours := text
	if path, ok := errors.AsType[*fs.PathError](err); ok { // a file's own name may be Chinese
		ours, _, _ = strings.Cut(text, path.Error())
	}
	if strings.ContainsFunc(ours, func(r rune) bool { return unicode.Is(unicode.Han, r) }) {
		return text
	}
	return happened(err) + "（" + text + "）"
}

func happened(err error) string {
	path, ofFile := errors.AsType[*fs.PathError](err)
	refusal, ofWeChat := errors.AsType[*push.SendError](err)
	switch {
	case ofWeChat && refusal.IP != "":
		return "微信不接受来自 " + refusal.IP + " 的调用：请在公众平台的 IP 白名单中加上这个地址"
	case ofWeChat && refusal.Code == 0:
		return "微信没有回应，或连接不上"
	case ofWeChat:
		return "微信没有接受：" + disclosure.ClassNames[refusal.Class]
	case ofFile && errors.Is(err, fs.ErrNotExist):
		return "没有“" + path.Path + "”"
	case ofFile && errors.Is(err, fs.ErrPermission):
		return "没有权限打开“" + path.Path + "”"
	case ofFile:
		return "打不开“" + path.Path + "”"
	case errors.Is(err, store.ErrNotDatabase):
		return "数据库文件不是 SQLite 数据库，或者已经损坏；请核对 --data 和 --database，损坏的请从备份恢复"
	case errors.Is(err, store.ErrForeignDatabase):
		return "数据库文件是别的程序的，没有改动；请核对 --data 和 --database"
	case errors.Is(err, context.Canceled):
		return "已中断"
	case errors.As(err, new(*url.Error)), errors.As(err, new(net.Error)):
		return "连接不上"
	}
	return "没有办成"
}
