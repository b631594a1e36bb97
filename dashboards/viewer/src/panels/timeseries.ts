// Graphs: lines and areas over time, stacked or not, with a legend, a hover table and exemplars.

import uPlot from "uplot";
import type { Context } from "../context.ts";
import { el, type Child } from "../dom.ts";
import { displayText } from "../fields.ts";
import type { PanelJSON } from "../model.ts";
import type { PanelData } from "../panelquery.ts";
import { showTooltip } from "../popover.ts";
import { hasValues } from "../series.ts";
import { bridge, stack, type Values } from "../stack.ts";
import { formatDateTime } from "../timerange.ts";
import { baseOptions, bodySize, onHover, timeAxis } from "./chart.ts";
import { ExemplarLayer } from "./exemplars.ts";
import { drawLegend, pick, type LegendOptions } from "./legend.ts";
import { buildLines, ColorBook, customOf, shapeOf, type Line } from "./lines.ts";
import { axesOf, bandsOf, drawThresholds, scalesOf, seriesOptions } from "./plotoptions.ts";
import type { PanelView } from "./view.ts";

// More rows than this do not fit beside a cursor; the rest is counted.
const tooltipRows = 14;

// An exemplar may stretch the axis this far beyond the lines; further ones sit hollow at the top edge, since one
// request of a minute must not flatten a graph of milliseconds.
const exemplarReach = 1.6;

export class TimeSeriesView implements PanelView {
  readonly #plotBox = el("div", { class: "plot" });
  readonly #legendBox = el("div", { class: "legend" });
  readonly #book = new ColorBook();
  #hidden: Set<string> = new Set();
  #plot: uPlot | undefined;
  #exemplars: ExemplarLayer | undefined;
  #shape = "";
  #lines: Line[] = [];
  #data: PanelData | undefined;

  constructor(private readonly panel: PanelJSON, body: HTMLElement, private readonly ctx: Context) {
    body.classList.add("graph");
    if (this.#legendOptions().placement === "right") body.classList.add("legend-right");
    body.append(this.#plotBox, this.#legendBox);
  }

  show(data: PanelData): boolean {
    this.#data = data;
    this.#lines = buildLines(this.panel, data.series.filter(hasValues), this.#hidden, this.#book);
    if (this.#lines.length === 0) return false;
    this.#drawLegend();
    const shape = shapeOf(this.#lines);
    if (!this.#plot || shape !== this.#shape) this.#build(shape);
    else this.#plot.setData(this.#table(), true);
    this.#exemplars?.set(data.exemplars);
    return true;
  }

  redraw(): void {
    if (!this.#data || this.#lines.length === 0) return;
    this.#lines = buildLines(this.panel, this.#data.series.filter(hasValues), this.#hidden, this.#book);
    this.#drawLegend();
    this.#build(shapeOf(this.#lines));
  }

  destroy(): void {
    this.#plot?.destroy();
    this.#plot = undefined;
  }

  #legendOptions(): LegendOptions {
    return (this.panel.options?.legend ?? {}) as LegendOptions;
  }

  #drawLegend(): void {
    const visible = this.#lines.filter((line) => !customOf(line.options).hideFrom?.legend);
    drawLegend(this.#legendBox, visible, this.#legendOptions(), {
      pick: (name, additive) => {
        this.#hidden = pick(this.#lines.map((line) => line.name), this.#hidden, name, additive);
        this.redraw();
      },
      hover: (index) => {
        const at = index === null ? -1 : this.#lines.indexOf(visible[index]!);
        this.#plot?.setSeries(at < 0 ? null : at + 1, { focus: true });
      },
    });
  }

  /** table gives uPlot its columns: times, then each line, stacked where asked. */
  #table(): uPlot.AlignedData {
    const { times, grid } = this.#data!;
    const columns: Values[] = this.#lines.map((line) => {
      const { spanNulls } = customOf(line.options);
      return typeof spanNulls === "number" ? bridge(line.values, Math.floor(spanNulls / 1000 / grid.step)) : line.values;
    });
    for (const group of new Set(this.#lines.map((line) => line.stackGroup))) {
      if (!group) continue;
      const members = this.#lines.map((line, i) => ({ line, i })).filter(({ line }) => line.stackGroup === group && !line.hidden);
      const sums = stack(members.map(({ line }) => line.values), group.startsWith("percent"));
      members.forEach(({ i }, k) => { columns[i] = sums[k]!; });
    }
    return [times, ...columns] as uPlot.AlignedData;
  }

  #build(shape: string): void {
    this.#shape = shape;
    this.#plot?.destroy();
    const size = bodySize(this.#plotBox);
    const base = baseOptions(this.ctx, size, () => this.#data!.range);
    const options: uPlot.Options = {
      ...base,
      series: [{}, ...this.#lines.map(seriesOptions)],
      scales: { ...base.scales, ...scalesOf(this.#lines, (scale, max) => this.#reach(scale, max)) },
      axes: [timeAxis(), ...axesOf(this.#lines)],
      bands: bandsOf(this.#lines),
      hooks: {
        ...base.hooks,
        drawClear: [(u) => drawThresholds(u, this.#lines[0])],
        draw: [() => this.#exemplars?.place()],
      },
    };
    this.#exemplars = undefined;
    this.#plot = new uPlot(options, this.#table(), this.#plotBox);
    onHover(this.#plot, (event) => this.#hover(event));
    const timed = this.#lines[0]!;
    this.#exemplars = new ExemplarLayer(this.#plot, timed.scale, timed.unit, this.ctx);
    this.#exemplars.set(this.#data!.exemplars);
  }

  #reach(scale: string, dataMax: number): number {
    if (scale !== this.#lines[0]?.scale || dataMax <= 0) return dataMax;
    const largest = (this.#data?.exemplars ?? []).reduce((most, e) => Math.max(most, e.value), 0);
    return Math.min(largest, dataMax * exemplarReach);
  }

  #hover(event: MouseEvent): void {
    const u = this.#plot;
    const index = u?.cursor.idx;
    if (!u || index === null || index === undefined || (this.panel.options?.tooltip as { mode?: string })?.mode === "none") return;
    const rows = this.#lines
      .map((line, i) => ({ line, value: line.values[index] ?? null, at: u.data[i + 1]?.[index] }))
      .filter(({ line, value }) => !line.hidden && value !== null && !customOf(line.options).hideFrom?.tooltip);
    if (rows.length === 0) return;
    const distance = (row: (typeof rows)[number]): number => Math.abs(u.valToPos(row.at ?? 0, row.line.scale) - (u.cursor.top ?? 0));
    const nearest = rows.reduce((a, b) => (distance(b) < distance(a) ? b : a));
    rows.sort((a, b) => (b.value ?? 0) - (a.value ?? 0));
    const shown = rows.length > tooltipRows ? [...rows.slice(0, tooltipRows - 1), ...(rows.indexOf(nearest) >= tooltipRows - 1 ? [nearest] : [])] : rows;
    const content: Child[] = shown.map((row) => tooltipRow(row.line, row.value, row === nearest));
    if (rows.length > shown.length) content.push(el("div", { class: "tooltip-more" }, `and ${rows.length - shown.length} more`));
    showTooltip(event.clientX, event.clientY, [el("div", { class: "tooltip-time" }, formatDateTime(u.data[0][index]! * 1000)), ...content]);
  }
}

function tooltipRow(line: Line, value: number | null, nearest: boolean): HTMLElement {
  return el("div", { class: nearest ? "tooltip-row nearest" : "tooltip-row" },
    el("span", { class: "swatch", style: { background: line.color } }),
    el("span", { class: "tooltip-name" }, line.name),
    el("span", { class: "tooltip-value" }, displayText(line.options, value)));
}
