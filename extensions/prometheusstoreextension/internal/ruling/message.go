package ruling

import (
	"fmt"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/tailgate-otel/tailgate/internal/alertfeed"
)

// message is what Alertmanager posts to a webhook, version 4 of the format:
// https://prometheus.io/docs/alerting/latest/configuration/#webhook_config
type message struct {
	Version  string `json:"version"`
	GroupKey string `json:"groupKey"`
	// TruncatedAlerts is always 0: a large group makes several messages.
	TruncatedAlerts   int               `json:"truncatedAlerts"`
	Status            string            `json:"status"`
	Receiver          string            `json:"receiver"`
	GroupLabels       map[string]string `json:"groupLabels"`
	CommonLabels      map[string]string `json:"commonLabels"`
	CommonAnnotations map[string]string `json:"commonAnnotations"`
	ExternalURL       string            `json:"externalURL"`
	Alerts            []messageAlert    `json:"alerts"`
}

type messageAlert struct {
	Status       string            `json:"status"`
	Labels       map[string]string `json:"labels"`
	Annotations  map[string]string `json:"annotations"`
	StartsAt     time.Time         `json:"startsAt"`
	EndsAt       time.Time         `json:"endsAt"` // the year 1 while the alert fires, as Alertmanager writes it
	GeneratorURL string            `json:"generatorURL"`
	Fingerprint  string            `json:"fingerprint"`
}

// groupByName splits events by rule name, as Alertmanager's usual group_by does, in the order in which names come.
func groupByName(events []alertfeed.Event) (groups [][]alertfeed.Event) {
	place := map[string]int{}
	for _, e := range events {
		i, ok := place[e.Name()]
		if !ok {
			i = len(groups)
			place[e.Name()] = i
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], e)
	}
	return groups
}

// newMessage makes the message about events of one rule name, one at least.
func newMessage(receiver, externalURL string, events []alertfeed.Event) message {
	name := events[0].Name()
	m := message{
		Version:           "4",
		GroupKey:          fmt.Sprintf("{}:{%s=%q}", labels.AlertName, name),
		Status:            alertfeed.Resolved.String(),
		Receiver:          receiver,
		GroupLabels:       map[string]string{labels.AlertName: name},
		CommonLabels:      events[0].Labels.Map(),
		CommonAnnotations: events[0].Annotations.Map(),
		ExternalURL:       externalURL,
		Alerts:            make([]messageAlert, len(events)),
	}
	for i, e := range events {
		if e.State == alertfeed.Firing {
			m.Status = e.State.String() // one that fires is enough
		}
		m.Alerts[i] = messageAlert{
			Status:       e.State.String(),
			Labels:       e.Labels.Map(),
			Annotations:  e.Annotations.Map(),
			StartsAt:     e.StartsAt,
			EndsAt:       e.EndsAt,
			GeneratorURL: e.GeneratorURL,
			Fingerprint:  e.Fingerprint(),
		}
		intersect(m.CommonLabels, e.Labels)
		intersect(m.CommonAnnotations, e.Annotations)
	}
	return m
}

// intersect takes out of common what ls does not have.
func intersect(common map[string]string, ls labels.Labels) {
	for name, value := range common {
		if ls.Get(name) != value || !ls.Has(name) {
			delete(common, name)
		}
	}
}
