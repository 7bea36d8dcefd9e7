// Porcupine's verdicts on histories of the registry, for comparison with the checker in the parent
// folder.
//
// Usage: go run . < CASES. Reads one case per line,
// {"case": N, "max_age_ns": N, "operations": [...]}, and writes one verdict per line,
// "N ok|illegal|undecided".
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/anishathalye/porcupine"
)

// Maximum time for one case.
const limit = 60 * time.Second

type testCase struct {
	Case       int         `json:"case"`
	MaxAgeNs   int64       `json:"max_age_ns"`
	Operations []operation `json:"operations"`
}

func main() {
	in := json.NewDecoder(bufio.NewReader(os.Stdin))
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	for {
		var next testCase
		if err := in.Decode(&next); err == io.EOF {
			return
		} else if err != nil {
			out.Flush()
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Fprintln(out, next.Case, verdict(next))
	}
}

func verdict(c testCase) string {
	switch porcupine.CheckOperationsTimeout(registry(c.MaxAgeNs), calls(c.Operations), limit) {
	case porcupine.Ok:
		return "ok"
	case porcupine.Illegal:
		return "illegal"
	default:
		return "undecided"
	}
}
