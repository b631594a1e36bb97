package policy

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
)

// fingerprint hashes what a program is compiled from. JSON writes maps in the order of their keys and follows pointers,
// so equal settings give equal hashes.
func fingerprint(set *Settings) (uint64, error) {
	h := fnv.New64a()
	err := json.NewEncoder(h).Encode(struct {
		Rules                                   []RuleConfig
		Policies                                []Config
		Strategy                                Strategy
		FirstMatch, UseTraceState, RecordPolicy bool
	}{set.Rules, set.Policies, set.Strategy, set.FirstMatch, set.UseTraceState, set.RecordPolicy})
	if err != nil {
		return 0, fmt.Errorf("policies: a value cannot be written as JSON: %w", err)
	}
	return h.Sum64(), nil
}
