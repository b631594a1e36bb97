// A panel's frame: title, description, state, and the life of its view. The root carries the state as data attributes,
// which is also how tests read it: data-state is loading, ok, nodata or error.

import type { Context } from "./context.ts";
import { button, el, icon, type Child } from "./dom.ts";
import { linkText, pageAddress } from "./links.ts";
import { unsupported, type PanelJSON } from "./model.ts";
import { ApiError } from "./api.ts";
import { activeTargets, runPanel, type PanelData } from "./panelquery.ts";
import { hideTooltip, openPopover, showTooltip } from "./popover.ts";
import { interpolate } from "./template.ts";
import { HeatmapView } from "./panels/heatmap.ts";
import { StatView } from "./panels/stat.ts";
import { TableView } from "./panels/table.ts";
import { renderMarkdown } from "./panels/text.ts";
import { TimeSeriesView } from "./panels/timeseries.ts";
import type { PanelView } from "./panels/view.ts";

type State = "loading" | "ok" | "nodata" | "error";

const views: Record<string, new (panel: PanelJSON, body: HTMLElement, ctx: Context) => PanelView> = {
  timeseries: TimeSeriesView,
  stat: StatView,
  table: TableView,
  heatmap: HeatmapView,
};

export class Panel {
  readonly root: HTMLElement;
  readonly #titleText = el("span", { class: "panel-title-text" });
  readonly #body = el("div", { class: "panel-body" });
  readonly #message = el("div", { class: "panel-message", attrs: { role: "status" } });
  readonly #warning = el("span", { class: "panel-warning", attrs: { hidden: "" } }, icon("warning"));
  readonly #observer = new ResizeObserver(() => this.#resized());
  #view: PanelView | undefined;
  #running: AbortController | undefined;
  #size = "";

  constructor(readonly json: PanelJSON, private readonly ctx: Context) {
    this.root = el("section", { class: `panel panel-${json.type}`, data: { panelId: String(json.id ?? ""), state: "loading" } },
      this.#header(), this.#body, this.#message);
    this.#retitle();
    this.#observer.observe(this.#body);
  }

  /** isRunning tells whether an earlier load is still under way. */
  get isRunning(): boolean {
    return this.#running !== undefined;
  }

  /** load asks for the data of the current range and draws it; a load under way is aborted. Never rejects. */
  async load(): Promise<void> {
    this.#retitle();
    const problem = unsupported(this.json);
    if (problem) return this.#setState("error", problem);
    if (this.json.type === "text") return this.#showText();
    this.#running?.abort();
    const running = new AbortController();
    this.#running = running;
    this.root.classList.add("busy");
    try {
      const data = await runPanel(this.json, this.ctx, this.#body.clientWidth || 600, running.signal);
      if (!running.signal.aborted) this.#show(data);
    } catch (err) {
      if (running.signal.aborted) return;
      if (!(err instanceof ApiError)) console.error(err);
      this.#setState("error", err instanceof Error ? err.message : String(err));
    } finally {
      if (this.#running === running) {
        this.#running = undefined;
        this.root.classList.remove("busy");
      }
    }
  }

  redraw(): void {
    if (this.root.dataset.state === "ok") this.#view?.redraw();
  }

  destroy(): void {
    this.#running?.abort();
    this.#observer.disconnect();
    this.#view?.destroy();
  }

  #show(data: PanelData): void {
    const View = views[this.json.type]!;
    this.#view ??= new View(this.json, this.#body, this.ctx);
    const drawn = this.#view.show(data);
    this.#setState(drawn ? "ok" : "nodata", drawn ? "" : this.#emptyMessage(data));
    this.#warning.hidden = data.warnings.length === 0;
    this.#warning.title = data.warnings.join("\n");
  }

  #emptyMessage(data: PanelData): string {
    return data.series.length > 0 ? "No data (only NaN in this range)" : "No data";
  }

  #showText(): void {
    const content = String(this.json.options?.content ?? "");
    if (this.json.options?.mode === "html") return this.#setState("error", "HTML text is not drawn here, because it could run code; use Markdown");
    this.#body.replaceChildren(renderMarkdown(interpolate(content, this.ctx.lookup, "text")));
    this.#setState(content ? "ok" : "nodata", content ? "" : "No text");
  }

  #setState(state: State, text: string): void {
    this.root.dataset.state = state;
    const kind = state === "nodata" ? "panel-nodata" : state === "error" ? "panel-error" : "";
    this.#message.replaceChildren(...(kind ? [el("div", { class: kind }, state === "error" ? icon("warning") : "", el("span", {}, text))] : []));
  }

  #retitle(): void {
    const title = interpolate(this.json.title ?? "", this.ctx.lookup, "text");
    this.#titleText.textContent = title;
    this.root.dataset.panelTitle = title;
    this.root.setAttribute("aria-label", title);
  }

  #header(): HTMLElement {
    const focusLink = el("a", {
      class: "panel-button panel-focus",
      title: this.ctx.focused ? "Show the whole dashboard" : "Show only this panel",
      attrs: { "aria-label": this.ctx.focused ? "Show the whole dashboard" : "Show only this panel" },
    }, icon(this.ctx.focused ? "shrink" : "expand"));
    // Time and variables change under a panel, so the address is made when it is needed.
    const refreshAddress = (): void => focusLink.setAttribute("href", this.ctx.focusAddress(this.json.id ?? 0));
    for (const name of ["mouseenter", "focus", "pointerdown"]) focusLink.addEventListener(name, refreshAddress);
    refreshAddress();
    return el("header", { class: "panel-header" },
      el("h3", { class: "panel-title" }, this.#titleText), this.#infoButton(), this.#warning,
      this.json.id ? focusLink : null);
  }

  #infoButton(): HTMLElement | null {
    const { description } = this.json;
    if (!description && activeTargets(this.json).length === 0) return null;
    const info = button("panel-button panel-info", "About this panel", () => this.#openInfo(info), icon("info"));
    info.addEventListener("mouseenter", () => {
      const at = info.getBoundingClientRect();
      if (description && info.getAttribute("aria-expanded") !== "true") showTooltip(at.left, at.bottom, [this.#description()]);
    });
    info.addEventListener("mouseleave", hideTooltip);
    return info;
  }

  #description(): Child {
    const { description } = this.json;
    return description ? renderMarkdown(interpolate(description, this.ctx.lookup, "text")) : null;
  }

  #openInfo(anchor: HTMLElement): void {
    const links = (this.json.links ?? []).flatMap((link) => {
      const href = link.url && pageAddress(linkText(link.url, this.ctx.linkScope(), "url"));
      return href ? [el("a", { class: "info-link", attrs: { href } }, link.title || href)] : [];
    });
    const queries = activeTargets(this.json).map((target) => el("pre", { class: "info-query" }, el("code", {}, target.expr!)));
    openPopover(anchor, [this.#description(), ...links, ...queries], { class: "info-card" });
  }

  #resized(): void {
    const size = `${this.#body.clientWidth} ${this.#body.clientHeight}`;
    if (size === this.#size || this.#body.clientWidth === 0) return;
    const first = this.#size === "";
    this.#size = size;
    if (!first) this.redraw();
  }
}
