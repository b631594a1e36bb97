import assert from "node:assert/strict";
import { test } from "node:test";
import { formatDuration, niceStep, parseDuration, rateInterval, stepFor } from "../src/durations.ts";
import { describeRange, formatTick, parseTime, resolveRange, zoomOutRaw } from "../src/timerange.ts";

const now = new Date(2026, 4, 14, 15, 20, 30).getTime();
const minute = 60_000;

test("durations are read and written", () => {
  const table: [string, number | undefined, string?][] = [
    ["5s", 5000], ["1m30s", 90_000], ["500ms", 500], ["1h", 3_600_000], ["1d", 86_400_000], [">10s", 10_000, "10s"],
    ["2w", 14 * 86_400_000, "14d"], ["", undefined], ["5", undefined], ["5x", undefined], ["m", undefined],
  ];
  for (const [text, ms, written = text] of table) {
    assert.equal(parseDuration(text), ms, text);
    if (ms !== undefined) assert.equal(formatDuration(ms), written);
  }
  assert.equal(formatDuration(0), "0s");
});

test("steps never ask for more points than fit, nor for finer data than there is", () => {
  for (const range of [minute, 15 * minute, 6 * 60 * minute, 7 * 1440 * minute, 90 * 1440 * minute]) {
    for (const width of [200, 640, 1500]) {
      const step = stepFor(range, width, 5000);
      assert.ok(step >= 5000 && range / step <= width / 2, `${range} over ${width}px: ${step}`);
    }
  }
  assert.equal(stepFor(15 * minute, 600, 5000), 5000);
  assert.equal(stepFor(15 * minute, 600, 5000, 30), 30_000);
  assert.equal(niceStep(61_000), 2 * minute);
});

test("the rate interval holds four samples", () => {
  assert.equal(rateInterval(5000, 5000), 20_000);
  assert.equal(rateInterval(60_000, 5000), 65_000);
});

test("times are read", () => {
  const table: [string, number | undefined][] = [
    ["now", now], ["now-15m", now - 15 * minute], ["now-1h30m", now - 90 * minute], ["now+1m", now + minute],
    ["1767225600000", 1767225600000], ["2026-01-31 12:00", new Date(2026, 0, 31, 12).getTime()], ["2026-01-31T12:00:00Z", Date.UTC(2026, 0, 31, 12)],
    ["yesterday", undefined], ["now/d", undefined], ["now-", undefined], ["now-5x", undefined],
  ];
  for (const [text, want] of table) assert.equal(parseTime(text, now), want, text);
});

test("a range that is none says why", () => {
  assert.deepEqual(resolveRange({ from: "now-5m", to: "now" }, now), { from: now - 5 * minute, to: now });
  assert.match(String(resolveRange({ from: "soon", to: "now" }, now)), /"soon" is no time/);
  assert.match(String(resolveRange({ from: "now", to: "now-5m" }, now)), /starts \(now\) at or after its end \(now-5m\)/);
});

test("ranges have words", () => {
  assert.equal(describeRange({ from: "now-15m", to: "now" }), "Last 15 minutes");
  assert.equal(describeRange({ from: "now-90m", to: "now" }), "Last 90m");
  assert.equal(describeRange({ from: String(now), to: "now" }), "2026-05-14 15:20:30 to now");
  assert.equal(describeRange({ from: String(now), to: String(now + minute) }), "2026-05-14 15:20:30 to 15:21:30");
  assert.equal(describeRange({ from: String(now), to: String(now + 1440 * minute) }), "2026-05-14 15:20:30 to 2026-05-15 15:20:30");
});

test("zooming out doubles and keeps following the clock", () => {
  assert.deepEqual(zoomOutRaw({ from: "now-15m", to: "now" }, now), { from: "now-30m", to: "now" });
  const past = { from: String(now - 100 * minute), to: String(now - 90 * minute) };
  assert.deepEqual(zoomOutRaw(past, now), { from: String(now - 105 * minute), to: String(now - 85 * minute) });
  assert.deepEqual(zoomOutRaw({ from: String(now - 2 * minute), to: String(now - minute / 4) }, now).to, "now");
});

test("ticks show the date at midnight and seconds when close", () => {
  const at = (...parts: [number, number, number]): number => new Date(2026, 4, 14, ...parts).getTime() / 1000;
  assert.equal(formatTick(at(15, 20, 0), 300), "15:20");
  assert.equal(formatTick(at(15, 20, 5), 5), "15:20:05");
  assert.equal(formatTick(at(0, 0, 0), 3600), "May 14");
  assert.equal(formatTick(at(12, 0, 0), 86400), "May 14");
});
