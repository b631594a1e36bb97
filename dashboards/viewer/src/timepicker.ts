// The controls of time: range, zoom out, refresh now, refresh every.

import { button, el, icon } from "./dom.ts";
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
  readonly #rangeText = el("span", {}, "");
  readonly #everyText = el("span", {}, "");
  readonly #now: HTMLElement;
  #raw: RawRange = { from: "now-15m", to: "now" };
  #every = "";

  constructor(private readonly events: TimeEvents) {
    const range = button("button", "Time range", () => this.#openRange(range), icon("clock"), this.#rangeText, icon("down"));
    const out = button("button square", "Zoom out", () => this.zoomOut(), icon("zoomOut"));
    this.#now = button("button square refresh-now", "Refresh now", () => events.refreshNow(), icon("refresh"));
    const every = button("button refresh-every", "Refresh interval", () => this.#openEvery(every), this.#everyText, icon("down"));
    for (const opener of [range, every]) opener.setAttribute("aria-haspopup", "dialog");
    this.root.append(range, out, el("div", { class: "button-pair" }, this.#now, every));
  }

  set(raw: RawRange, every: string): void {
    this.#raw = raw;
    this.#every = every;
    this.#rangeText.textContent = describeRange(raw);
    this.#everyText.textContent = every || "Off";
  }

  busy(on: boolean): void {
    this.#now.classList.toggle("busy", on);
  }

  zoomOut(): void {
    this.events.range(zoomOutRaw(this.#raw, Date.now()));
  }

  #openRange(anchor: HTMLElement): void {
    const current = resolveRange(this.#raw, Date.now());
    const input = (label: string, value: string): HTMLInputElement => el("input", { attrs: { type: "text", "aria-label": label, spellcheck: "false", value } });
    const relative = this.#raw.to === "now";
    const from = input("From", relative || typeof current === "string" ? this.#raw.from : formatDateTime(current.from));
    const to = input("To", relative || typeof current === "string" ? this.#raw.to : formatDateTime(current.to));
    const problem = el("p", { class: "form-error", attrs: { role: "alert" } });
    const form = el("form", { class: "range-form" },
      el("label", {}, "From", from), el("label", {}, "To", to), problem,
      el("button", { class: "button primary", attrs: { type: "submit" } }, "Apply"),
      el("p", { class: "hint" }, "now-90m or 2026-01-31 12:00. Dragging over a graph zooms in, a double click zooms out."));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const raw = { from: absolute(from.value), to: absolute(to.value) };
      const range = resolveRange(raw, Date.now());
      if (typeof range === "string") problem.textContent = range;
      else this.#pick(raw);
    });
    const quick = el("ul", { class: "quick" }, ...quickRanges.map(({ label, from: start }) =>
      el("li", {}, menuItem(label, this.#raw.from === start && relative, () => this.#pick({ from: start, to: "now" })))));
    openPopover(anchor, [el("div", { class: "range-box" }, form, quick)], { class: "range-pop" });
    form.querySelector("input")?.focus();
  }

  #pick(raw: RawRange): void {
    closePopover();
    this.events.range(raw);
  }

  #openEvery(anchor: HTMLElement): void {
    const items = refreshChoices.map((interval) => el("li", {}, menuItem(interval || "Off", interval === this.#every, () => {
      closePopover();
      this.events.refreshEvery(interval);
    })));
    openPopover(anchor, [el("ul", { class: "menu" }, ...items)]);
    document.querySelector<HTMLElement>(".menu .menu-item")?.focus();
  }
}

function menuItem(text: string, on: boolean, click: () => void): HTMLElement {
  return button(on ? "menu-item on" : "menu-item", undefined, click, text);
}

/** absolute turns a written date into the epoch form that a shared link should carry: it means the same everywhere. */
function absolute(text: string): string {
  const at = /^\s*\d{4}-\d\d-\d\d/.test(text) ? parseTime(text, Date.now()) : undefined;
  return at === undefined ? text.trim() : String(at);
}
