// The controls of time: range, zoom out, refresh now, refresh every.

import { el, icon } from "./dom.ts";
import { closePopover, openPopover } from "./popover.ts";
import { describeRange, formatDateTime, parseTime, quickRanges, resolveRange, zoomOutRaw, type RawRange } from "./timerange.ts";

export const refreshChoices = ["", "5s", "10s", "30s", "1m", "5m"];

export interface TimeEvents {
  range(raw: RawRange): void;
  refreshEvery(interval: string): void;
  refreshNow(): void;
}

/** TimeControls draws the controls and says what the reader chose; it keeps no time of its own. */
export class TimeControls {
  readonly root = el("div", { class: "time-controls" });
  private readonly rangeText = el("span", {}, "");
  private readonly everyText = el("span", {}, "");
  private readonly now: HTMLElement;
  private raw: RawRange = { from: "now-15m", to: "now" };
  private every = "";

  constructor(private readonly events: TimeEvents) {
    const rangeButton = el("button", { class: "button", attrs: { type: "button", "aria-expanded": "false", "aria-haspopup": "dialog", "aria-label": "Time range" } }, icon("clock"), this.rangeText, icon("down"));
    rangeButton.addEventListener("click", () => this.openRange(rangeButton));
    const out = el("button", { class: "button square", title: "Zoom out", attrs: { type: "button", "aria-label": "Zoom out" }, on: { click: () => this.zoomOut() } }, icon("zoomOut"));
    this.now = el("button", { class: "button square refresh-now", title: "Refresh now", attrs: { type: "button", "aria-label": "Refresh now" }, on: { click: () => events.refreshNow() } }, icon("refresh"));
    const every = el("button", { class: "button refresh-every", title: "Refresh every", attrs: { type: "button", "aria-expanded": "false", "aria-haspopup": "menu", "aria-label": "Refresh interval" } }, this.everyText, icon("down"));
    every.addEventListener("click", () => this.openEvery(every));
    this.root.append(rangeButton, out, el("div", { class: "button-pair" }, this.now, every));
  }

  set(raw: RawRange, every: string): void {
    this.raw = raw;
    this.every = every;
    this.rangeText.textContent = describeRange(raw);
    this.everyText.textContent = every || "Off";
  }

  busy(on: boolean): void {
    this.now.classList.toggle("busy", on);
  }

  zoomOut(): void {
    this.events.range(zoomOutRaw(this.raw, Date.now()));
  }

  private openRange(anchor: HTMLElement): void {
    const current = resolveRange(this.raw, Date.now());
    const input = (label: string, value: string): HTMLInputElement => el("input", { attrs: { type: "text", "aria-label": label, spellcheck: "false", value } });
    const relative = this.raw.to === "now";
    const from = input("From", relative || typeof current === "string" ? this.raw.from : formatDateTime(current.from));
    const to = input("To", relative || typeof current === "string" ? this.raw.to : formatDateTime(current.to));
    const problem = el("p", { class: "form-error", attrs: { role: "alert" } });
    const form = el("form", { class: "range-form" },
      el("label", {}, "From", from), el("label", {}, "To", to), problem,
      el("button", { class: "button primary", attrs: { type: "submit" } }, "Apply"),
      el("p", { class: "hint" }, "now-90m, now/d, 2026-01-31 12:00. Dragging over a graph zooms in, a double click zooms out."));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const raw = { from: absolute(from.value), to: absolute(to.value) };
      const range = resolveRange(raw, Date.now());
      if (typeof range === "string") problem.textContent = range;
      else this.pick(raw);
    });
    const quick = el("ul", { class: "quick" }, ...quickRanges.map(({ label, from: start }) =>
      el("li", {}, el("button", {
        class: this.raw.from === start && relative ? "menu-item on" : "menu-item",
        attrs: { type: "button" },
        on: { click: () => this.pick({ from: start, to: "now" }) },
      }, label))));
    openPopover(anchor, [el("div", { class: "range-box" }, form, quick)], { class: "range-pop" });
    form.querySelector("input")?.focus();
  }

  private pick(raw: RawRange): void {
    closePopover();
    this.events.range(raw);
  }

  private openEvery(anchor: HTMLElement): void {
    const items = refreshChoices.map((interval) => el("li", {}, el("button", {
      class: interval === this.every ? "menu-item on" : "menu-item",
      attrs: { type: "button" },
      on: { click: () => { closePopover(); this.events.refreshEvery(interval); } },
    }, interval || "Off")));
    openPopover(anchor, [el("ul", { class: "menu" }, ...items)]);
    document.querySelector<HTMLElement>(".menu .menu-item")?.focus();
  }
}

/** absolute turns a written date into the epoch form that a shared link should carry: it means the same everywhere. */
function absolute(text: string): string {
  const at = /^\s*\d{4}-\d\d-\d\d/.test(text) ? parseTime(text, Date.now()) : undefined;
  return at === undefined ? text.trim() : String(at);
}
