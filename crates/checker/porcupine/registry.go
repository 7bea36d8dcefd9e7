package main

import (
	"encoding/json"
	"fmt"
	"math"

	"github.com/anishathalye/porcupine"
)

// An operation in the format of the checker (src/history.rs).
type operation struct {
	Client   int             `json:"client"`
	CallNs   int64           `json:"call_ns"`
	ReturnNs *int64          `json:"return_ns"`
	Input    input           `json:"input"`
	Outcome  json.RawMessage `json:"outcome"`
}

type input struct {
	Announce *struct {
		Node  string   `json:"node"`
		Pool  string   `json:"pool"`
		Types []string `json:"types"`
		Token uint64   `json:"token"`
	} `json:"announce"`
	Withdraw *struct {
		Node string `json:"node"`
	} `json:"withdraw"`
	Lookup *struct {
		Type string `json:"type"`
		Pool string `json:"pool"`
	} `json:"lookup"`
}

type kind int

const (
	announce kind = iota
	withdraw
	lookup
)

// A request that concerns one type in one pool.
type asked struct {
	kind   kind
	group  string
	node   string
	token  uint64
	callNs int64
}

// The result of a lookup: the token of each node.
type found struct {
	tokens   map[string]uint64
	returnNs int64
}

// The stored announcement of a node, accepted at lowNs or later.
type held struct {
	token uint64
	lowNs int64
}

// Returns the operations that may have had an effect. An operation with an unknown outcome may take
// effect at any time after its call. Unlike the checker in the parent folder, this function neither
// omits such operations nor bounds their time. The comparison therefore also tests that the
// checker's omissions and bounds change no verdict.
func calls(operations []operation) []porcupine.Operation {
	groupOf := map[string]string{}
	for _, o := range operations {
		if a := o.Input.Announce; a != nil {
			groupOf[a.Node] = a.Types[0] + "/" + a.Pool
		}
	}
	var calls []porcupine.Operation
	for _, o := range operations {
		outcome := string(o.Outcome)
		if outcome == `"refused"` {
			continue
		}
		returnNs := int64(math.MaxInt64)
		if outcome != `"unknown"` {
			returnNs = *o.ReturnNs
		}
		var in asked
		var out found
		switch i := o.Input; {
		case i.Announce != nil:
			in = asked{announce, groupOf[i.Announce.Node], i.Announce.Node, i.Announce.Token, o.CallNs}
		case i.Withdraw != nil:
			group, isKnown := groupOf[i.Withdraw.Node]
			if !isKnown {
				continue
			}
			in = asked{kind: withdraw, group: group, node: i.Withdraw.Node}
		default:
			in = asked{kind: lookup, group: i.Lookup.Type + "/" + i.Lookup.Pool}
			out = found{tokensOf(o.Outcome), returnNs}
		}
		calls = append(calls, porcupine.Operation{
			ClientId: o.Client, Input: in, Call: o.CallNs, Output: out, Return: returnNs,
		})
	}
	return calls
}

func tokensOf(outcome json.RawMessage) map[string]uint64 {
	var shown struct {
		Found [][4]any `json:"found"`
	}
	if err := json.Unmarshal(outcome, &shown); err != nil {
		panic(fmt.Sprintf("%s: %v", outcome, err))
	}
	tokens := map[string]uint64{}
	for _, service := range shown.Found {
		tokens[service[0].(string)] = uint64(service[3].(float64))
	}
	return tokens
}

// Returns the model of one type in one pool. Expiry is part of lookups; src/model.rs explains why
// that is correct.
func registry(maxAgeNs int64) porcupine.Model {
	leastLifeNs := maxAgeNs - maxAgeNs/100
	return porcupine.Model{
		Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
			byGroup := map[string][]porcupine.Operation{}
			for _, o := range history {
				group := o.Input.(asked).group
				byGroup[group] = append(byGroup[group], o)
			}
			var parts [][]porcupine.Operation
			for _, part := range byGroup {
				parts = append(parts, part)
			}
			return parts
		},
		Init: func() any { return map[string]held{} },
		Step: func(state, in, out any) (bool, any) {
			return step(state.(map[string]held), in.(asked), out.(found), leastLifeNs)
		},
		Equal: func(one, other any) bool {
			a, b := one.(map[string]held), other.(map[string]held)
			if len(a) != len(b) {
				return false
			}
			for node, h := range a {
				if b[node] != h {
					return false
				}
			}
			return true
		},
	}
}

func step(state map[string]held, in asked, out found, leastLifeNs int64) (bool, map[string]held) {
	after := map[string]held{}
	for node, h := range state {
		after[node] = h
	}
	switch in.kind {
	case announce:
		lowNs := in.callNs
		if h, isHeld := state[in.node]; isHeld && h.lowNs > lowNs {
			lowNs = h.lowNs
		}
		after[in.node] = held{in.token, lowNs}
	case withdraw:
		delete(after, in.node)
	case lookup:
		for node, token := range out.tokens {
			if h, isHeld := state[node]; !isHeld || h.token != token {
				return false, nil
			}
		}
		for node, h := range state {
			if _, isShown := out.tokens[node]; isShown {
				continue
			}
			if out.returnNs < h.lowNs+leastLifeNs {
				return false, nil
			}
			delete(after, node)
		}
	}
	return true, after
}
