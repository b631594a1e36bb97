// Histograms as heatmap cells. Native histograms arrive with their buckets per moment; classic ones as one cumulative
// series per `le`, whose neighbours are subtracted. Both become rectangles with a lower and an upper bound.

import type { MatrixSeries } from "./api.ts";
import { onGrid, parseSample, type Grid } from "./series.ts";

/** Cells are columns of one value per cell, flat, because a day at 5 s has some 100,000 of them. */
export interface Cells {
  /** Index into the time grid. */
  column: number[];
  low: number[];
  high: number[];
  count: number[];
  maxCount: number;
  /** Lowest positive bound and highest finite bound; undefined when there is no cell. */
  extent?: { low: number; high: number };
}

interface Bucket { low: number; high: number; count: number }

/** heatmapCells adds up all series; ones that carry histograms are read as native, the others by their `le`. */
export function heatmapCells(results: MatrixSeries[], grid: Grid): Cells {
  const columns = new Map<number, Map<string, Bucket>>();
  for (const series of results) addNative(series, grid, columns);
  addClassic(results.filter((series) => series.values && series.metric.le !== undefined), grid, columns);
  return flatten(columns);
}

function addTo(columns: Map<number, Map<string, Bucket>>, column: number, bucket: Bucket): void {
  if (!(bucket.count > 0)) return;
  const held = columns.get(column) ?? new Map<string, Bucket>();
  columns.set(column, held);
  const key = `${bucket.low} ${bucket.high}`;
  const same = held.get(key);
  if (same) same.count += bucket.count;
  else held.set(key, bucket);
}

function addNative(series: MatrixSeries, grid: Grid, columns: Map<number, Map<string, Bucket>>): void {
  for (const [time, histogram] of series.histograms ?? []) {
    const column = Math.round((time - grid.start) / grid.step);
    for (const [, left, right, count] of histogram.buckets ?? []) {
      addTo(columns, column, { low: Number(left), high: parseSample(right) ?? Infinity, count: Number(count) });
    }
  }
}

function addClassic(results: MatrixSeries[], grid: Grid, columns: Map<number, Map<string, Bucket>>): void {
  const groups = new Map<string, { le: number; values: (number | null)[] }[]>();
  for (const series of results) {
    const { le, ...rest } = series.metric;
    const key = JSON.stringify(Object.entries(rest).sort());
    const group = groups.get(key) ?? [];
    groups.set(key, group);
    group.push({ le: parseSample(le!) ?? Infinity, values: onGrid(series, grid) });
  }
  for (const group of groups.values()) {
    group.sort((a, b) => a.le - b.le);
    group.forEach(({ le, values }, i) => {
      const below = group[i - 1];
      const low = below?.le ?? Math.min(0, le);
      values.forEach((value, column) => {
        if (value !== null) addTo(columns, column, { low, high: le, count: value - (below?.values[column] ?? 0) });
      });
    });
  }
}

function flatten(columns: Map<number, Map<string, Bucket>>): Cells {
  const cells: Cells = { column: [], low: [], high: [], count: [], maxCount: 0 };
  let low = Infinity;
  let high = -Infinity;
  for (const [column, buckets] of [...columns].sort(([a], [b]) => a - b)) {
    for (const bucket of buckets.values()) {
      cells.column.push(column);
      cells.low.push(bucket.low);
      cells.high.push(bucket.high);
      cells.count.push(bucket.count);
      cells.maxCount = Math.max(cells.maxCount, bucket.count);
      if (bucket.low > 0) low = Math.min(low, bucket.low);
      if (bucket.high > 0) low = Math.min(low, bucket.high);
      high = Math.max(high, Number.isFinite(bucket.high) ? bucket.high : bucket.low);
    }
  }
  if (cells.count.length > 0 && high > 0 && low < Infinity) cells.extent = { low, high };
  return cells;
}

/** bounds is the y range of a logarithmic axis: a band below the lowest bound holds the zero bucket and "up to the first
 *  le", one above the highest holds "+Inf"; neither is there when no cell needs it. */
export function bounds(cells: Cells): { low: number; high: number } {
  const { low, high } = cells.extent ?? { low: 1, high: 10 };
  const zero = cells.low.some((v) => v <= 0);
  const open = cells.high.some((v) => v === Infinity);
  return { low: zero ? low / 2 : low, high: Math.max(open ? high * 2 : high, low * 2) };
}

/** shade maps a count to 0..1; the root spreads the small counts, where the interesting outliers are. */
export function shade(count: number, maxCount: number): number {
  return maxCount > 0 ? Math.sqrt(Math.min(1, count / maxCount)) : 0;
}

/** logTicks lists axis ticks between two bounds, thinned to at most `most`: powers of two, or of ten when wide. */
export function logTicks(low: number, high: number, most: number): number[] {
  const decades = Math.log10(high / low);
  const base = decades > most / 3.4 ? 10 : 2;
  const first = Math.ceil(Math.log(low) / Math.log(base) - 1e-9);
  const last = Math.floor(Math.log(high) / Math.log(base) + 1e-9);
  const every = Math.max(1, Math.ceil((last - first + 1) / most));
  const ticks: number[] = [];
  for (let power = first; power <= last; power++) {
    if ((((power - first) % every) + every) % every === 0) ticks.push(base ** power);
  }
  return ticks;
}
