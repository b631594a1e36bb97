import assert from "node:assert/strict";
import { test } from "node:test";
import { formatText, knownUnit, tickIncrements, tickText } from "../src/units.ts";

// [value, unit, text, decimals]
const table: [number | null, string, string, number?][] = [
  [null, "s", ""],
  [0, "none", "0"],
  [81.83, "none", "81.8"],
  [126.4, "none", "126"],
  [0.00594, "none", "0.00594"],
  [1234567, "none", "1234567"],
  [-3.14159, "none", "-3.14"],
  [NaN, "none", "NaN"],
  [Infinity, "none", "∞"],
  [2, "none", "2.00", 2],
  [999, "short", "999"],
  [1500, "short", "1.50 K"],
  [999999, "short", "1000 K"],
  [2_500_000, "short", "2.50 Mil"],
  [0.00594, "percentunit", "0.594%"],
  [1, "percentunit", "100%"],
  [0.07, "percentunit", "7%"],
  [12.345, "percent", "12.3%"],
  [0, "s", "0 s"],
  [0.5, "s", "500 ms"],
  [0.0005, "s", "500 µs"],
  [5e-8, "s", "50 ns"],
  [1, "s", "1 s"],
  [59.94, "s", "59.9 s"],
  [90, "s", "1.50 min"],
  [5400, "s", "1.50 hour"],
  [172800, "s", "2 day"],
  [1_000_000, "s", "1.65 week"],
  [0.5, "ms", "500 µs"],
  [1500, "ms", "1.50 s"],
  [2500, "µs", "2.50 ms"],
  [0, "µs", "0 µs"],
  [1536, "bytes", "1.50 KiB"],
  [1023, "bytes", "1023 B"],
  [194_000_000, "bytes", "185 MiB"],
  [1_500_000, "decbytes", "1.50 MB"],
  [1_500_000, "Bps", "1.50 MB/s"],
  [1_572_864, "binBps", "1.50 MiB/s"],
  [81.8, "reqps", "81.8 req/s"],
  [12_345, "reqps", "12.3K req/s"],
  [3.5, "cps", "3.50 c/s"],
  [3.5, "ops", "3.50 ops/s"],
  [3.5, "rps", "3.50 rd/s"],
  [3.5, "wps", "3.50 wr/s"],
  [1, "bool", "True"],
  [0, "bool", "False"],
  [5, "suffix:spans", "5 spans"],
  [5, "{span}", "5 {span}"],
];

test("values read as in Grafana", () => {
  for (const [value, unit, text, decimals] of table) {
    assert.equal(formatText(value, unit, decimals), text, `${value} as ${unit}`);
  }
});

test("a time is written in local time", () => {
  assert.equal(formatText(new Date(2026, 0, 2, 3, 4, 5).getTime(), "dateTimeAsIso"), "2026-01-02 03:04:05");
});

test("an unknown unit is told apart", () => {
  assert.ok(knownUnit("reqps"));
  assert.ok(knownUnit(""));
  assert.ok(!knownUnit("furlong"));
});

test("axis increments suit the unit and grow", () => {
  assert.ok(tickIncrements("bytes").includes(1024 ** 2));
  assert.ok(!tickIncrements("bytes").includes(1000));
  assert.ok(tickIncrements("s").includes(300));
  assert.ok(tickIncrements("ms").includes(60_000));
  for (const unit of ["", "s", "ms", "µs", "bytes", "percentunit"]) {
    const steps = tickIncrements(unit);
    for (let i = 1; i < steps.length; i++) assert.ok(steps[i]! > steps[i - 1]!, `${unit} ${steps[i - 1]} ${steps[i]}`);
  }
});

test("ticks carry no empty decimals", () => {
  assert.deepEqual([0, 0.5, 1, 1.5].map((v) => tickText(v, "reqps")), ["0 req/s", "0.5 req/s", "1 req/s", "1.5 req/s"]);
  assert.equal(tickText(0.1 + 0.2, "none"), "0.3");
  assert.equal(tickText(100, "none"), "100");
  assert.equal(tickText(1536, "bytes"), "1.5 KiB");
});
