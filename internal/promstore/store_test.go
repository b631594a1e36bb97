package promstore_test

import (
	"context"
	"testing"
	"time"

	"github.com/prometheus/prometheus/storage"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"

	"github.com/tailgate-otel/tailgate/internal/promstore"
)

type plainExtension struct {
	component.StartFunc
	component.ShutdownFunc
}

type storeExtension struct {
	plainExtension
}

func (*storeExtension) AppenderV2(context.Context) storage.AppenderV2 { return nil }

func (*storeExtension) LookbackDelta() time.Duration { return time.Minute }

func (*storeExtension) Bounds() (oldest, newest time.Time) { return time.Time{}, time.Time{} }

type host map[component.ID]component.Component

func (h host) GetExtensions() map[component.ID]component.Component { return h }

func TestFind(t *testing.T) {
	id := component.MustNewID("prometheusstore")
	other := component.MustNewIDWithName("prometheusstore", "long")
	check := component.MustNewID("health_check")
	store := &storeExtension{}

	found, err := promstore.Find(host{id: store, check: &plainExtension{}}, id)
	require.NoError(t, err)
	assert.Same(t, store, found)

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
			host: host{other: store},
			id:   id,
			want: `store: there is no extension "prometheusstore"; did you mean "prometheusstore/long"?`,
		},
		"not a store": {
			host: host{other: store, check: &plainExtension{}},
			id:   check,
			want: `store: extension "health_check" is no Prometheus store; did you mean "prometheusstore/long"?`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := promstore.Find(tc.host, tc.id)
			assert.EqualError(t, err, tc.want)
		})
	}
}
