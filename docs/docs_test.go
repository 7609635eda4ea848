package docs

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/getkin/kin-openapi/openapi2"
	"github.com/getkin/kin-openapi/openapi2conv"
	"github.com/getkin/kin-openapi/openapi3"
)

const (
	mediaProblem  = "application/problem+json"
	problemSchema = "#/components/schemas/handlers.Problem"
)

var update = flag.Bool("update", false, "write openapi.json anew")

// TestSwaggerIsWhatTheCodeSays runs swag on the handlers and compares.
func TestSwaggerIsWhatTheCodeSays(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "go", "tool", "swag", "init", "--quiet", "--generalInfo", "server.go",
		"--dir", "handlers", "--output", dir, "--outputTypes", "json", "--requiredByDefault")
	cmd.Dir = ".."
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("swag: %v\n%s", err, out)
	}
	fresh, err := os.ReadFile(filepath.Join(dir, "swagger.json"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(bytes.TrimSpace(fresh), bytes.TrimSpace(Swagger)) {
		t.Error("docs/swagger.json is not what the handlers' comments say; run make openapi")
	}
}

// TestOpenAPIIsConverted converts the Swagger document and compares; -update
// writes it.
func TestOpenAPIIsConverted(t *testing.T) {
	fresh, err := convert(Swagger)
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile("openapi.json", fresh, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !bytes.Equal(fresh, OpenAPI) {
		t.Error("docs/openapi.json is not the converted docs/swagger.json; run make openapi")
	}
	doc, err := openapi3.NewLoader().LoadFromData(OpenAPI)
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(t.Context()); err != nil {
		t.Error(err)
	}
}

// convert turns the Swagger 2.0 document that swag writes into OpenAPI 3.0,
// with what 2.0 cannot say: null values, bearer tokens, and that errors have a
// media type of their own.
func convert(swagger []byte) ([]byte, error) {
	var v2 openapi2.T
	if err := json.Unmarshal(swagger, &v2); err != nil {
		return nil, fmt.Errorf("docs: %w", err)
	}
	v3, err := openapi2conv.ToV3(&v2)
	if err != nil {
		return nil, fmt.Errorf("docs: %w", err)
	}
	raw, err := json.Marshal(v3)
	if err != nil {
		return nil, fmt.Errorf("docs: %w", err)
	}
	var doc map[string]any
	if err := json.Unmarshal(raw, &doc); err != nil {
		return nil, fmt.Errorf("docs: %w", err)
	}
	setNullable(doc)
	if err := setProblems(doc); err != nil {
		return nil, err
	}
	components, ok := doc["components"].(map[string]any)
	if !ok {
		return nil, errors.New("docs: the document has no components")
	}
	components["securitySchemes"] = map[string]any{"Bearer": map[string]any{"type": "http", "scheme": "bearer"}}
	out, err := json.MarshalIndent(doc, "", " ")
	if err != nil {
		return nil, fmt.Errorf("docs: %w", err)
	}
	return append(out, '\n'), nil
}

// setNullable turns the extension x-nullable into the nullable of OpenAPI 3.0.
func setNullable(v any) {
	switch v := v.(type) {
	case map[string]any:
		if v["x-nullable"] == true {
			delete(v, "x-nullable")
			v["nullable"] = true
		}
		for _, child := range v {
			setNullable(child)
		}
	case []any:
		for _, child := range v {
			setNullable(child)
		}
	}
}

// errorContent adds to a problem, for pages, that people are told in HTML.
func errorContent(responses, problem map[string]any) map[string]any {
	content := maps.Clone(problem)
	for _, status := range []string{"200", "302"} {
		r, _ := responses[status].(map[string]any)
		media, _ := r["content"].(map[string]any)
		if page, ok := media["text/html"]; ok {
			content["text/html"] = page
		}
	}
	return content
}

// setProblems gives every error the media type of problems, and says of every
// operation that it may end in others than those it lists.
func setProblems(doc map[string]any) error {
	paths, ok := doc["paths"].(map[string]any)
	if !ok {
		return errors.New("docs: the document has no paths")
	}
	problem := map[string]any{mediaProblem: map[string]any{"schema": map[string]any{"$ref": problemSchema}}}
	for path, item := range paths {
		operations, _ := item.(map[string]any)
		for method, operation := range operations {
			op, _ := operation.(map[string]any)
			responses, ok := op["responses"].(map[string]any)
			if !ok {
				return fmt.Errorf("docs: %s %s has no responses", method, path)
			}
			for status, response := range responses {
				if r, _ := response.(map[string]any); status[0] >= '4' {
					r["content"] = errorContent(responses, problem)
				}
			}
			responses["default"] = map[string]any{"description": "其他错误，见 code 和 detail", "content": errorContent(responses, problem)}
		}
	}
	return nil
}
