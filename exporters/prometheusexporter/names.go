package prometheusexporter

import (
	"strings"

	"github.com/prometheus/otlptranslator"
	"go.uber.org/zap"
)

// targetInfo is the family of resources, as promfront names it.
const targetInfo = "target_info"

// labelNamer is contrib's: several underscores become one, where Prometheus' OTLP endpoint keeps them.
func labelNamer(strategy otlptranslator.TranslationStrategyOption) otlptranslator.LabelNamer {
	return otlptranslator.LabelNamer{
		UTF8Allowed:                 !strategy.ShouldEscape(),
		UnderscoreLabelSanitization: true, // what contrib does by default
	}
}

// labelNames returns what brings the label names that promfront makes into contrib's form, or nil.
func labelNames(strategy otlptranslator.TranslationStrategyOption) func(string) string {
	if !strategy.ShouldEscape() {
		return nil
	}
	namer := labelNamer(strategy)
	return func(name string) string {
		if renamed, err := namer.Build(name); err == nil {
			return renamed
		}
		return name
	}
}

// familyNames returns what puts the namespace before the names of families, or nil. As in contrib the namespace of metrics
// is escaped only without suffixes, the one of target_info always.
func familyNames(namespace string, strategy otlptranslator.TranslationStrategyOption, logger *zap.Logger) func(string) string {
	if namespace == "" {
		return nil
	}
	forMetrics := namespace
	if strategy == otlptranslator.UnderscoreEscapingWithoutSuffixes {
		forMetrics = strings.Join(strings.FieldsFunc(namespace, func(r rune) bool { return !isNameRune(r) }), "_")
	}
	if strategy == otlptranslator.UnderscoreEscapingWithSuffixes && namespace[0] >= '0' && namespace[0] <= '9' {
		forMetrics = "_" + namespace
	}
	forTargets := ""
	namer := labelNamer(strategy)
	if built, err := namer.Build(namespace); err == nil {
		forTargets = built + "_"
	} else {
		logger.Warn("namespace is left out of target_info", zap.Error(err))
	}
	return func(family string) string {
		if family == targetInfo {
			return forTargets + family
		}
		return forMetrics + "_" + family
	}
}

func isNameRune(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == ':' || r == '_'
}
