package prometheusstorereceiver

import (
	"errors"
	"fmt"
	"slices"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configretry"
	"go.opentelemetry.io/collector/confmap"

	"github.com/tailgate-otel/tailgate/internal/alertfeed"
	"github.com/tailgate-otel/tailgate/internal/confkeys"
	"github.com/tailgate-otel/tailgate/internal/yamlkeys"
)

// Config is what a user writes under receivers::prometheusstore.
type Config struct {
	// Store is the id of the extension whose alerts are wanted. Default prometheusstore.
	Store component.ID `mapstructure:"store"`

	// States are the changes that make a record: firing, resolved. Default both.
	States []string `mapstructure:"states"`

	// QueueSize is how many changes may wait while the pipeline refuses; beyond it the oldest are dropped. Default 1000,
	// at most half a MiB: an incident that sets off every rule of a large installation still fits.
	QueueSize int `mapstructure:"queue_size"`

	// Retry repeats a batch that the pipeline refused for now. Default on, 1s to 30s, 5m in all.
	Retry configretry.BackOffConfig `mapstructure:"retry_on_failure"`
}

// states are the values that may stand in States.
func states() []string {
	return []string{alertfeed.Firing.String(), alertfeed.Resolved.String()}
}

// Unmarshal implements confmap.Unmarshaler. It names the nearest key for each that does not exist.
func (c *Config) Unmarshal(conf *confmap.Conf) error {
	if err := confkeys.Check(conf, c); err != nil {
		return err
	}
	return conf.Unmarshal(c)
}

// Validate reports every problem at once; each message starts with the key.
func (c *Config) Validate() error {
	var errs []error
	if c.Store == (component.ID{}) {
		errs = append(errs, errors.New("store: must be the id of a prometheusstore extension"))
	}
	if len(c.States) == 0 {
		errs = append(errs, errors.New("states: must name firing, resolved, or both"))
	}
	for i, s := range c.States {
		switch {
		case !slices.Contains(states(), s):
			errs = append(errs, fmt.Errorf("states[%d]: unknown state %q%s", i, s, yamlkeys.DidYouMean(s, states())))
		case slices.Index(c.States, s) < i:
			errs = append(errs, fmt.Errorf("states[%d]: %q is listed twice", i, s))
		}
	}
	if c.QueueSize <= 0 {
		errs = append(errs, fmt.Errorf("queue_size: must be positive, got %d", c.QueueSize))
	}
	return errors.Join(errs...)
}
