swag = go tool swag init --quiet --generalInfo server.go --dir handlers --output docs --outputTypes json,yaml --requiredByDefault

openapi:
	$(swag)
	go test ./docs -run TestOpenAPIIsConverted -update
