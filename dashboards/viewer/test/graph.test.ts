import assert from "node:assert/strict";
import { test } from "node:test";
import { display, mapValue, resolveField, thresholdColor } from "../src/fields.ts";
import { pick } from "../src/panels/legend.ts";
import { calcFor } from "../src/reduce.ts";
import { gridFor, gridTimes, onGrid, readExemplars, seriesName, thinExemplars } from "../src/series.ts";
import { bridge, isolated, stack, yRange } from "../src/stack.ts";

test("results lie on the grid, with gaps and NaN empty", () => {
  const grid = gridFor(103_000, 131_000, 10_000);
  assert.deepEqual(gridTimes(grid), [100, 110, 120, 130]);
  assert.deepEqual(onGrid({ metric: {}, values: [[100, "1"], [120, "NaN"], [130, "+Inf"], [140, "9"]] }, grid), [1, null, null, Infinity]);
});

test("legends", () => {
  const labels = { __name__: "up", job: "a", code: "200" };
  assert.equal(seriesName("{{job}} {{ code }} {{none}}", labels), "a 200");
  assert.equal(seriesName("{{none}}", labels), "(none)");
  assert.equal(seriesName(undefined, labels), 'up{job="a", code="200"}');
  assert.equal(seriesName("__auto", { job: "a" }), "a");
  assert.equal(seriesName("", {}), "Value");
});

test("calculations ignore gaps", () => {
  const values = [1, null, 5, 3, null];
  const table: [string, number | null][] = [
    ["lastNotNull", 3], ["last", null], ["first", 1], ["max", 5], ["min", 1], ["mean", 3], ["sum", 9], ["count", 3], ["range", 4],
  ];
  for (const [id, want] of table) assert.equal(calcFor(id).calc(values), want, id);
  assert.equal(calcFor("max").calc([null]), null);
  assert.equal(calcFor("unknown").label, "Last");
});

test("stacking", () => {
  assert.deepEqual(stack([[1, null, null], [2, 3, null]], false), [[1, 0, null], [3, 3, null]]);
  assert.deepEqual(stack([[1, 0], [3, 0]], true), [[0.25, 0], [1, 0]]);
});

test("gaps: short ones are bridged, lone points found", () => {
  assert.deepEqual(bridge([1, null, 2, null, null, 3, null], 1), [1, undefined, 2, null, null, 3, null]);
  assert.deepEqual(isolated([null, 1, null, 2, 3, undefined, 4, null, 5]), [1, 8]);
});

test("the y range includes zero where it means something", () => {
  const free = { fromZero: false };
  assert.deepEqual(yRange(0, 10, free), [0, 10.8]);
  assert.equal(yRange(95, 100, free)[0] > 90, true);
  assert.equal(yRange(95, 100, { fromZero: true })[0], 0);
  assert.deepEqual(yRange(0, 0, free), [0, 1]);
  assert.deepEqual(yRange(null, null, free), [0, 1.08]);
  assert.deepEqual(yRange(2, 50, { fromZero: false, min: 0, max: 100 }), [0, 100]);
  assert.deepEqual(yRange(-5, -5, { fromZero: true }), [-5.4, 0]);
});

test("overrides apply in order, to either name", () => {
  const config = {
    defaults: { unit: "s", custom: { lineWidth: 1 } },
    overrides: [
      { matcher: { id: "byName", options: "Errors" }, properties: [{ id: "unit", value: "percentunit" }, { id: "custom.align", value: "left" }] },
      { matcher: { id: "byRegexp", options: "/^p\\d+/" }, properties: [{ id: "decimals", value: 1 }] },
      { matcher: { id: "byFrameRefID", options: "B" }, properties: [{ id: "displayName", value: "${__field.labels.code} of ${__field.name}" }] },
    ],
  };
  const renamed = resolveField(config, { name: "Value #B", displayName: "Errors", type: "number" });
  assert.equal(renamed.unit, "percentunit");
  assert.deepEqual(renamed.custom, { lineWidth: 1, align: "left" });
  assert.deepEqual(config.defaults.custom, { lineWidth: 1 }, "the file's own object stays as it was");
  assert.equal(resolveField(config, { name: "p99", type: "number" }).decimals, 1);
  assert.equal(resolveField(config, { name: "x", refId: "B", type: "number", labels: { code: "503" } }).displayName, "503 of x");
});

test("thresholds and mappings colour values", () => {
  const thresholds = { mode: "absolute", steps: [{ value: null, color: "green" }, { value: 1, color: "orange" }, { value: 5, color: "red" }] };
  assert.deepEqual([0, 1, 4.9, 5].map((v) => thresholdColor(thresholds, v)), ["green", "orange", "orange", "red"]);
  assert.equal(thresholdColor({ ...thresholds, mode: "percentage" }, 6, 0, 200), "red".replace("red", "orange"));
  const mappings = [
    { type: "value", options: { "1": { text: "up", color: "green" } } },
    { type: "range", options: { from: 2, to: 4, result: { text: "some" } } },
    { type: "special", options: { match: "null", result: { text: "nothing" } } },
  ];
  assert.equal(mapValue(mappings, 1)?.text, "up");
  assert.equal(mapValue(mappings, 3)?.text, "some");
  assert.equal(mapValue(mappings, null)?.text, "nothing");
  assert.equal(mapValue(mappings, 9), undefined);
  assert.deepEqual(display({ unit: "s", thresholds, custom: {} }, 5), { text: "5", suffix: " s", color: "red" });
});

test("a click on the legend shows one alone, again shows all", () => {
  const names = ["a", "b", "c"];
  const alone = pick(names, new Set(), "b", false);
  assert.deepEqual([...alone], ["a", "c"]);
  assert.deepEqual([...pick(names, alone, "b", false)], []);
  assert.deepEqual([...pick(names, alone, "a", true)], ["c"]);
  assert.deepEqual([...pick(names, new Set(["a", "b"]), "c", true)], [], "never all hidden");
});

test("exemplars are told apart by trace, thinned to the slowest", () => {
  const exemplar = (id: string, value: string, timestamp: number) => ({ labels: { trace_id: id }, value, timestamp });
  const found = readExemplars([
    { seriesLabels: { job: "a" }, exemplars: [exemplar("1", "0.2", 102), exemplar("2", "0.9", 101)] },
    { seriesLabels: { job: "a" }, exemplars: [exemplar("1", "0.2", 102), exemplar("3", "NaN", 103)] },
  ]);
  assert.deepEqual(found.map((e) => e.traceId), ["2", "1"]);
  assert.deepEqual(thinExemplars(found, 10).map((e) => e.traceId), ["2"]);
});
