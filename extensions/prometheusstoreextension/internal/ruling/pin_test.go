package ruling_test

import (
	"log/slog"
	"reflect"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/notifier"
	"github.com/prometheus/prometheus/rules"
	"github.com/prometheus/prometheus/storage"
	"github.com/stretchr/testify/assert"
)

// When one of these no longer compiles, the pin of github.com/prometheus/prometheus has moved: newRules in manager.go and
// newNotifier in notify.go are all that constructs these two. If Appendable has become AppendableV2 (v0.316), give it
// Settings.Appendable and delete appender.go.
var (
	_ func(*rules.ManagerOptions) *rules.Manager                                      = rules.NewManager
	_ func(*notifier.Options, model.ValidationScheme, *slog.Logger) *notifier.Manager = notifier.NewManager
	_ func(*rules.ManagerOptions) storage.Appendable                                  = func(o *rules.ManagerOptions) storage.Appendable { return o.Appendable }
)

// TestOptionsAreKnown fails when an upgrade adds an option or takes one away: decide about it where the manager is
// constructed (newRules in manager.go, newNotifier in notify.go), then change the list.
func TestOptionsAreKnown(t *testing.T) {
	assert.ElementsMatch(t, []string{
		"NameValidationScheme", "ExternalURL", "QueryFunc", "NotifyFunc", "Context", "Appendable", "Queryable", "Logger",
		"Registerer", "OutageTolerance", "ForGracePeriod", "ResendDelay", "GroupLoader", "DefaultRuleQueryOffset",
		"ConcurrentEvalsEnabled", "RestoreNewRuleGroups", "Parser",
		// Left at their zero: groups share one limit (limited), rules of a group depend on each other as upstream finds.
		"MaxConcurrentEvals", "RuleConcurrencyController", "RuleDependencyController", "Metrics", "FeatureRegistry",
	}, fields[rules.ManagerOptions](), "rules.ManagerOptions has changed: see newRules")
	assert.ElementsMatch(t, []string{
		"QueueCapacity", "DrainOnShutdown", "Do", "Registerer",
		// Left at their zero: outgoing does the relabelling, and batches have upstream's size.
		"ExternalLabels", "RelabelConfigs", "MaxBatchSize",
	}, fields[notifier.Options](), "notifier.Options has changed: see newNotifier")
}

func fields[T any]() (names []string) {
	for _, f := range reflect.VisibleFields(reflect.TypeFor[T]()) {
		names = append(names, f.Name)
	}
	return names
}
