// Durations as Prometheus and Grafana write them ("90s", "1h30m"), and the arithmetic of query steps. All in milliseconds.

const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;

const unitMs: Record<string, number> = { ms: 1, s: second, m: minute, h: hour, d: day, w: 7 * day, y: 365 * day };

/** parseDuration reads "1h30m"; undefined when the text is no duration. A leading ">" (Grafana's minimum) is ignored. */
export function parseDuration(text: string | undefined): number | undefined {
  if (!text) return undefined;
  const compact = text.trim().replace(/^>/, "");
  if (!/^(\d+(\.\d+)?(ms|[smhdwy]))+$/.test(compact)) return undefined;
  let total = 0;
  for (const [, amount, unit] of compact.matchAll(/(\d+(?:\.\d+)?)(ms|[smhdwy])/g)) total += Number(amount) * unitMs[unit!]!;
  return total;
}

/** formatDuration writes a duration that PromQL accepts and that is exact to the millisecond. */
export function formatDuration(ms: number): string {
  let rest = Math.max(0, Math.round(ms));
  let text = "";
  for (const [unit, size] of [["d", day], ["h", hour], ["m", minute], ["s", second], ["ms", 1]] as const) {
    const amount = Math.floor(rest / size);
    if (amount > 0) text += amount + unit;
    rest -= amount * size;
  }
  return text || "0s";
}

// Steps a person would choose; a step between two of them is rounded up so that a graph never asks for more points
// than it can show.
const niceSteps = [
  second, 2 * second, 5 * second, 10 * second, 15 * second, 20 * second, 30 * second,
  minute, 2 * minute, 5 * minute, 10 * minute, 15 * minute, 20 * minute, 30 * minute,
  hour, 2 * hour, 3 * hour, 6 * hour, 12 * hour, day, 2 * day, 7 * day, 30 * day,
];

export function niceStep(ms: number): number {
  return niceSteps.find((step) => step >= ms) ?? Math.ceil(ms / day) * day;
}

/** stepFor gives one point per two pixels at most, and never less than the interval at which data arrives. */
export function stepFor(rangeMs: number, widthPx: number, minMs: number, maxPoints?: number): number {
  const points = Math.max(10, maxPoints ?? Math.floor(widthPx / 2));
  return Math.max(minMs, niceStep(rangeMs / points));
}

/** rateInterval is Grafana's $__rate_interval: wide enough to hold at least four samples, so that a rate survives a lost one. */
export function rateInterval(stepMs: number, dataIntervalMs: number): number {
  return Math.max(4 * dataIntervalMs, stepMs + dataIntervalMs);
}
