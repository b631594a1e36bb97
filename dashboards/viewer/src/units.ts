// Values as a person reads them, for the unit ids that Grafana's field configuration uses. Three significant digits
// unless `decimals` says otherwise; whole numbers stay whole. The table in test/units.test.ts is the specification.

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

function clock(value: number, days: boolean): string {
  const two = (n: number): string => String(Math.floor(n)).padStart(2, "0");
  const abs = Math.abs(value);
  const text = `${two(days ? (abs % 86400) / 3600 : abs / 3600)}:${two((abs % 3600) / 60)}:${two(abs % 60)}`;
  return (value < 0 ? "-" : "") + (days && abs >= 86400 ? `${Math.floor(abs / 86400)} d ` : "") + text;
}

function isoTime(ms: number): string {
  if (!Number.isFinite(ms)) return digits(ms);
  const d = new Date(ms);
  const two = (n: number): string => String(n).padStart(2, "0");
  return `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())} ${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}`;
}

function fromNow(ms: number): string {
  const { text, suffix } = duration(1e-3, " ms")(Math.abs(Date.now() - ms));
  return ms > Date.now() ? `in ${text}${suffix}` : `${text}${suffix} ago`;
}

const word = (yes: string, no: string): Formatter => (value) => ({ text: value ? yes : no, suffix: "" });
const whole = (write: (value: number) => string): Formatter => (value) => ({ text: write(value), suffix: "" });

const formatters: Record<string, Formatter> = {
  none: fixed(""),
  string: whole(String),
  short: scaled(1000, ["", " K", " Mil", " Bil", " Tri", " Quadr"]),
  sishort: si(""),
  percent: fixed("%"),
  percentunit: (value, decimals) => ({ text: digits(Number((value * 100).toPrecision(12)), decimals), suffix: "%" }),
  locale: whole((value) => value.toLocaleString("en-US")),
  sci: whole((value) => value.toExponential(2)),
  bool: word("True", "False"),
  bool_yes_no: word("Yes", "No"),
  bool_on_off: word("On", "Off"),
  ns: duration(1e-9, " ns"), "µs": duration(1e-6, " µs"), ms: duration(1e-3, " ms"), s: duration(1, " s"),
  m: duration(60, " min"), h: duration(3600, " hour"), d: duration(86400, " day"),
  dthms: whole((value) => clock(value, false)),
  dtdhms: whole((value) => clock(value, true)),
  dateTimeAsIso: whole(isoTime),
  dateTimeFromNow: whole(fromNow),
  bytes: iec("B"), decbytes: si("B"), bits: iec("b"), decbits: si("b"),
  binBps: iec("B/s"), Bps: si("B/s"), binbps: iec("b/s"), bps: si("b/s"), pps: si("p/s"),
  cps: count("c/s"), ops: count("ops/s"), reqps: count("req/s"), rps: count("rd/s"), wps: count("wr/s"), iops: count("io/s"),
  cpm: count("c/m"), opm: count("ops/m"), reqpm: count("req/m"), rpm: count("rd/m"), wpm: count("wr/m"), mps: count("msg/s"),
  hertz: si("Hz"), celsius: fixed(" °C"),
};

/** knownUnit tells whether the id has its own format; others are shown as a suffix, as Grafana does. */
export function knownUnit(unit: string): boolean {
  return unit === "" || unit in formatters || /^(suffix|prefix|si|count|currency|time):/.test(unit);
}

/** formatValue formats one value; null is the empty text. */
export function formatValue(value: number | null | undefined, unit = "", decimals?: number): Formatted {
  if (value === null || value === undefined) return { text: "", suffix: "" };
  const known = formatters[unit || "none"];
  if (known) return known(value, decimals);
  const [kind, rest] = unit.split(/:(.*)/s);
  if (kind === "suffix") return fixed(` ${rest}`)(value, decimals);
  if (kind === "prefix") return { text: `${rest}${digits(value, decimals)}`, suffix: "" };
  if (kind === "si") return si(rest ?? "")(value, decimals);
  if (kind === "count") return count(rest ?? "")(value, decimals);
  return fixed(` ${unit}`)(value, decimals);
}

export function formatText(value: number | null | undefined, unit?: string, decimals?: number): string {
  const { text, suffix } = formatValue(value, unit, decimals);
  return text + suffix;
}

const binaryUnits = new Set(["bytes", "bits", "binBps", "binbps"]);
const timeScale: Record<string, number> = { ns: 1e-9, "µs": 1e-6, ms: 1e-3, s: 1, m: 60, h: 3600 };

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
