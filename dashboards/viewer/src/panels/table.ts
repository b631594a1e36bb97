// Tables of instant query results, sortable, with units, coloured cells, bars and links per column.

import { button, el, type Child } from "../dom.ts";
import type { Context } from "../context.ts";
import { display, linksOf, mapValue, resolveField, type FieldOptions } from "../fields.ts";
import { instantFrames, rowCount, sortFrame, transform, type Cell, type Column, type Frame } from "../frames.ts";
import { linkText, pageAddress } from "../links.ts";
import type { PanelJSON } from "../model.ts";
import { fade, namedColor } from "../palette.ts";
import type { PanelData } from "../panelquery.ts";
import { formatDateTime } from "../timerange.ts";
import type { PanelView } from "./view.ts";

// A browser lays out this many rows without a pause; the rest is counted below the table.
const maxRows = 500;

interface Shown { column: Column; options: FieldOptions; cell: { type?: string; mode?: string }; largest: number }

export class TableView implements PanelView {
  readonly #root = el("div", { class: "table-box", attrs: { tabindex: "0", role: "region" } });
  #sort: { title: string; desc: boolean } | undefined;
  #data: PanelData | undefined;

  constructor(private readonly panel: PanelJSON, body: HTMLElement, private readonly ctx: Context) {
    body.append(this.#root);
    this.#root.setAttribute("aria-label", panel.title ?? "Table");
    const given = ((panel.options?.sortBy ?? []) as { displayName?: string; desc?: boolean }[])[0];
    if (given?.displayName) this.#sort = { title: given.displayName, desc: given.desc === true };
  }

  show(data: PanelData): boolean {
    this.#data = data;
    let frame = transform(instantFrames(data.instant), this.panel.transformations ?? []);
    const columns = frame.columns.map((column) => this.#configure(column)).filter(({ options }) => !isHidden(options));
    if (rowCount(frame) === 0 || columns.length === 0) return false;
    const sort = this.#sort;
    const sorted = sort && columns.find((c) => titleOf(c) === sort.title || c.column.name === sort.title);
    if (sort && sorted) frame = sortFrame(frame, sorted.column.title, sort.desc);
    const shown = columns.map((c) => ({ ...c, column: frame.columns.find((other) => other.name === c.column.name && other.title === c.column.title)! }));
    this.#draw(frame, shown);
    return true;
  }

  redraw(): void {
    if (this.#data) this.show(this.#data);
  }

  destroy(): void {
    this.#root.remove();
  }

  #configure(column: Column): Shown {
    const options = resolveField(this.panel.fieldConfig, { ...column, displayName: column.title });
    const numbers = column.cells.filter((c): c is number => typeof c === "number" && Number.isFinite(c));
    const cell = (options.custom.cellOptions ?? {}) as Shown["cell"];
    return { column, options, cell, largest: numbers.reduce((a, b) => Math.max(a, b), 0) };
  }

  #draw(frame: Frame, columns: Shown[]): void {
    const rows = Math.min(rowCount(frame), maxRows);
    const head = el("tr", {}, ...columns.map((c) => this.#head(c)));
    const body = Array.from({ length: rows }, (_, row) => {
      const fields = Object.fromEntries(frame.columns.flatMap((c) => [[c.name, rawText(c.cells[row])], [c.title, rawText(c.cells[row])]]));
      return el("tr", {}, ...columns.map((c) => this.#cell(c, c.column.cells[row] ?? null, fields)));
    });
    const { scrollTop, scrollLeft } = this.#root;
    const hideHead = this.panel.options?.showHeader === false;
    this.#root.replaceChildren(el("table", {}, hideHead ? null : el("thead", {}, head), el("tbody", {}, ...body)));
    if (rowCount(frame) > rows) this.#root.append(el("p", { class: "table-more" }, `first ${rows} of ${rowCount(frame)} rows`));
    this.#root.scrollTop = scrollTop;
    this.#root.scrollLeft = scrollLeft;
  }

  #head(shown: Shown): HTMLElement {
    const title = titleOf(shown);
    const active = this.#sort?.title === title || this.#sort?.title === shown.column.name;
    const direction = active ? (this.#sort!.desc ? "descending" : "ascending") : undefined;
    const click = (): void => {
      // A second click turns the order round; numbers start with the largest.
      this.#sort = { title, desc: active ? !this.#sort!.desc : shown.column.type === "number" };
      this.redraw();
    };
    const { width } = shown.options.custom as { width?: number };
    return el("th", { class: alignment(shown), attrs: { scope: "col", "aria-sort": direction }, style: width ? { width: `${width}px` } : {} },
      button("sort", undefined, click, title));
  }

  #cell(shown: Shown, value: Cell, fields: Record<string, string>): HTMLElement {
    const { text, color } = cellDisplay(shown, value);
    const ink = namedColor(color);
    const type = shown.cell.type ?? "auto";
    const colored = ink && color !== "text" && shown.column.type === "number" && value !== null;
    const style: Record<string, string> = {};
    if (colored && type === "color-text") style.color = ink;
    if (colored && type === "color-background") style.background = fade(ink, shown.cell.mode === "basic" ? 0.4 : 0.28);
    const content: Child = this.#link(shown, value, text, fields) ?? text;
    if (type === "gauge" && typeof value === "number") return el("td", { class: alignment(shown) }, gauge(shown, value, ink), el("span", { class: "cell-number" }, content));
    return el("td", { class: alignment(shown), style, title: text.length > 24 ? text : undefined }, content);
  }

  #link(shown: Shown, value: Cell, text: string, fields: Record<string, string>): HTMLElement | undefined {
    const link = linksOf(shown.options)[0];
    if (!link || text === "") return undefined;
    const scope = { ...this.ctx.linkScope(), fields, name: titleOf(shown), value: { raw: rawText(value), text } };
    const href = pageAddress(linkText(link.url!, scope, "url"));
    if (!href) return undefined;
    const target = link.targetBlank ? { target: "_blank", rel: "noopener" } : {};
    return el("a", { title: link.title && linkText(link.title, scope, "text"), attrs: { href, ...target } }, text);
  }
}

function titleOf({ column, options }: Shown): string {
  return options.displayName || column.title;
}

function isHidden(options: FieldOptions): boolean {
  const { hidden, hideFrom } = options.custom as { hidden?: boolean; hideFrom?: { viz?: boolean } };
  return hidden === true || hideFrom?.viz === true;
}

function alignment({ column, options }: Shown): string {
  const align = options.custom.align;
  if (align === "left" || align === "center" || align === "right") return align;
  return column.type === "number" ? "right" : "left";
}

function rawText(value: Cell | undefined): string {
  return value === null || value === undefined ? "" : String(value);
}

function cellDisplay({ column, options }: Shown, value: Cell): { text: string; color?: string } {
  if (typeof value === "string") {
    const mapped = mapValue(options.mappings, value);
    return { text: mapped?.text ?? value, color: mapped?.color };
  }
  if (column.type === "string") return { text: options.noValue ?? "" };
  if (column.type === "time" && !options.unit) return { text: value === null ? "" : formatDateTime(value) };
  const { text, suffix, color } = display(options, value);
  return { text: text + suffix, color };
}

function gauge({ options, largest }: Shown, value: number, ink: string | undefined): HTMLElement {
  const min = options.min ?? 0;
  const max = options.max ?? Math.max(largest, min + Number.MIN_VALUE);
  const share = Math.min(1, Math.max(0, (value - min) / (max - min)));
  return el("span", { class: "cell-gauge" }, el("span", { style: { width: `${share * 100}%`, background: ink ?? "var(--accent)" } }));
}
