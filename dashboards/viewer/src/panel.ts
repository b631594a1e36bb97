// A panel's frame: title, description, state, and the life of its view. The root carries the state as data attributes,
// which is also how tests read it: data-state is loading, ok, nodata or error.

import type { Context } from "./context.ts";
import { el, icon, type Child } from "./dom.ts";
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
  private readonly titleText = el("span", { class: "panel-title-text" });
  private readonly body = el("div", { class: "panel-body" });
  private readonly message = el("div", { class: "panel-message", attrs: { role: "status" } });
  private readonly warning = el("span", { class: "panel-warning", attrs: { hidden: "" } }, icon("warning"));
  private readonly observer = new ResizeObserver(() => this.resized());
  private view: PanelView | undefined;
  private running: AbortController | undefined;
  private size = "";

  constructor(readonly json: PanelJSON, private readonly ctx: Context) {
    this.root = el("section", { class: `panel panel-${json.type}`, data: { panelId: String(json.id ?? ""), state: "loading" } },
      this.header(), this.body, this.message);
    this.retitle();
    this.observer.observe(this.body);
  }

  /** isRunning tells whether an earlier load is still under way. */
  get isRunning(): boolean {
    return this.running !== undefined;
  }

  /** load asks for the data of the current range and draws it; a load under way is aborted. Never rejects. */
  async load(): Promise<void> {
    this.retitle();
    const problem = unsupported(this.json);
    if (problem) return this.setState("error", problem);
    if (this.json.type === "text") return this.showText();
    this.running?.abort();
    const running = new AbortController();
    this.running = running;
    this.root.classList.add("busy");
    try {
      const data = await runPanel(this.json, this.ctx, this.body.clientWidth || 600, running.signal);
      if (!running.signal.aborted) this.show(data);
    } catch (err) {
      if (running.signal.aborted) return;
      if (!(err instanceof ApiError)) console.error(err);
      this.setState("error", err instanceof Error ? err.message : String(err));
    } finally {
      if (this.running === running) {
        this.running = undefined;
        this.root.classList.remove("busy");
      }
    }
  }

  redraw(): void {
    if (this.root.dataset.state === "ok") this.view?.redraw();
  }

  destroy(): void {
    this.running?.abort();
    this.observer.disconnect();
    this.view?.destroy();
  }

  private show(data: PanelData): void {
    const View = views[this.json.type]!;
    this.view ??= new View(this.json, this.body, this.ctx);
    const drawn = this.view.show(data);
    this.setState(drawn ? "ok" : "nodata", drawn ? "" : this.emptyMessage(data));
    this.warning.hidden = data.warnings.length === 0;
    this.warning.title = data.warnings.join("\n");
  }

  private emptyMessage(data: PanelData): string {
    return data.series.length > 0 ? "No data (only NaN in this range)" : "No data";
  }

  private showText(): void {
    const content = String(this.json.options?.content ?? "");
    if (this.json.options?.mode === "html") return this.setState("error", "HTML text is not drawn here, because it could run code; use Markdown");
    this.body.replaceChildren(renderMarkdown(interpolate(content, this.ctx.lookup, "text")));
    this.setState(content ? "ok" : "nodata", content ? "" : "No text");
  }

  private setState(state: State, text: string): void {
    this.root.dataset.state = state;
    const kind = state === "nodata" ? "panel-nodata" : state === "error" ? "panel-error" : "";
    this.message.replaceChildren(...(kind ? [el("div", { class: kind }, state === "error" ? icon("warning") : "", el("span", {}, text))] : []));
  }

  private retitle(): void {
    const title = interpolate(this.json.title ?? "", this.ctx.lookup, "text");
    this.titleText.textContent = title;
    this.root.dataset.panelTitle = title;
    this.root.setAttribute("aria-label", title);
  }

  private header(): HTMLElement {
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
      el("h3", { class: "panel-title" }, this.titleText), this.infoButton(), this.warning,
      this.json.id ? focusLink : null);
  }

  private infoButton(): HTMLElement | null {
    const { description, links = [] } = this.json;
    const targets = activeTargets(this.json);
    if (!description && targets.length === 0) return null;
    const button = el("button", { class: "panel-button panel-info", attrs: { type: "button", "aria-label": "About this panel", "aria-expanded": "false" } }, icon("info"));
    const text = (): Child => (description ? renderMarkdown(interpolate(description, this.ctx.lookup, "text")) : null);
    button.addEventListener("mouseenter", () => {
      const at = button.getBoundingClientRect();
      if (description && button.getAttribute("aria-expanded") !== "true") showTooltip(at.left, at.bottom, [text()]);
    });
    button.addEventListener("mouseleave", hideTooltip);
    button.addEventListener("click", () => {
      const anchors = links.flatMap((link) => {
        const href = link.url && pageAddress(linkText(link.url, this.ctx.linkScope(), "url"));
        return href ? [el("a", { class: "info-link", attrs: { href } }, link.title || href)] : [];
      });
      const queries = targets.map((target) => el("pre", { class: "info-query" }, el("code", {}, target.expr!)));
      openPopover(button, [text(), ...anchors, ...queries], { class: "info-card" });
    });
    return button;
  }

  private resized(): void {
    const size = `${this.body.clientWidth} ${this.body.clientHeight}`;
    if (size === this.size || this.body.clientWidth === 0) return;
    const first = this.size === "";
    this.size = size;
    if (!first) this.redraw();
  }
}
