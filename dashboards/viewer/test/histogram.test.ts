import assert from "node:assert/strict";
import { test } from "node:test";
import type { MatrixSeries } from "../src/api.ts";
import { bounds, heatmapCells, logTicks, shade } from "../src/histogram.ts";

const grid = { start: 100, end: 120, step: 10 };

const native = (time: number, ...buckets: [number, string, string, string][]): [number, { count: string; sum: string; buckets: typeof buckets }] =>
  [time, { count: "0", sum: "0", buckets }];

test("native histograms become cells, summed over series", () => {
  const results: MatrixSeries[] = [
    { metric: { a: "1" }, histograms: [native(100, [0, "0.5", "1", "3"], [0, "1", "2", "1"]), native(120, [0, "1", "2", "4"])] },
    { metric: { a: "2" }, histograms: [native(100, [0, "1", "2", "2"])] },
  ];
  const cells = heatmapCells(results, grid);
  const flat = cells.count.map((count, i) => [cells.column[i], cells.low[i], cells.high[i], count]);
  assert.deepEqual(flat, [[0, 0.5, 1, 3], [0, 1, 2, 3], [2, 1, 2, 4]]);
  assert.equal(cells.maxCount, 4);
  assert.deepEqual(cells.extent, { low: 0.5, high: 2 });
});

test("classic buckets are told apart by le and lose their neighbour's count", () => {
  const series = (le: string, ...values: string[]): MatrixSeries => ({ metric: { le, x: "1" }, values: values.map((v, i) => [100 + 10 * i, v]) });
  const cells = heatmapCells([series("+Inf", "10", "12"), series("0.1", "4", "4"), series("0.5", "9", "12")], grid);
  const flat = cells.count.map((count, i) => [cells.column[i], cells.low[i], cells.high[i], count]);
  assert.deepEqual(flat, [[0, 0, 0.1, 4], [0, 0.1, 0.5, 5], [0, 0.5, Infinity, 1], [1, 0, 0.1, 4], [1, 0.1, 0.5, 8]]);
  assert.deepEqual(cells.extent, { low: 0.1, high: 0.5 });
  assert.deepEqual(bounds(cells), { low: 0.05, high: 1 });
});

test("the zero bucket gets a band, empty buckets none", () => {
  const cells = heatmapCells([{ metric: {}, histograms: [native(100, [3, "-1e-9", "1e-9", "2"], [0, "1", "2", "1"], [0, "2", "4", "0"])] }], grid);
  assert.deepEqual(cells.count, [2, 1]);
  assert.ok(bounds(cells).low < 1e-9);
});

test("no histogram, no cells", () => {
  const cells = heatmapCells([{ metric: { job: "a" }, values: [[100, "1"]] }], grid);
  assert.equal(cells.count.length, 0);
  assert.equal(cells.extent, undefined);
});

test("the scale spreads small counts", () => {
  assert.equal(shade(0, 100), 0);
  assert.equal(shade(25, 100), 0.5);
  assert.equal(shade(200, 100), 1);
  assert.equal(shade(1, 0), 0);
});

test("log ticks lie in range and are few", () => {
  assert.deepEqual(logTicks(1, 16, 10), [1, 2, 4, 8, 16]);
  for (const [low, high, most] of [[0.001, 8, 5], [1e-9, 1e3, 6], [3, 5, 4], [0.25, 0.3, 3]] as const) {
    const ticks = logTicks(low, high, most);
    assert.ok(ticks.length <= most, `${ticks}`);
    assert.ok(ticks.every((tick) => tick >= low * 0.999 && tick <= high * 1.001), `${ticks}`);
  }
});
