// Values as a person reads them, for the unit ids that Grafana's field configuration uses. Three significant digits
// unless `decimals` says otherwise; whole numbers stay whole. The table in test/units.test.ts is the specification.

import { formatDateTime } from "./timerange.ts";

export interface Formatted { text: string; suffix: string }

type Formatter = (value: number, decimals?: number) => Formatted;

/** digits writes a number with the given decimals, or with three significant digits. */
export function digits(value: number, decimals?: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "NaN" : value > 0 ? "∞" : "-∞";
  if (decimals !== undefined) return value.toFixed(Math.max(0, decimals));
  if (Number.isInteger(value)) return String(value);
  const places = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))));
  if (places > 8) return value.toExponential(2);
  const text = value.toFixed(places);
  return /^-?0*\.?0*$/.test(text) ? "0" : text;
}

function fixed(suffix: string): Formatter {
  return (value, decimals) => ({ text: digits(value, decimals), suffix });
}

/** scaled divides by the base until the value fits; suffixes[0] is for the unscaled value. */
function scaled(base: number, suffixes: string[]): Formatter {
  return (value, decimals) => {
    let step = 0;
    let rest = value;
    while (Math.abs(rest) >= base && step < suffixes.length - 1 && Number.isFinite(rest)) {
      rest /= base;
      step++;
    }
    return { text: digits(rest, decimals), suffix: suffixes[step]! };
  };
}

const decimalPrefixes = ["", "k", "M", "G", "T", "P", "E"];
const binaryPrefixes = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
const countPrefixes = ["", "K", "M", "B", "T"];

const si = (symbol: string): Formatter => scaled(1000, decimalPrefixes.map((p) => ` ${p}${symbol}`));
const iec = (symbol: string): Formatter => scaled(1024, binaryPrefixes.map((p) => ` ${p}${symbol}`));
const count = (symbol: string): Formatter => scaled(1000, countPrefixes.map((p) => `${p} ${symbol}`));

// Upper bounds (exclusive) of each time unit, in seconds, with the divisor and the suffix.
const timeUnits: [below: number, unit: number, suffix: string][] = [
  [1e-6, 1e-9, " ns"],
  [1e-3, 1e-6, " µs"],
  [1, 1e-3, " ms"],
  [60, 1, " s"],
  [3600, 60, " min"],
  [86400, 3600, " hour"],
  [604800, 86400, " day"],
  [31536000, 604800, " week"],
  [Infinity, 31556900, " year"],
];

/** duration formats an amount of time given in units of `scale` seconds; zero keeps its own unit. */
function duration(scale: number, own: string): Formatter {
  return (value, decimals) => {
    if (value === 0 || !Number.isFinite(value)) return { text: digits(value, value === 0 ? 0 : decimals), suffix: own };
    const seconds = value * scale;
    const found = timeUnits.find(([below]) => Math.abs(seconds) < below * (1 - 1e-12)) ?? timeUnits.at(-1)!;
    // 0.5 * 1e-3 / 1e-6 is 499.99999999999994; ten digits are more than any sensor gives.
    const amount = Number((seconds / found[1]).toPrecision(10));
    return { text: digits(amount, decimals), suffix: found[2] };
  };
}

const word = (yes: string, no: string): Formatter => (value) => ({ text: value ? yes : no, suffix: "" });
const whole = (write: (value: number) => string): Formatter => (value) => ({ text: write(value), suffix: "" });

const formatters: Record<string, Formatter> = {
  none: fixed(""),
  short: scaled(1000, ["", " K", " Mil", " Bil", " Tri", " Quadr"]),
  percent: fixed("%"),
  percentunit: (value, decimals) => ({ text: digits(Number((value * 100).toPrecision(12)), decimals), suffix: "%" }),
  bool: word("True", "False"),
  ns: duration(1e-9, " ns"), "µs": duration(1e-6, " µs"), ms: duration(1e-3, " ms"), s: duration(1, " s"),
  dateTimeAsIso: whole(formatDateTime),
  bytes: iec("B"), decbytes: si("B"), binBps: iec("B/s"), Bps: si("B/s"),
  cps: count("c/s"), ops: count("ops/s"), reqps: count("req/s"), rps: count("rd/s"), wps: count("wr/s"),
};

/** knownUnit tells whether the id has its own format; others are shown as a suffix, as Grafana does. */
export function knownUnit(unit: string): boolean {
  return unit === "" || unit in formatters || unit.startsWith("suffix:");
}

/** formatValue formats one value; null is the empty text. */
export function formatValue(value: number | null | undefined, unit = "", decimals?: number): Formatted {
  if (value === null || value === undefined) return { text: "", suffix: "" };
  const known = formatters[unit || "none"];
  if (known) return known(value, decimals);
  return fixed(` ${unit.replace(/^suffix:/, "")}`)(value, decimals);
}

export function formatText(value: number | null | undefined, unit?: string, decimals?: number): string {
  const { text, suffix } = formatValue(value, unit, decimals);
  return text + suffix;
}

/** tickText is formatText without decimals that say nothing: axes are easier to scan as 0.5, 1, 1.5. */
export function tickText(value: number, unit?: string, decimals?: number): string {
  const { text, suffix } = formatValue(Number(value.toPrecision(12)), unit, decimals);
  return (/^-?\d+\.\d+$/.test(text) ? text.replace(/\.?0+$/, "") : text) + suffix;
}

const binaryUnits = new Set(["bytes", "binBps"]);
const timeScale: Record<string, number> = { ns: 1e-9, "µs": 1e-6, ms: 1e-3, s: 1 };

/** tickIncrements lists the distances between axis ticks that read well in the unit: powers of 1024, minutes, or 1-2-5. */
export function tickIncrements(unit: string): number[] {
  const decimal: number[] = [];
  for (let exponent = -12; exponent <= 15; exponent++) {
    for (const base of [1, 2, 2.5, 5]) decimal.push(Number((base * 10 ** exponent).toPrecision(3)));
  }
  if (binaryUnits.has(unit)) {
    const binary = [];
    for (let power = -10; power <= 60; power++) binary.push(2 ** power);
    return binary;
  }
  const scale = timeScale[unit];
  if (scale === undefined) return decimal;
  const long = [60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800];
  const below = decimal.filter((step) => step * scale < 60);
  return [...below, ...long.map((step) => step / scale), ...[2, 4, 8, 16, 32, 64].map((weeks) => (weeks * 604800) / scale)];
}
