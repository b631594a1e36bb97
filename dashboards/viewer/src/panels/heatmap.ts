// Heatmaps of histograms over time on a logarithmic axis, with exemplars and a scale of colours.

import uPlot from "uplot";
import type { Context } from "../context.ts";
import { el } from "../dom.ts";
import { resolveField } from "../fields.ts";
import { bounds, heatmapCells, logTicks, shade, type Cells } from "../histogram.ts";
import type { PanelJSON } from "../model.ts";
import { heatColor, palette } from "../palette.ts";
import type { PanelData } from "../panelquery.ts";
import { showTooltip } from "../popover.ts";
import { formatDateTime } from "../timerange.ts";
import { formatText, tickText } from "../units.ts";
import { axisFont, baseOptions, bodySize, fitAxis, gridStyle, onHover, timeAxis } from "./chart.ts";
import { ExemplarLayer } from "./exemplars.ts";
import type { PanelView } from "./view.ts";

// Shades are looked up, not mixed, per cell: a day of 5 s columns has some 100,000 cells.
const shades = 48;

export class HeatmapView implements PanelView {
  readonly #plotBox = el("div", { class: "plot" });
  readonly #scaleBox = el("div", { class: "heat-scale" });
  #plot: uPlot | undefined;
  #exemplars: ExemplarLayer | undefined;
  #data: PanelData | undefined;
  #cells: Cells = { column: [], low: [], high: [], count: [], maxCount: 0 };

  constructor(private readonly panel: PanelJSON, body: HTMLElement, private readonly ctx: Context) {
    body.classList.add("graph");
    body.append(this.#plotBox, this.#scaleBox);
  }

  show(data: PanelData): boolean {
    this.#data = data;
    this.#cells = heatmapCells(data.matrix, data.grid);
    if (!this.#cells.extent) return false;
    this.redraw();
    return true;
  }

  redraw(): void {
    if (!this.#data || !this.#cells.extent) return;
    this.#drawScale();
    this.#plot?.destroy();
    this.#exemplars = undefined;
    const { times } = this.#data;
    this.#plot = new uPlot(this.#options(), [times, times.map(() => null)], this.#plotBox);
    onHover(this.#plot, (event) => this.#hover(event));
    this.#exemplars = new ExemplarLayer(this.#plot, "y", this.#unit(), this.ctx);
    this.#exemplars.set(this.#data.exemplars);
  }

  destroy(): void {
    this.#plot?.destroy();
    this.#plot = undefined;
  }

  #unit(): string {
    const axis = (this.panel.options?.yAxis ?? {}) as { unit?: string };
    return axis.unit || resolveField(this.panel.fieldConfig, { name: "", type: "number" }).unit || "";
  }

  #countUnit(): string {
    const cell = (this.panel.options?.cellValues ?? {}) as { unit?: string };
    return cell.unit ?? "short";
  }

  #options(): uPlot.Options {
    const { low, high } = bounds(this.#cells);
    const size = bodySize(this.#plotBox);
    const base = baseOptions(this.ctx, size, () => this.#data!.range);
    return {
      ...base,
      series: [{}, { scale: "y", paths: () => null, points: { show: false } }],
      scales: { ...base.scales, y: { distr: 3, log: 2, range: () => [low, high] } },
      axes: [timeAxis(), {
        scale: "y",
        stroke: palette().muted,
        font: axisFont,
        grid: gridStyle(),
        ticks: { show: false },
        gap: 6,
        splits: () => logTicks(low, high, Math.max(2, Math.floor(size.height / 34))),
        filter: (_, splits) => splits,
        values: (_, splits) => splits.map((at) => tickText(Number(at.toPrecision(3)), this.#unit())),
        size: (u, values) => fitAxis(u, values),
      }],
      hooks: { ...base.hooks, drawClear: [(u) => this.#paint(u)], draw: [() => this.#exemplars?.place()] },
    };
  }

  #paint(u: uPlot): void {
    const cells = this.#cells;
    const { times, grid } = this.#data!;
    const { left, top, width, height } = u.bbox;
    const colors = Array.from({ length: shades }, (_, i) => heatColor(i / (shades - 1)));
    const { ctx } = u;
    ctx.save();
    ctx.beginPath();
    ctx.rect(left, top, width, height);
    ctx.clip();
    const yOf = (value: number): number => (value > 0 && Number.isFinite(value) ? u.valToPos(value, "y", true) : value > 0 ? top : top + height);
    cells.count.forEach((count, i) => {
      const at = times[cells.column[i]!];
      if (at === undefined) return;
      const x0 = Math.round(u.valToPos(at - grid.step / 2, "x", true));
      const x1 = Math.round(u.valToPos(at + grid.step / 2, "x", true));
      const y0 = Math.round(yOf(cells.high[i]!));
      const y1 = Math.round(yOf(cells.low[i]!));
      ctx.fillStyle = colors[Math.round(shade(count, cells.maxCount) * (shades - 1))]!;
      ctx.fillRect(x0, y0, Math.max(1, x1 - x0), Math.max(1, y1 - y0));
    });
    ctx.restore();
  }

  #drawScale(): void {
    const stops = [0, 0.2, 0.4, 0.6, 0.8, 1].map(heatColor).join(", ");
    this.#scaleBox.replaceChildren(
      el("span", {}, "0"),
      el("span", { class: "heat-bar", style: { background: `linear-gradient(90deg, ${stops})` } }),
      el("span", {}, formatText(this.#cells.maxCount, this.#countUnit())));
  }

  #hover(event: MouseEvent): void {
    const u = this.#plot;
    const column = u?.cursor.idx;
    if (!u || column === null || column === undefined) return;
    const value = u.posToVal(u.cursor.top ?? 0, "y");
    const cells = this.#cells;
    const floor = bounds(cells).low;
    const hit = cells.column.findIndex((c, i) =>
      c === column && value < (cells.high[i] ?? 0) && value >= (cells.low[i]! > 0 ? cells.low[i]! : floor));
    const total = cells.count.reduce((sum, count, i) => (cells.column[i] === column ? sum + count : sum), 0);
    const unit = this.#unit();
    const bucket = hit < 0 ? undefined : `${formatText(Math.max(0, cells.low[hit]!), unit)} – ${formatText(cells.high[hit]!, unit)}`;
    const row = (name: string, text: string): HTMLElement =>
      el("div", { class: "tooltip-row" }, el("span", { class: "tooltip-name" }, name), el("span", { class: "tooltip-value" }, text));
    showTooltip(event.clientX, event.clientY, [
      el("div", { class: "tooltip-time" }, formatDateTime(this.#data!.times[column]! * 1000)),
      bucket !== undefined && row(bucket, formatText(cells.count[hit]!, this.#countUnit())),
      row("all buckets", formatText(total, this.#countUnit())),
    ]);
  }
}
