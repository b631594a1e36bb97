// Time ranges as they stand in a URL ("now-15m", epoch milliseconds, ISO) and as a person reads them.

import { formatDuration, parseDuration } from "./durations.ts";

/** RawRange is what the user chose; Range is what it means right now, in epoch milliseconds. */
export interface RawRange { from: string; to: string }
export interface Range { from: number; to: number }

export const quickRanges: { label: string; from: string }[] = [
  { label: "Last 5 minutes", from: "now-5m" },
  { label: "Last 15 minutes", from: "now-15m" },
  { label: "Last 30 minutes", from: "now-30m" },
  { label: "Last 1 hour", from: "now-1h" },
  { label: "Last 3 hours", from: "now-3h" },
  { label: "Last 6 hours", from: "now-6h" },
  { label: "Last 12 hours", from: "now-12h" },
  { label: "Last 24 hours", from: "now-24h" },
  { label: "Last 2 days", from: "now-2d" },
  { label: "Last 7 days", from: "now-7d" },
];

/** parseTime resolves one end of a range; undefined when the text means no time. */
export function parseTime(text: string, now: number): number | undefined {
  const trimmed = text.trim();
  if (/^\d{9,}$/.test(trimmed)) return Number(trimmed);
  const relative = /^now(?:([+-])([\d.a-z]+))?$/.exec(trimmed);
  if (!relative) {
    const absolute = /^\d{4}-\d\d-\d\d/.test(trimmed) ? Date.parse(trimmed.replace(" ", "T")) : NaN;
    return Number.isNaN(absolute) ? undefined : absolute;
  }
  const [, sign, amount] = relative;
  const shift = amount === undefined ? 0 : parseDuration(amount);
  if (shift === undefined) return undefined;
  return now + (sign === "-" ? -shift : shift);
}

/** resolveRange turns a raw range into times, or says what is wrong with it. */
export function resolveRange(raw: RawRange, now: number): Range | string {
  const from = parseTime(raw.from, now);
  const to = parseTime(raw.to, now);
  if (from === undefined) return `"${raw.from}" is no time; write now-15m, 2026-01-31 12:00 or epoch milliseconds`;
  if (to === undefined) return `"${raw.to}" is no time; write now, 2026-01-31 12:00 or epoch milliseconds`;
  if (from >= to) return `the range starts (${raw.from}) at or after its end (${raw.to})`;
  return { from, to };
}

/** describeRange is the text on the time picker's button. */
export function describeRange(raw: RawRange): string {
  const quick = quickRanges.find((range) => range.from === raw.from && raw.to === "now");
  if (quick) return quick.label;
  const back = /^now-([\da-z]+)$/.exec(raw.from);
  if (back && raw.to === "now") return `Last ${back[1]}`;
  const from = describeEnd(raw.from);
  const to = describeEnd(raw.to);
  // The same day need not be said twice.
  return `${from} to ${to.slice(0, 11) === from.slice(0, 11) ? to.slice(11) : to}`;
}

function describeEnd(text: string): string {
  return /^\d{9,}$/.test(text) ? formatDateTime(Number(text)) : text;
}

/** zoomOutRaw doubles the range around its middle, but never beyond now; one that follows the clock goes on doing so. */
export function zoomOutRaw(raw: RawRange, now: number): RawRange {
  const range = resolveRange(raw, now);
  if (typeof range === "string") return { from: "now-1h", to: "now" };
  const span = range.to - range.from;
  if (raw.to === "now" && raw.from.startsWith("now-")) return { from: `now-${formatDuration(2 * span)}`, to: "now" };
  const to = Math.min(range.to + span / 2, now);
  return { from: String(Math.round(to - 2 * span)), to: to === now ? "now" : String(Math.round(to)) };
}

const two = (n: number): string => String(n).padStart(2, "0");

/** formatDateTime writes local time as "2026-01-31 12:00:05", the form the picker's inputs accept back. */
export function formatDateTime(ms: number): string {
  const d = new Date(ms);
  return `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())} ${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}`;
}

const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** formatTick labels an axis tick (epoch seconds) given the distance between ticks; midnight shows its date. */
export function formatTick(seconds: number, increment: number): string {
  const d = new Date(seconds * 1000);
  const date = `${months[d.getMonth()]} ${d.getDate()}`;
  if (increment >= 86400 || (d.getHours() === 0 && d.getMinutes() === 0 && d.getSeconds() === 0)) return date;
  const clock = `${two(d.getHours())}:${two(d.getMinutes())}`;
  return increment < 60 ? `${clock}:${two(d.getSeconds())}` : clock;
}
