package dynsample

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"time"
)

// EMAConfig keeps 1 trace in GoalSampleRate overall and divides that by the logarithm of each key's volume. Names and
// defaults are those of Refinery's EMADynamicSampler.
type EMAConfig struct {
	// Fields whose values, put together, are the key of a trace. At least one. A field with many values (a user id) makes
	// every trace a rare one.
	Fields []string `mapstructure:"fields"`
	// GoalSampleRate is how many of Unit one that is kept stands for, on average. Default 10; 1 keeps all.
	GoalSampleRate float64 `mapstructure:"goal_sample_rate"`
	// Unit in which the goal counts: spans or traces. Default spans, which is what is paid for.
	Unit Unit `mapstructure:"unit"`
	// AdjustmentInterval is how often rates are computed. Default 15s: shorter sees too few traces of a key, longer takes
	// longer to follow.
	AdjustmentInterval time.Duration `mapstructure:"adjustment_interval"`
	// Weight of the latest interval in the moving average, between 0 and 1. Default 0.5.
	Weight float64 `mapstructure:"weight"`
	// AgeOutValue is the average number of traces per interval below which a key is forgotten. Default Weight: a key that
	// came once is forgotten after the next interval without it.
	AgeOutValue float64 `mapstructure:"age_out_value"`
	// BurstMultiple times the average is a burst. One in the sum of all keys adjusts the rates at once; one in a single
	// key makes its rate fall as more comes in. Default 2; negative switches both off.
	BurstMultiple float64 `mapstructure:"burst_multiple"`
	// BurstDetectionDelay is the number of intervals after the start in which a burst does not adjust. Default 3.
	BurstDetectionDelay uint `mapstructure:"burst_detection_delay"`
	// MaxKeys that are known apart; further keys share one rate. Default 500, at most 20000.
	MaxKeys int `mapstructure:"max_keys"`
}

// Check reports everything that is wrong, each with its key. 0 stands for the default everywhere.
func (c *EMAConfig) Check() error {
	return errors.Join(requireFields(c.Fields), atLeastOne("goal_sample_rate", c.GoalSampleRate), c.tuning().validate())
}

func (c *EMAConfig) tuning() tuning {
	return tuning{c.Unit, c.AdjustmentInterval, c.Weight, c.AgeOutValue, c.BurstMultiple, c.BurstDetectionDelay, c.MaxKeys}
}

// NewEMA returns the sampler of a valid configuration. Until it has seen an interval it keeps 1 in GoalSampleRate of all.
func NewEMA(c EMAConfig) *Adaptive {
	n := cmp.Or(c.GoalSampleRate, 10)
	goal := func(origin float64) float64 { return origin / n }
	return newAdaptive(c.tuning().withDefaults(15*time.Second), goal, byLogarithm, newRate(1/n, math.Inf(1)))
}

// ThroughputConfig keeps GoalThroughputPerSec and divides it by the logarithm of each key's volume. Names and defaults
// are those of Refinery's EMAThroughputSampler, but for InitialSampleRate: the first interval keeps what the goal allows
// and then ever less, which needs no guess. The goal is for this process: with n behind one balancer, give each 1/n.
type ThroughputConfig struct {
	// Fields whose values, put together, are the key of a trace. At least one.
	Fields []string `mapstructure:"fields"`
	// GoalThroughputPerSec is how many of Unit are to be kept per second. Default 100.
	GoalThroughputPerSec float64 `mapstructure:"goal_throughput_per_sec"`
	// Unit in which the goal counts: spans or traces. Default spans.
	Unit Unit `mapstructure:"unit"`
	// AdjustmentInterval is how often rates are computed. Default 15s.
	AdjustmentInterval time.Duration `mapstructure:"adjustment_interval"`
	// Weight of the latest interval in the moving average, between 0 and 1. Default 0.5.
	Weight float64 `mapstructure:"weight"`
	// AgeOutValue is the average number of traces per interval below which a key is forgotten. Default Weight.
	AgeOutValue float64 `mapstructure:"age_out_value"`
	// BurstMultiple times the average is a burst, as in EMAConfig. Default 2; negative switches it off.
	BurstMultiple float64 `mapstructure:"burst_multiple"`
	// BurstDetectionDelay is the number of intervals after the start in which a burst does not adjust. Default 3.
	BurstDetectionDelay uint `mapstructure:"burst_detection_delay"`
	// MaxKeys that are known apart; further keys share one rate. Default 500, at most 20000.
	MaxKeys int `mapstructure:"max_keys"`
}

// Check reports everything that is wrong, each with its key. 0 stands for the default everywhere.
func (c *ThroughputConfig) Check() error {
	return errors.Join(requireFields(c.Fields), positive("goal_throughput_per_sec", c.GoalThroughputPerSec), c.tuning().validate())
}

func (c *ThroughputConfig) tuning() tuning {
	return tuning{c.Unit, c.AdjustmentInterval, c.Weight, c.AgeOutValue, c.BurstMultiple, c.BurstDetectionDelay, c.MaxKeys}
}

// NewThroughput returns the sampler of a valid configuration.
func NewThroughput(c ThroughputConfig) *Adaptive {
	return perSecond(cmp.Or(c.GoalThroughputPerSec, 100), c.tuning().withDefaults(15*time.Second), byLogarithm)
}

// BudgetConfig divides BudgetPerSec among the keys so that none can have more without taking from one that has less
// (max-min fairness): keys below an equal part are kept whole, and what they leave is shared by the rest. The budget is
// for this process: with n behind one balancer, give each 1/n.
type BudgetConfig struct {
	// Fields whose values, put together, are the key of a trace: who is to share fairly. At least one.
	Fields []string `mapstructure:"fields"`
	// BudgetPerSec is how many of Unit may be kept per second. Default 100.
	BudgetPerSec float64 `mapstructure:"budget_per_sec"`
	// Unit in which the budget counts: spans or traces. Default spans.
	Unit Unit `mapstructure:"unit"`
	// AdjustmentInterval is how often the budget is divided. Default 5s: a key that grows may use more than its part for
	// that long (its rate falls, but only with the logarithm).
	AdjustmentInterval time.Duration `mapstructure:"adjustment_interval"`
	// Weight of the latest interval in the moving average, between 0 and 1. Default 0.5.
	Weight float64 `mapstructure:"weight"`
	// AgeOutValue is the average number of traces per interval below which a key is forgotten. Default Weight.
	AgeOutValue float64 `mapstructure:"age_out_value"`
	// BurstMultiple times the average is a burst, as in EMAConfig. Default 2; negative switches it off.
	BurstMultiple float64 `mapstructure:"burst_multiple"`
	// BurstDetectionDelay is the number of intervals after the start in which a burst does not adjust. Default 3.
	BurstDetectionDelay uint `mapstructure:"burst_detection_delay"`
	// MaxKeys that are known apart; further keys share one part. Default 500, at most 20000.
	MaxKeys int `mapstructure:"max_keys"`
}

// Check reports everything that is wrong, each with its key. 0 stands for the default everywhere.
func (c *BudgetConfig) Check() error {
	return errors.Join(requireFields(c.Fields), positive("budget_per_sec", c.BudgetPerSec), c.tuning().validate())
}

func (c *BudgetConfig) tuning() tuning {
	return tuning{c.Unit, c.AdjustmentInterval, c.Weight, c.AgeOutValue, c.BurstMultiple, c.BurstDetectionDelay, c.MaxKeys}
}

// NewBudget returns the sampler of a valid configuration.
func NewBudget(c BudgetConfig) *Adaptive {
	return perSecond(cmp.Or(c.BudgetPerSec, 100), c.tuning().withDefaults(5*time.Second), equally)
}

// perSecond is a sampler with a goal per second. Until it has seen an interval it keeps all up to the goal, then ever less.
func perSecond(goal float64, t tuning, divide func(load) share) *Adaptive {
	goal *= t.interval.Seconds()
	return newAdaptive(t, func(float64) float64 { return goal }, divide, newRate(1, goal))
}

// tuning is what the adaptive samplers have in common.
type tuning struct {
	unit          Unit
	interval      time.Duration
	weight        float64
	ageOut        float64
	burstMultiple float64
	burstDelay    uint
	maxKeys       int
}

func (t tuning) withDefaults(interval time.Duration) tuning {
	t.unit = cmp.Or(t.unit, Spans)
	t.interval = cmp.Or(t.interval, interval)
	t.weight = cmp.Or(t.weight, 0.5)
	t.ageOut = cmp.Or(t.ageOut, t.weight)
	t.burstMultiple = cmp.Or(t.burstMultiple, 2)
	t.burstDelay = cmp.Or(t.burstDelay, 3)
	t.maxKeys = cmp.Or(t.maxKeys, defaultMaxKeys)
	return t
}

func (t tuning) validate() error {
	var errs []error
	if t.unit != "" && t.unit != Spans && t.unit != Traces {
		errs = append(errs, fmt.Errorf("unit: must be %q or %q, got %q", Spans, Traces, t.unit))
	}
	if t.interval != 0 && t.interval < 100*time.Millisecond {
		errs = append(errs, fmt.Errorf("adjustment_interval: must be at least 100ms, or 0 for the default, got %s", t.interval))
	}
	if !(t.weight >= 0 && t.weight < 1) {
		errs = append(errs, fmt.Errorf("weight: must be between 0 and 1, got %v", t.weight))
	}
	if t.burstMultiple >= 0 {
		errs = append(errs, atLeastOne("burst_multiple", t.burstMultiple))
	} else if math.IsNaN(t.burstMultiple) {
		errs = append(errs, errors.New("burst_multiple: must be a number"))
	}
	errs = append(errs, positive("age_out_value", t.ageOut), validateMaxKeys(t.maxKeys, maxMaxKeys))
	return errors.Join(errs...)
}

func requireFields(fields []string) error {
	if len(fields) == 0 {
		return errors.New("fields: must name at least one field, such as service.name")
	}
	return validateFields(fields)
}

func positive(key string, v float64) error {
	if v >= 0 && !math.IsInf(v, 1) {
		return nil
	}
	return fmt.Errorf("%s: must be positive, or 0 for the default, got %v", key, v)
}
