package model_test

import (
	"math/rand/v2"
	"testing"

	"github.com/tailgate-otel/tailgate/dashboards/model"
)

// TestLayoutKeepsEveryPanelOnTheGrid packs random panels and holds what a reader relies on: all inside 24 columns, none
// over another, order kept, no line broken before it is needed, and the height covering exactly all of them.
func TestLayoutKeepsEveryPanelOnTheGrid(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		panels := make([]model.Panel, rng.IntN(20))
		for i := range panels {
			panels[i] = model.Panel{Width: 1 + rng.IntN(model.Columns), Height: 1 + rng.IntN(12)}
		}
		places, height := model.Layout(panels)
		if len(places) != len(panels) {
			t.Fatalf("%d panels got %d places", len(panels), len(places))
		}
		bottom := 0
		for i, p := range places {
			if p.Width != panels[i].Width || p.Height != panels[i].Height {
				t.Fatalf("panel %d of %d x %d got %+v", i, panels[i].Width, panels[i].Height, p)
			}
			if p.X < 0 || p.Y < 0 || p.X+p.Width > model.Columns {
				t.Fatalf("panel %d leaves the grid: %+v", i, p)
			}
			for j, q := range places[:i] {
				if p.X < q.X+q.Width && q.X < p.X+p.Width && p.Y < q.Y+q.Height && q.Y < p.Y+p.Height {
					t.Fatalf("panels %d %+v and %d %+v overlap", j, q, i, p)
				}
			}
			if i > 0 {
				prev := places[i-1]
				switch {
				case p.Y == prev.Y && p.X != prev.X+prev.Width:
					t.Fatalf("gap before panel %d: %+v after %+v", i, p, prev)
				case p.Y != prev.Y && prev.X+prev.Width+p.Width <= model.Columns:
					t.Fatalf("panel %d wrapped although it fitted: %+v after %+v", i, p, prev)
				case p.Y < prev.Y:
					t.Fatalf("panel %d stands above its predecessor", i)
				}
			}
			bottom = max(bottom, p.Y+p.Height)
		}
		if height != bottom {
			t.Fatalf("height %d, but the lowest edge is %d", height, bottom)
		}
	}
}
