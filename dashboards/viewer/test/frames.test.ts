import assert from "node:assert/strict";
import { test } from "node:test";
import type { Labels, VectorSample } from "../src/api.ts";
import { instantFrames, merge, sortFrame, transform, type Frame } from "../src/frames.ts";

const sample = (metric: Labels, value: string): VectorSample => ({ metric, value: [100, value] });

const results = [
  { refId: "A", samples: [sample({ route: "/a" }, "1"), sample({ route: "/b" }, "2")] },
  { refId: "B", samples: [sample({ route: "/b" }, "20"), sample({ route: "/c" }, "NaN")] },
];

function rows(frame: Frame): unknown[][] {
  return [frame.columns.map((c) => c.title), ...(frame.columns[0]?.cells ?? []).map((_, i) => frame.columns.map((c) => c.cells[i]))];
}

test("one query gives Time, labels, Value; several number their values", () => {
  assert.deepEqual(rows(instantFrames(results.slice(0, 1))[0]!), [["Time", "route", "Value"], [100_000, "/a", 1], [100_000, "/b", 2]]);
  assert.deepEqual(instantFrames(results).map((f) => f.columns.at(-1)!.name), ["Value #A", "Value #B"]);
});

test("merge joins rows that agree in what they share", () => {
  assert.deepEqual(rows(merge(instantFrames(results))), [
    ["Time", "route", "Value #A", "Value #B"], [100_000, "/a", 1, null], [100_000, "/b", 2, 20], [100_000, "/c", null, null],
  ]);
});

test("merge keeps rows apart that clash", () => {
  const twice = [{ refId: "A", samples: [sample({ route: "/a", code: "200" }, "1"), sample({ route: "/a", code: "503" }, "2")] }, { refId: "B", samples: [sample({ route: "/a" }, "9")] }];
  const merged = rows(merge(instantFrames(twice)));
  assert.equal(merged.length, 3);
  assert.deepEqual(merged.slice(1).map((r) => r[2]).sort(), ["/a", "/a"]);
});

test("merge then organize, as our tables are emitted", () => {
  const frame = transform(instantFrames(results), [
    { id: "merge", options: {} },
    { id: "organize", options: { excludeByName: { Time: true }, indexByName: { "Value #B": 0, route: 1, "Value #A": 2 }, renameByName: { route: "Route", "Value #A": "Requests", "Value #B": "Errors" } } },
  ]);
  assert.deepEqual(rows(frame)[0], ["Errors", "Route", "Requests"]);
  assert.deepEqual(frame.columns.map((c) => c.name), ["Value #B", "route", "Value #A"]);
});

test("joinByField is an outer join and numbers repeated names", () => {
  const frame = transform(instantFrames(results), [{ id: "joinByField", options: { byField: "route", mode: "outer" } }]);
  assert.deepEqual(rows(frame), [
    ["route", "Time 1", "Value #A", "Time 2", "Value #B"], ["/a", 100_000, 1, null, null], ["/b", 100_000, 2, 100_000, 20], ["/c", null, null, 100_000, null],
  ]);
  const inner = transform(instantFrames(results), [{ id: "joinByField", options: { byField: "route", mode: "inner" } }]);
  assert.deepEqual(inner.columns[0]!.cells, ["/b"]);
});

test("frames left over are merged, disabled transformations skipped", () => {
  assert.equal(transform(instantFrames(results), [{ id: "explode", disabled: true }]).columns.length, 4);
  assert.throws(() => transform(instantFrames(results), [{ id: "explode" }]), /"explode" is not supported/);
});

test("sorting puts empty cells last in both directions", () => {
  const merged = merge(instantFrames(results));
  assert.deepEqual(sortFrame(merged, "Value #A", true).columns[1]!.cells, ["/b", "/a", "/c"]);
  assert.deepEqual(sortFrame(merged, "Value #A", false).columns[1]!.cells, ["/a", "/b", "/c"]);
  assert.deepEqual(transform([merged], [{ id: "sortBy", options: { sort: [{ field: "route", desc: true }] } }]).columns[1]!.cells, ["/c", "/b", "/a"]);
  assert.equal(sortFrame(merged, "nothing", true), merged);
});
