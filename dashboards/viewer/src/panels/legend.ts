// The legend of a graph: a list or a table with calculations. A click shows one series alone, with Ctrl or Command it
// adds or takes one.

import { el } from "../dom.ts";
import { displayText, type FieldOptions } from "../fields.ts";
import { calcFor, calcIds } from "../reduce.ts";

export interface LegendItem { name: string; color: string; values: (number | null)[]; options: FieldOptions; hidden: boolean }

export interface LegendOptions { showLegend?: boolean; displayMode?: string; placement?: string; calcs?: unknown }

export interface LegendEvents {
  pick(name: string, additive: boolean): void;
  hover(index: number | null): void;
}

export function legendShown(options: LegendOptions): boolean {
  return options.showLegend !== false && options.displayMode !== "hidden";
}

export function drawLegend(root: HTMLElement, items: LegendItem[], options: LegendOptions, events: LegendEvents): void {
  root.hidden = !legendShown(options) || items.length === 0;
  if (root.hidden) return;
  const calcs = calcIds(options.calcs).map(calcFor);
  const scroll = root.scrollTop;
  root.replaceChildren(options.displayMode === "table" ? table(items, calcs, events) : list(items, calcs, events));
  root.scrollTop = scroll;
}

type Calcs = ReturnType<typeof calcFor>[];

function swatch(item: LegendItem, index: number, events: LegendEvents): HTMLElement {
  return el("button", {
    class: "legend-name",
    title: `${item.name}\nClick: show alone. Ctrl or ⌘ click: add or remove.`,
    attrs: { type: "button", "aria-pressed": String(!item.hidden) },
    on: {
      click: (event) => events.pick(item.name, event.ctrlKey || event.metaKey),
      mouseenter: () => events.hover(index),
      mouseleave: () => events.hover(null),
    },
  }, el("span", { class: "swatch", style: { background: item.color } }), el("span", { class: "legend-text" }, item.name));
}

function list(items: LegendItem[], calcs: Calcs, events: LegendEvents): HTMLElement {
  return el("ul", { class: "legend-list" }, ...items.map((item, index) =>
    el("li", { class: item.hidden ? "off" : "" }, swatch(item, index, events), ...calcs.map(({ label, calc }) =>
      el("span", { class: "legend-calc" }, calcs.length > 1 ? `${label} ` : "", el("b", {}, displayText(item.options, calc(item.values))))))));
}

function table(items: LegendItem[], calcs: Calcs, events: LegendEvents): HTMLElement {
  const head = el("tr", {}, el("th", { attrs: { scope: "col" } }, "Name"), ...calcs.map(({ label }) => el("th", { class: "number", attrs: { scope: "col" } }, label)));
  const rows = items.map((item, index) =>
    el("tr", { class: item.hidden ? "off" : "" }, el("td", {}, swatch(item, index, events)), ...calcs.map(({ calc }) =>
      el("td", { class: "number" }, displayText(item.options, calc(item.values))))));
  return el("table", { class: "legend-table" }, el("thead", {}, head), el("tbody", {}, ...rows));
}

/** pick gives the names hidden after a click: alone, all again when it was alone already, or one toggled. */
export function pick(names: string[], hidden: ReadonlySet<string>, name: string, additive: boolean): Set<string> {
  if (additive) {
    const next = new Set(hidden);
    if (!next.delete(name)) next.add(name);
    return next.size === names.length ? new Set() : next;
  }
  const others = names.filter((other) => other !== name);
  const alone = !hidden.has(name) && others.every((other) => hidden.has(other));
  return alone ? new Set() : new Set(others);
}
