// Exemplars on a chart: diamonds that are real buttons, so that keyboard and screen reader reach them, each with the
// way to its trace.

import uPlot from "uplot";
import type { Context } from "../context.ts";
import { el, icon, type Child } from "../dom.ts";
import { traceAddress } from "../links.ts";
import { closePopover, hideTooltip, openPopover, showTooltip } from "../popover.ts";
import { thinExemplars, type Exemplar } from "../series.ts";
import { formatDateTime } from "../timerange.ts";
import { formatText } from "../units.ts";

const slotPx = 14;

/** ExemplarLayer lies over one chart and follows its scales. */
export class ExemplarLayer {
  readonly #layer = el("div", { class: "exemplars", attrs: { role: "group", "aria-label": "Exemplars" } });
  #exemplars: Exemplar[] = [];

  constructor(private readonly u: uPlot, private readonly scale: string, private readonly unit: string | undefined, private readonly ctx: Context) {
    u.over.append(this.#layer);
    this.#layer.addEventListener("keydown", (event) => this.#walk(event));
  }

  set(exemplars: Exemplar[]): void {
    this.#exemplars = exemplars;
    this.place();
  }

  /** place puts one diamond per slot of time; values above or below the axis sit hollow at its edge. */
  place(): void {
    const { width, height } = this.u.over.getBoundingClientRect();
    const { min, max } = this.u.scales.x ?? {};
    if (!width || min === undefined || max === undefined || min === null || max === null) return;
    const inRange = this.#exemplars.filter((e) => e.time >= min && e.time <= max);
    const shown = thinExemplars(inRange, ((max - min) / width) * slotPx);
    this.#layer.replaceChildren(...shown.map((exemplar, index) => this.#diamond(exemplar, index, height)));
  }

  #diamond(exemplar: Exemplar, index: number, height: number): HTMLElement {
    const y = this.u.valToPos(exemplar.value, this.scale);
    const clipped = !(y >= 0 && y <= height);
    const top = y > height ? height - 5 : Math.max(5, y);
    const value = formatText(exemplar.value, this.unit);
    const button = el("button", {
      class: `exemplar${clipped ? " clipped" : ""}`,
      style: { left: `${this.u.valToPos(exemplar.time, "x")}px`, top: `${Number.isFinite(top) ? top : height - 5}px` },
      attrs: { type: "button", tabindex: index === 0 ? "0" : "-1", "aria-label": `Exemplar ${value}${exemplar.traceId ? `, trace ${exemplar.traceId}` : ""}` },
      data: exemplar.traceId ? { traceId: exemplar.traceId } : {},
    });
    const stop = (event: Event): void => event.stopPropagation();
    button.addEventListener("mousedown", stop);
    button.addEventListener("dblclick", stop);
    button.addEventListener("mousemove", (event) => {
      stop(event);
      showTooltip(event.clientX, event.clientY, [this.#facts(exemplar, value)]);
    });
    button.addEventListener("mouseleave", hideTooltip);
    button.addEventListener("click", (event) => {
      stop(event);
      openPopover(button, [this.#facts(exemplar, value), this.#actions(exemplar)], { class: "exemplar-card" });
    });
    return button;
  }

  #facts(exemplar: Exemplar, value: string): HTMLElement {
    const extra = Object.entries(exemplar.labels).filter(([, text]) => text !== exemplar.traceId);
    const series = Object.entries(exemplar.series).filter(([name]) => name !== "__name__" && name !== "le");
    const row = (name: string, text: string): Child => el("div", { class: "fact" }, el("dt", {}, name), el("dd", {}, text));
    return el("dl", { class: "facts" },
      el("div", { class: "fact lead" }, el("dt", {}, formatDateTime(exemplar.time * 1000)), el("dd", {}, value)),
      exemplar.traceId ? row("trace", exemplar.traceId) : null,
      ...[...extra, ...series].slice(0, 10).map(([name, text]) => row(name, text)));
  }

  #actions(exemplar: Exemplar): HTMLElement | null {
    const id = exemplar.traceId;
    if (!id) return null;
    const address = traceAddress(this.ctx.traceUrl, id);
    const copy = el("button", { class: "button", attrs: { type: "button" } }, "Copy trace id");
    copy.addEventListener("click", () => {
      navigator.clipboard.writeText(id).then(() => { copy.textContent = "Copied"; }, () => { copy.textContent = id; });
    });
    const open = address && el("a", { class: "button primary", attrs: { href: address, target: "_blank", rel: "noopener" } }, "Open trace", icon("external"));
    return el("div", { class: "actions" }, open, copy);
  }

  #walk(event: KeyboardEvent): void {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    closePopover();
    const all = [...this.#layer.children] as HTMLElement[];
    const at = all.indexOf(document.activeElement as HTMLElement);
    const next = all[at + step];
    if (!next) return;
    all[at]?.setAttribute("tabindex", "-1");
    next.setAttribute("tabindex", "0");
    next.focus();
  }
}
