// Command bench measures gongkai against its rivals; scripts/bench runs it.
package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
)

func main() {
	ctx := context.Background()
	var err error
	switch {
	case len(os.Args) == 4 && os.Args[1] == "load":
		n, _ := strconv.Atoi(os.Args[3])
		err = load(ctx, os.Args[2], n)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
