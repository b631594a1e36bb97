// Single values: large text with an optional sparkline, one tile per series.

import { el, svg } from "../dom.ts";
import type { Context } from "../context.ts";
import { display, linksOf, resolveField, type Display, type FieldOptions } from "../fields.ts";
import { linkText, pageAddress } from "../links.ts";
import type { PanelJSON } from "../model.ts";
import { fade, namedColor, palette } from "../palette.ts";
import type { PanelData } from "../panelquery.ts";
import { calcFor, calcIds } from "../reduce.ts";
import { hasValues, type Series } from "../series.ts";
import { ColorBook, colorOf } from "./lines.ts";
import type { PanelView } from "./view.ts";

export interface ReducedItem { series: Series; name: string; options: FieldOptions; value: number | null; shown: Display; color: string }

/** reduceItems turns each series into the one value that stat panels and bar gauges show. */
export function reduceItems(panel: PanelJSON, data: PanelData, book: ColorBook): ReducedItem[] {
  const reduce = (panel.options?.reduceOptions ?? {}) as { calcs?: unknown };
  const { calc } = calcFor(calcIds(reduce.calcs)[0]);
  return data.series.filter(hasValues).map((series) => {
    const options = resolveField(panel.fieldConfig, { name: series.name, refId: series.refId, type: "number", labels: series.labels });
    const value = calc(series.values);
    const name = options.displayName || series.name;
    const shown = display(options, value);
    const mode = options.color?.mode ?? "thresholds";
    const color = namedColor(mode === "thresholds" || !options.color ? shown.color : undefined) ?? colorOf(options, name, series.values, book);
    return { series, name, options, value, shown, color };
  });
}

/** emptyText is the panel's own word for "nothing"; undefined where it has none. */
export function emptyText(panel: PanelJSON): string | undefined {
  return panel.fieldConfig?.defaults?.noValue || undefined;
}

export class StatView implements PanelView {
  readonly #root = el("div", { class: "stat" });
  readonly #book = new ColorBook();
  #data: PanelData | undefined;

  constructor(private readonly panel: PanelJSON, body: HTMLElement, private readonly ctx: Context) {
    body.append(this.#root);
  }

  show(data: PanelData): boolean {
    this.#data = data;
    const items = reduceItems(this.panel, data, this.#book);
    const nothing = emptyText(this.panel);
    if (items.length === 0 && nothing === undefined) return false;
    this.#root.replaceChildren(...items.map((item) => this.#tile(item, items.length > 1)));
    if (items.length === 0) this.#root.append(el("div", { class: "stat-tile empty" }, el("div", { class: "stat-value", style: { "--chars": String(nothing!.length) } }, nothing!)));
    return true;
  }

  redraw(): void {
    if (this.#data) this.show(this.#data);
  }

  destroy(): void {
    this.#root.remove();
  }

  #tile(item: ReducedItem, several: boolean): HTMLElement {
    const { graphMode = "area", colorMode = "value", textMode = "auto" } = (this.panel.options ?? {}) as Record<string, string>;
    const background = colorMode.startsWith("background");
    const showName = textMode === "name" || textMode === "value_and_name" || (textMode === "auto" && several);
    const ink = colorMode === "value" ? item.color : palette().text;
    const values = item.series.values;
    const spark = graphMode !== "none" && values.length > 1 ? sparkline(values, item.color) : null;
    return el("div", {
      class: `stat-tile${background ? " filled" : ""}${spark ? " with-spark" : ""}`,
      style: background ? { background: `linear-gradient(160deg, ${fade(item.color, 0.42)}, ${fade(item.color, 0.22)})` } : {},
    },
      spark,
      showName ? el("div", { class: "stat-name" }, item.name) : null,
      textMode === "name" || textMode === "none" ? null : this.#value(item, ink));
  }

  #value(item: ReducedItem, ink: string): HTMLElement {
    const { text, suffix } = item.shown;
    const parts = [text, suffix && el("span", { class: "stat-unit" }, suffix)];
    const link = linksOf(item.options)[0];
    const scope = { ...this.ctx.linkScope(), labels: item.series.labels, name: item.name, value: { raw: String(item.value), text: text + suffix } };
    const href = link && pageAddress(linkText(link.url!, scope, "url"));
    const inner = href ? [el("a", { class: "stat-link", attrs: { href } }, ...parts)] : parts;
    return el("div", { class: "stat-value", style: { color: ink, "--chars": String(text.length + suffix.length / 2) }, data: { value: String(item.value) } }, ...inner);
  }
}

/** sparkline draws the series as an area that stretches with its tile. */
function sparkline(values: (number | null)[], color: string): SVGElement {
  const finite = values.map((v) => (v !== null && Number.isFinite(v) ? v : null));
  const present = finite.filter((v) => v !== null);
  const low = Math.min(0, ...present);
  const high = Math.max(...present, low + 1e-12);
  const x = (i: number): number => (i / Math.max(1, values.length - 1)) * 100;
  const y = (v: number): number => 100 - ((v - low) / (high - low)) * 94;
  let line = "";
  let area = "";
  let start = -1;
  const close = (end: number): void => {
    if (start >= 0) area += `L${x(end).toFixed(2)} 100L${x(start).toFixed(2)} 100Z`;
    start = -1;
  };
  finite.forEach((v, i) => {
    if (v === null) return close(i - 1);
    const step = `${start < 0 ? "M" : "L"}${x(i).toFixed(2)} ${y(v).toFixed(2)}`;
    line += step;
    area += step;
    if (start < 0) start = i;
  });
  close(finite.length - 1);
  return svg("svg", { class: "spark", viewBox: "0 0 100 100", preserveAspectRatio: "none", "aria-hidden": "true" },
    svg("path", { d: area, fill: color, "fill-opacity": "0.16" }),
    svg("path", { d: line, fill: "none", stroke: color, "stroke-width": "1.5", "vector-effect": "non-scaling-stroke", "stroke-opacity": "0.85" }));
}
