// One panel's queries for one refresh: which step, which built-in variables, which API calls, in what form.

import * as api from "./api.ts";
import type { MatrixSeries } from "./api.ts";
import type { Context } from "./context.ts";
import type { PanelJSON, Target } from "./model.ts";
import type { Range } from "./timerange.ts";
import type { InstantResult } from "./frames.ts";
import { formatDuration, parseDuration, rateInterval, stepFor } from "./durations.ts";
import { gridFor, gridTimes, instantSeries, rangeSeries, readExemplars, type Exemplar, type Grid, type Series } from "./series.ts";
import { interpolate, type Lookup } from "./template.ts";

export interface PanelData {
  range: Range;
  grid: Grid;
  times: number[];
  series: Series[];
  /** Raw range results, for heatmaps. */
  matrix: MatrixSeries[];
  instant: InstantResult[];
  exemplars: Exemplar[];
  warnings: string[];
}

// The interval at which our own pipeline writes samples; a panel whose data comes less often says so in `interval`.
const defaultDataInterval = 5_000;

export interface Plan { grid: Grid; lookup: Lookup }

/** plan fixes the step and the built-in variables. All targets of a panel share one grid, the coarsest asked for. */
export function plan(panel: PanelJSON, outer: Lookup, range: Range, widthPx: number): Plan {
  const intervals = [panel.interval, ...(panel.targets ?? []).map((t) => t.interval)];
  const asked = intervals.map((text) => (text ? parseDuration(interpolate(text, outer, "text")) : undefined));
  const dataInterval = asked[0] ?? defaultDataInterval;
  const least = Math.max(dataInterval, ...asked.map((ms) => ms ?? 0));
  const step = stepFor(range.to - range.from, widthPx, least, panel.maxDataPoints ?? undefined);
  const builtin: Record<string, string> = {
    __interval: formatDuration(step),
    __interval_ms: String(step),
    __rate_interval: formatDuration(rateInterval(step, dataInterval)),
    __rate_interval_ms: String(rateInterval(step, dataInterval)),
    __range: `${Math.round((range.to - range.from) / 1000)}s`,
    __range_s: String(Math.round((range.to - range.from) / 1000)),
    __range_ms: String(range.to - range.from),
    __from: String(range.from),
    __to: String(range.to),
  };
  return { grid: gridFor(range.from, range.to, step), lookup: (name) => builtin[name] ?? outer(name) };
}

export function activeTargets(panel: PanelJSON): Target[] {
  return (panel.targets ?? []).filter((target) => !target.hide && target.expr?.trim());
}

interface TargetData { series: Series[]; matrix: MatrixSeries[]; instant: InstantResult[]; exemplars: api.ExemplarSeries[]; warnings: string[] }

/** runPanel asks for everything a panel shows; the first failing target fails the panel, by name when there are several. */
export async function runPanel(panel: PanelJSON, ctx: Context, widthPx: number, signal: AbortSignal): Promise<PanelData> {
  const range = ctx.range();
  const { grid, lookup } = plan(panel, ctx.lookup, range, widthPx);
  const targets = activeTargets(panel);
  const answers = await Promise.all(targets.map(async (target, index): Promise<TargetData> => {
    const refId = target.refId ?? String.fromCharCode(65 + index);
    try {
      return await runTarget(panel, { ...target, refId }, interpolate(target.expr!, lookup, "promql"), grid, range, signal);
    } catch (err) {
      if (targets.length > 1 && err instanceof api.ApiError) throw new api.ApiError(`query ${refId}: ${err.message}`);
      throw err;
    }
  }));
  return {
    range,
    grid,
    times: gridTimes(grid),
    series: answers.flatMap((a) => a.series),
    matrix: answers.flatMap((a) => a.matrix),
    instant: answers.flatMap((a) => a.instant),
    exemplars: readExemplars(answers.flatMap((a) => a.exemplars)),
    warnings: [...new Set(answers.flatMap((a) => a.warnings))],
  };
}

async function runTarget(panel: PanelJSON, target: Target & { refId: string }, expr: string, grid: Grid, range: Range, signal: AbortSignal): Promise<TargetData> {
  const none: TargetData = { series: [], matrix: [], instant: [], exemplars: [], warnings: [] };
  const graph = panel.type === "timeseries" || panel.type === "heatmap";
  if (panel.type === "table" || (!graph && target.instant && !target.range)) {
    const { data, warnings } = await api.query(expr, range.to / 1000, signal);
    return { ...none, series: instantSeries(target.refId, target.legendFormat, data), instant: [{ refId: target.refId, samples: data }], warnings };
  }
  const wantExemplars = graph && target.exemplar === true;
  const [{ data, warnings }, exemplars] = await Promise.all([
    api.queryRange(expr, grid.start, grid.end, grid.step, signal),
    wantExemplars ? api.queryExemplars(expr, range.from / 1000, range.to / 1000, signal) : [],
  ]);
  return { ...none, series: rangeSeries(target.refId, target.legendFormat, data, grid), matrix: data, exemplars, warnings };
}
