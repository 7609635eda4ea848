package storetest

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/google/uuid"

	"gongkai/internal/disclosure"
	"gongkai/internal/store"
	"gongkai/internal/workday"
)

// The people of the fixtures.
var (
	Editor   = disclosure.Actor{Token: "t-editor", Name: "李录入", Role: disclosure.RoleEditor}
	Reviewer = disclosure.Actor{Token: "t-reviewer", Name: "王核验", Role: disclosure.RoleReviewer}
	Admin    = disclosure.Actor{Token: "t-admin", Name: "赵管理", Role: disclosure.RoleAdmin}
)

// Start is the instant at which fixtures begin.
var Start = time.Date(2026, time.November, 23, 9, 0, 0, 0, workday.Shanghai)

// Content returns a valid content of the type, from its fields' examples.
func Content(t testing.TB, c *disclosure.Catalog, typeCode, title string) disclosure.Content {
	t.Helper()
	content, err := Draft(t, c, typeCode, title).Content(c, disclosure.References{})
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// Draft returns a valid draft of the type, from its fields' examples.
func Draft(t testing.TB, c *disclosure.Catalog, typeCode, title string) disclosure.Draft {
	t.Helper()
	typ, err := c.Type(typeCode)
	if err != nil {
		t.Fatal(err)
	}
	examples, err := typ.Examples(workday.DateOf(Start), false)
	if err != nil {
		t.Fatal(err)
	}
	fields := map[string]json.RawMessage{}
	for key, v := range examples {
		raw, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		fields[key] = raw
	}
	region := "320902"
	return disclosure.Draft{Type: typeCode, Title: title, Body: "resource-trading-centre", Fields: fields, Region: &region,
		Source: &disclosure.DraftSource{Name: "亭湖区公共资源交易平台"}, BodyHTML: "<p>" + title + "，详见附件。</p>"}
}

// Publish creates, submits and publishes a notice at the instant and returns it.
func Publish(t testing.TB, s *store.Store, c disclosure.Content, at time.Time) disclosure.Notice {
	t.Helper()
	return Commit(t, s, Published(t, s.Catalog(), c, at))[1]
}

// Published decides on a new notice and its publication; Commit applies both.
func Published(t testing.TB, catalog *disclosure.Catalog, c disclosure.Content, at time.Time) [2]disclosure.Transition {
	t.Helper()
	typ, err := catalog.TypeAt(c.Type, c.TypeVersion)
	if err != nil {
		t.Fatal(err)
	}
	created, err := disclosure.Create(uuid.Must(uuid.NewV7()).String(), c, 0, Editor, at)
	if err != nil {
		t.Fatal(err)
	}
	submitted, err := created.Notice.Submit(nil, disclosure.Acknowledgement{}, Editor, at)
	if err != nil {
		t.Fatal(err)
	}
	published, err := submitted.Notice.Publish(typ, nil, disclosure.Approval{}, Reviewer, at)
	if err != nil {
		t.Fatal(err)
	}
	published.From = disclosure.Version{Rev: 1, Status: disclosure.StatusDraft}
	return [2]disclosure.Transition{created, published}
}

// Commit applies pairs made by Published in one transaction. The code that the
// store gives the first of a pair is carried to the second.
func Commit(t testing.TB, s *store.Store, pairs ...[2]disclosure.Transition) []disclosure.Notice {
	t.Helper()
	var ts []disclosure.Transition
	for _, p := range pairs {
		ts = append(ts, p[0], p[1])
	}
	done, err := s.Apply(context.Background(), nil, ts...)
	if err != nil {
		t.Fatal(err)
	}
	return done
}
