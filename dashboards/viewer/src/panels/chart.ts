// What all uPlot charts of a dashboard share: axes in the theme's colours, one time axis, a cursor that moves in all
// of them, and drag to zoom.

import uPlot from "uplot";
import type { Context } from "../context.ts";
import { palette } from "../palette.ts";
import { formatTick, type Range } from "../timerange.ts";
import { hideTooltip } from "../popover.ts";

const fontFamily = 'Inter, system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif';
export const axisFont = `11px ${fontFamily}`;
const syncKey = "tailgate";

export function gridStyle(): uPlot.Axis.Grid {
  return { stroke: palette().grid, width: 1 };
}

// Seconds between ticks; uPlot's own list lacks two minutes, for one, and leaves narrow panels with a single tick.
const timeSteps = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800];

export function timeAxis(): uPlot.Axis {
  return {
    stroke: palette().muted,
    font: axisFont,
    grid: gridStyle(),
    ticks: { show: false },
    gap: 6,
    size: 26,
    space: 70,
    incrs: timeSteps,
    values: (_, splits, __, ___, increment) => splits.map((at) => formatTick(at, increment)),
  };
}

/** fitAxis sizes a y axis to its longest label, with a cap for names. */
export function fitAxis(u: uPlot, values: string[] | null, cap = 140): number {
  const longest = (values ?? []).reduce((a, b) => (b.length > a.length ? b : a), "");
  if (!longest) return 12;
  u.ctx.save();
  u.ctx.font = axisFont;
  const width = u.ctx.measureText(longest).width;
  u.ctx.restore();
  return Math.min(cap, Math.ceil(width) + 14);
}

/** baseOptions is a chart over the range that `range` returns, which may move between refreshes. */
export function baseOptions(ctx: Context, size: { width: number; height: number }, range: () => Range): uPlot.Options {
  return {
    ...size,
    series: [],
    padding: [8, 10, 0, 0],
    legend: { show: false },
    focus: { alpha: 0.22 },
    scales: { x: { time: true, range: () => [range().from / 1000, range().to / 1000] } },
    cursor: {
      y: false,
      drag: { x: true, y: false, setScale: false, dist: 6 },
      focus: { prox: -1 },
      bind: { dblclick: () => () => { ctx.zoomOut(); return null; } },
      sync: {
        key: syncKey,
        setSeries: false,
        scales: ["x", null],
        filters: { pub: (type) => type === "mousemove" || type === "mouseleave", sub: () => true },
      },
    },
    hooks: { setSelect: [(u) => zoomToSelection(u, ctx)] },
  };
}

function zoomToSelection(u: uPlot, ctx: Context): void {
  const { left, width } = u.select;
  if (width < 6) return;
  const from = Math.round(u.posToVal(left, "x") * 1000);
  const to = Math.round(u.posToVal(left + width, "x") * 1000);
  u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
  ctx.zoom({ from, to: Math.max(to, from + 1000) });
}

/** onHover calls back with the cursor while the pointer is over this chart (not over one it is synchronised with). */
export function onHover(u: uPlot, move: (event: MouseEvent) => void): void {
  u.over.addEventListener("mousemove", move);
  u.over.addEventListener("mouseleave", hideTooltip);
  u.over.addEventListener("mousedown", hideTooltip);
}

/** bodySize is the room for a chart; zero while its section is not laid out. */
export function bodySize(node: HTMLElement): { width: number; height: number } {
  return { width: Math.max(0, Math.floor(node.clientWidth)), height: Math.max(0, Math.floor(node.clientHeight)) };
}
