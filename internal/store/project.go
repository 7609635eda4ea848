package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"gongkai/internal/disclosure"
)

// maxCandidates bounds the projects an inquiry names at once.
const maxCandidates = 20

// projectKey finds the one project that a code means: its own code, or one of a
// tender, section or investment. None is CodeNoProject; several are
// CodeAmbiguous, which names them.
func (v *snapshot) projectKey(ctx context.Context, code string) (string, error) {
	key := disclosure.ProjectKey(code)
	if key == "" { // it would be every notice of no project
		return "", disclosure.Errorf(disclosure.CodeNoProject, "没有找到这个项目")
	}
	none := noProject(key)
	var known int64
	if err := v.QueryRowContext(ctx, `SELECT count(*) FROM (SELECT 1 FROM notice WHERE public = 1 AND project_key = $1 LIMIT 1) AS found`,
		key).Scan(&known); err != nil || known > 0 {
		return key, err
	}
	keys, err := v.projectsOf(ctx, code)
	switch {
	case err != nil:
		return "", err
	case len(keys) == 0:
		return "", none
	case len(keys) == 1:
		return keys[0], nil
	}
	return "", v.ambiguous(ctx, code, keys)
}

// noProject names the project by its key, for all who spell it so are told it from
// the cache.
func noProject(key string) error {
	return disclosure.Errorf(disclosure.CodeNoProject, "没有找到项目“%s”", key)
}

func (v *snapshot) ambiguous(ctx context.Context, code string, keys []string) error {
	candidates, err := v.candidates(ctx, keys)
	if err != nil {
		return err
	}
	// The folded code has no blank: what stands before the first is the code.
	e := disclosure.Errorf(disclosure.CodeAmbiguous, "“%s”对应 %d 个项目，请选择其中一个", code, len(keys))
	for _, c := range candidates {
		e.Fields = append(e.Fields, disclosure.FieldError{Field: "code", Code: "project.candidate", Message: disclosure.ProjectKey(c.Code) + " " + c.Name})
	}
	return e
}

// projectsOf returns the keys of the projects that a code belongs to.
func (v *snapshot) projectsOf(ctx context.Context, code string) ([]string, error) {
	alias := disclosure.AliasKey(code)
	if alias == "" {
		return nil, nil
	}
	return all(ctx, v, scanText, `
		SELECT DISTINCT n.project_key
		  FROM project_alias a
		  JOIN notice n ON n.id = a.notice_id
		 WHERE a.alias = $1 AND n.public = 1
		 ORDER BY n.project_key
		 LIMIT 100`, alias)
}

// candidates describes projects by their newest public notices, the most recent
// first.
func (v *snapshot) candidates(ctx context.Context, keys []string) ([]disclosure.ProjectCandidate, error) {
	var out []disclosure.ProjectCandidate
	for _, key := range keys {
		var c disclosure.ProjectCandidate
		var doc sql.NullString
		newest, err := all(ctx, v, scanSummary, `
			SELECT `+summaryColumns+`
			  FROM notice n
			 WHERE n.public = 1 AND n.project_key = $1
			 ORDER BY n.seq DESC
			 LIMIT 1000`, key)
		if err != nil {
			return nil, err
		}
		if len(newest) == 0 {
			continue
		}
		c.Newest, c.Notices, c.Sector = newest[0], len(newest), newest[0].Sector()
		if err := v.QueryRowContext(ctx, `SELECT r.doc FROM `+noticeTables+` WHERE n.id = $1`, c.Newest.ID).Scan(&doc); err != nil {
			return nil, err
		}
		content, err := decodeContent(doc.String)
		if err != nil {
			return nil, err
		}
		c.Code = c.Newest.Project
		if content.Project != nil {
			c.Project = *content.Project
		}
		out = append(out, c)
	}
	slices.SortStableFunc(out, func(a, b disclosure.ProjectCandidate) int { return int(b.Newest.Seq - a.Newest.Seq) })
	return out, nil
}

// FindProjects answers an inquiry after projects by a code – of the project, a
// tender, a section, an investment or one of its notices – or by words of the
// name; "" is whatever was published last. It never picks one of several.
func (s *Store) FindProjects(ctx context.Context, q string) (disclosure.ProjectPage, error) {
	var page disclosure.ProjectPage
	err := s.read(ctx, "find projects", func(v *snapshot) error {
		page.Reading = v.at
		keys, err := v.byCode(ctx, q)
		if err != nil {
			return err
		}
		if page.ByCode = len(keys) > 0; !page.ByCode {
			if keys, err = v.byWords(ctx, q); err != nil {
				return err
			}
		}
		if page.Items, err = v.candidates(ctx, keys); err != nil {
			return err
		}
		if !page.ByCode {
			page.Items = named(page.Items, q)
		}
		page.More = len(page.Items) > maxCandidates
		page.Items = page.Items[:min(len(page.Items), maxCandidates)]
		return nil
	})
	return page, err
}

func (v *snapshot) byCode(ctx context.Context, q string) ([]string, error) {
	if key := disclosure.ProjectKey(q); disclosure.ValidCode(key) {
		keys, err := all(ctx, v, scanText, `SELECT project_key FROM notice WHERE public = 1 AND code = $1 AND project_key <> ''`, key)
		if err != nil || len(keys) > 0 {
			return keys, err
		}
	}
	key, err := v.projectKey(ctx, q)
	switch {
	case err == nil:
		return []string{key}, nil
	case errors.Is(err, &disclosure.Error{Code: disclosure.CodeAmbiguous}):
		return v.projectsOf(ctx, q)
	case errors.Is(err, &disclosure.Error{Code: disclosure.CodeNoProject}):
		return nil, nil
	}
	return nil, err
}

// byWords returns the projects of the newest notices that hold the words.
func (v *snapshot) byWords(ctx context.Context, q string) ([]string, error) {
	l := lister{snapshot: v, query: disclosure.NoticeQuery{Q: q, Limit: disclosure.RelevanceDepth, Sort: disclosure.SortPublished}}
	page, err := l.page(ctx)
	if err != nil {
		return nil, err
	}
	var keys []string
	for _, n := range page.Items {
		if key := disclosure.ProjectKey(n.Project); key != "" && !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	return keys, nil
}

// named keeps the candidates whose name holds every word, if there are any: the
// words may stand in the text of other projects' notices too.
func named(list []disclosure.ProjectCandidate, q string) []disclosure.ProjectCandidate {
	words := strings.Fields(disclosure.Normalize(q))
	holds := func(c disclosure.ProjectCandidate) bool {
		name := disclosure.Normalize(c.Name)
		return !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(name, w) })
	}
	var out []disclosure.ProjectCandidate
	for _, c := range list {
		if holds(c) {
			out = append(out, c)
		}
	}
	if len(out) == 0 {
		return list
	}
	return out
}

// projectDetails fills in the deadlines of the project's notices and its other
// codes.
func (v *snapshot) projectDetails(ctx context.Context, p *disclosure.ProjectTimeline, key string) error {
	c := &conditions{}
	c.add("n.public = 1 AND n.project_key = ?", key)
	var err error
	if p.Deadlines, _, err = v.deadlines(ctx, c, 1000); err != nil {
		return err
	}
	aliases, err := all(ctx, v, scanText, `
		SELECT DISTINCT a.alias
		  FROM project_alias a
		  JOIN notice n ON n.id = a.notice_id
		 WHERE n.public = 1 AND n.project_key = $1 AND a.alias <> $2
		 ORDER BY a.alias
		 LIMIT 100`, key, disclosure.AliasKey(key))
	if err != nil {
		return fmt.Errorf("project details: %w", err)
	}
	for _, alias := range aliases {
		if code := disclosure.ReadCode(alias); code.Kind != "" {
			p.Codes = append(p.Codes, code.Code)
		}
	}
	return nil
}
