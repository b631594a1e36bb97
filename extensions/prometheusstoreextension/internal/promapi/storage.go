package promapi

import (
	"context"
	"errors"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
)

// adminStats gives the API the statistics of a database, and what changes it, which Settings.Admin lets through.
type adminStats struct{ *tsdb.DB }

func (a adminStats) Stats(label string, limit int) (*tsdb.Stats, error) {
	return a.Head().Stats(label, limit), nil
}

// WALReplayStatus reports a replay that has ended: the API is served after the database was opened.
func (adminStats) WALReplayStatus() (tsdb.WALReplayStatus, error) {
	return tsdb.WALReplayStatus{}, nil
}

func (a adminStats) BlockMetas() ([]tsdb.BlockMeta, error) {
	return a.DB.BlockMetas(), nil
}

// nothing stands for the database of a store that only forwards.
type nothing struct{}

var errNothing = errors.New("this store forwards and keeps nothing")

func (nothing) Querier(_, _ int64) (storage.Querier, error) { return nil, errNothing }

func (nothing) ChunkQuerier(_, _ int64) (storage.ChunkQuerier, error) { return nil, errNothing }

func (nothing) ExemplarQuerier(context.Context) (storage.ExemplarQuerier, error) {
	return nil, errNothing
}

func (nothing) CleanTombstones() error { return errNothing }

func (nothing) Delete(context.Context, int64, int64, ...*labels.Matcher) error { return errNothing }

func (nothing) Snapshot(string, bool) error { return errNothing }

func (nothing) Stats(string, int) (*tsdb.Stats, error) { return nil, errNothing }

func (nothing) WALReplayStatus() (tsdb.WALReplayStatus, error) {
	return tsdb.WALReplayStatus{}, nil
}

func (nothing) BlockMetas() ([]tsdb.BlockMeta, error) { return nil, errNothing }
