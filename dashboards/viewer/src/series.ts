// Query results on a common time grid: one array of times per panel and one array of values per series, the form in
// which graphs, sparklines and legends read them.

import type { ExemplarSeries, Labels, MatrixSeries, VectorSample } from "./api.ts";

export interface Series {
  refId: string;
  labels: Labels;
  name: string;
  values: (number | null)[];
}

export interface Grid { start: number; end: number; step: number }

export interface Exemplar { time: number; value: number; traceId?: string; labels: Labels; series: Labels }

/** gridFor aligns a range (milliseconds) to its step, so that two refreshes of the same range ask for the same points. */
export function gridFor(fromMs: number, toMs: number, stepMs: number): Grid {
  return { start: (Math.floor(fromMs / stepMs) * stepMs) / 1000, end: (Math.floor(toMs / stepMs) * stepMs) / 1000, step: stepMs / 1000 };
}

export function gridTimes({ start, end, step }: Grid): number[] {
  return Array.from({ length: Math.round((end - start) / step) + 1 }, (_, i) => Number((start + i * step).toFixed(3)));
}

/** parseSample reads Prometheus' text of a float. NaN means that there is nothing to draw, and becomes null. */
export function parseSample(text: string): number | null {
  if (text === "+Inf" || text === "Inf") return Infinity;
  if (text === "-Inf") return -Infinity;
  const value = Number(text);
  return Number.isNaN(value) ? null : value;
}

export function onGrid(result: MatrixSeries, grid: Grid): (number | null)[] {
  const values: (number | null)[] = new Array(Math.round((grid.end - grid.start) / grid.step) + 1).fill(null);
  for (const [time, text] of result.values ?? []) {
    const index = Math.round((time - grid.start) / grid.step);
    if (index >= 0 && index < values.length) values[index] = parseSample(text);
  }
  return values;
}

/** seriesName applies Prometheus' legend format; "__auto" shows the one label there is, or all of them. */
export function seriesName(format: string | undefined, labels: Labels): string {
  // A label that is not there leaves nothing to point at, so it is named as such.
  if (format && format !== "__auto") return format.replace(/\{\{\s*([\w.]+)\s*\}\}/g, (_, name: string) => labels[name] ?? "").trim() || "(none)";
  const { __name__: metric = "", ...rest } = labels;
  const entries = Object.entries(rest);
  if (format === "__auto" && entries.length === 1) return entries[0]![1];
  const pairs = entries.map(([key, value]) => `${key}="${value}"`).join(", ");
  return entries.length > 0 ? `${metric}{${pairs}}` : metric || "Value";
}

export function rangeSeries(refId: string, legend: string | undefined, results: MatrixSeries[], grid: Grid): Series[] {
  return results.map((result) => ({ refId, labels: result.metric, name: seriesName(legend, result.metric), values: onGrid(result, grid) }));
}

export function instantSeries(refId: string, legend: string | undefined, results: VectorSample[]): Series[] {
  return results.map((result) => ({
    refId,
    labels: result.metric,
    name: seriesName(legend, result.metric),
    values: [result.value ? parseSample(result.value[1]) : null],
  }));
}

export function hasValues(series: Series): boolean {
  return series.values.some((value) => value !== null);
}

// Names under which instrumentation puts the trace id on an exemplar: OTLP translation, OpenMetrics, Java.
const traceLabels = ["trace_id", "traceID", "traceId", "TraceID"];

/** readExemplars flattens the API's answer. Several targets often share a selector, so equal exemplars are one. */
export function readExemplars(answers: ExemplarSeries[]): Exemplar[] {
  const seen = new Map<string, Exemplar>();
  for (const { seriesLabels, exemplars } of answers) {
    for (const { labels, value, timestamp } of exemplars) {
      const number = parseSample(value);
      if (number === null) continue;
      const traceId = traceLabels.map((name) => labels[name]).find((id) => id);
      const key = `${traceId ?? ""} ${timestamp} ${value}`;
      if (!seen.has(key)) seen.set(key, { time: timestamp, value: number, traceId, labels, series: seriesLabels });
    }
  }
  return [...seen.values()].sort((a, b) => a.time - b.time);
}

/** thinExemplars keeps the largest of each slot of time: the slow requests are what a reader looks for. */
export function thinExemplars(exemplars: Exemplar[], slotSeconds: number): Exemplar[] {
  const slots = new Map<number, Exemplar>();
  for (const exemplar of exemplars) {
    const slot = Math.floor(exemplar.time / slotSeconds);
    const held = slots.get(slot);
    if (!held || exemplar.value > held.value) slots.set(slot, exemplar);
  }
  return [...slots.values()];
}
