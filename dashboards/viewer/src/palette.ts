// Colours. The series palette keeps its order distinguishable under the common forms of colour blindness: hues are
// spaced and neighbours differ in lightness. Grafana's colour names map to one hue each per theme.

export interface Palette {
  series: string[];
  named: Record<string, string>;
  text: string;
  muted: string;
  grid: string;
  panel: string;
  exemplar: string;
  /** Stops of the heatmap's scale, from "almost none" to "most". */
  heat: string[];
}

const dark: Palette = {
  series: ["#5cb8ff", "#ffb454", "#4fd6a8", "#e48bd0", "#f2e05c", "#a894ff", "#ff7a66", "#8fd0d6", "#c9a27a", "#b7c0cc"],
  named: { green: "#4fd08f", yellow: "#f2cf4a", orange: "#ff9d45", red: "#ff6464", blue: "#5cb8ff", purple: "#b494ff" },
  text: "#d7dde5",
  muted: "#8b95a3",
  grid: "rgba(140, 155, 175, 0.13)",
  panel: "#14181e",
  exemplar: "#e48bd0",
  heat: ["#1b2a4a", "#1f4f7c", "#1f7a8c", "#2ba884", "#8fd05a", "#fde95b"],
};

const light: Palette = {
  series: ["#0b6fc2", "#d9730d", "#0a8f6a", "#b8489c", "#9a7d00", "#6a4fd0", "#cf3b2b", "#2f8d97", "#8a5f33", "#5c6773"],
  named: { green: "#0b8a5a", yellow: "#ad8200", orange: "#d9660a", red: "#cf222e", blue: "#0b6fc2", purple: "#6f45d6" },
  text: "#1d2530",
  muted: "#667180",
  grid: "rgba(60, 75, 95, 0.11)",
  panel: "#ffffff",
  exemplar: "#a5308a",
  heat: ["#e3eef4", "#a9d5dc", "#5db3c4", "#2a86b0", "#27579a", "#221f5e"],
};

let current: Palette = dark;

export function usePalette(theme: "light" | "dark"): void {
  current = theme === "light" ? light : dark;
}

export const palette = (): Palette => current;

export function seriesColor(index: number): string {
  return current.series[index % current.series.length]!;
}

/** namedColor resolves "green", "dark-green" (the same hue), "text", "#rrggbb" or any colour of CSS. */
export function namedColor(name: string | undefined): string | undefined {
  if (name === "text") return current.text;
  return current.named[name?.replace(/^(super-light|light|semi-dark|dark)-/, "") ?? ""] ?? name;
}

function channels(hex: string): [number, number, number] {
  const full = hex.length === 4 ? hex.replace(/[\da-f]/gi, "$&$&") : hex;
  const n = parseInt(full.slice(1, 7), 16);
  return [(n >> 16) & 255, (n >> 8) & 255, n & 255];
}

/** mix blends two hex colours; share 0 is the first. */
export function mix(a: string, b: string, share: number): string {
  const other = channels(b);
  const blended = channels(a).map((v, i) => Math.round(v + (other[i]! - v) * share));
  return `#${blended.map((v) => v.toString(16).padStart(2, "0")).join("")}`;
}

/** fade gives a hex colour an opacity; a colour in another notation is left to the browser. */
export function fade(color: string, opacity: number): string {
  if (/^#([\da-f]{3}|[\da-f]{6})$/i.test(color)) return `rgba(${channels(color).join(", ")}, ${opacity})`;
  return `color-mix(in srgb, ${color} ${Math.round(opacity * 100)}%, transparent)`;
}

/** heatColor is the scale's colour at 0..1. */
export function heatColor(share: number): string {
  const stops = current.heat;
  const at = Math.min(0.9999, Math.max(0, share)) * (stops.length - 1);
  const index = Math.floor(at);
  return mix(stops[index]!, stops[index + 1]!, at - index);
}
