package alertfeed_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"

	"github.com/tailgate-otel/tailgate/internal/alertfeed"
)

type plainExtension struct {
	component.StartFunc
	component.ShutdownFunc
}

type ruler struct{ plainExtension }

func (*ruler) SubscribeAlerts(string, int) *alertfeed.Subscription { return nil }

type host map[component.ID]component.Component

func (h host) GetExtensions() map[component.ID]component.Component { return h }

func TestFind(t *testing.T) {
	id := component.MustNewID("prometheusstore")
	other := component.MustNewIDWithName("prometheusstore", "long")
	check := component.MustNewID("health_check")
	source := &ruler{}

	found, err := alertfeed.Find(host{id: source, check: &plainExtension{}}, id)
	require.NoError(t, err)
	assert.Same(t, source, found)

	for name, tc := range map[string]struct {
		host host
		id   component.ID
		want string
	}{
		"no extension at all": {
			host: host{},
			id:   id,
			want: `store: there is no extension "prometheusstore"; configure one (type prometheusstore) under extensions and list it in service::extensions`,
		},
		"another name": {
			host: host{other: source},
			id:   id,
			want: `store: there is no extension "prometheusstore"; did you mean "prometheusstore/long"?`,
		},
		"no rules": {
			host: host{other: source, check: &plainExtension{}},
			id:   check,
			want: `store: extension "health_check" evaluates no alerting rules; did you mean "prometheusstore/long"?`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := alertfeed.Find(tc.host, tc.id)
			assert.EqualError(t, err, tc.want)
		})
	}
}
