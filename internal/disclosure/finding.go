package disclosure

import (
	"fmt"
	"slices"
	"strings"
)

// Finding is one thing the review of a notice found.
type Finding struct {
	FieldError
	Warning bool // may be acknowledged with a reason; otherwise it blocks
}

// Acknowledgement is a person's answer to warnings.
type Acknowledgement struct {
	Acknowledge []string // codes of the findings, or the rules behind them
	Reason      string
	all         bool
}

func (k Acknowledgement) settle(findings []Finding) error {
	var faults, open []FieldError
	warned := false
	for _, f := range findings {
		switch {
		case !f.Warning:
			faults = append(faults, f.FieldError)
		case k.all:
		case slices.Contains(k.Acknowledge, f.Code), f.Rule != "" && slices.Contains(k.Acknowledge, f.Rule):
			warned = true
		default:
			open = append(open, f.FieldError)
		}
	}
	var l faultList
	l.length("reason", oneLine(k.Reason), 0, maxText, "理由")
	if faults = append(faults, l...); len(faults) > 0 {
		return invalid(CodeInvalid, faults)
	}
	if warned && strings.TrimSpace(k.Reason) == "" {
		open = append(open, FieldError{Field: "reason", Code: "field.required", Message: "确认提醒时请写明理由"})
	}
	if len(open) > 0 {
		return &Error{Code: CodeWarnings, Detail: fmt.Sprintf("有 %d 条提醒需要确认：%s", len(open), open[0].Message), Fields: open}
	}
	return nil
}
