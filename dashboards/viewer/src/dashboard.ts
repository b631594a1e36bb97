// One dashboard on the page: its variables, sections and refreshes. A refresh fixes the range once, so that all panels
// show the same time; panels far from the window wait until they are scrolled to.

import type { Config } from "./api.ts";
import type { Context } from "./context.ts";
import { parseDuration } from "./durations.ts";
import { el } from "./dom.ts";
import { SectionView } from "./grid.ts";
import type { LinkScope } from "./links.ts";
import { sections, type Dashboard, type DashboardSummary, type PanelJSON, type Section } from "./model.ts";
import type { Panel } from "./panel.ts";
import { formatRoute, type Route } from "./router.ts";
import { Schedule } from "./schedule.ts";
import { resolveRange, type Range, type RawRange } from "./timerange.ts";
import { dashboardLinks, drawToolbar } from "./toolbar.ts";
import { VariableSet } from "./variableset.ts";

/** Host is what a dashboard asks of the page around it. */
export interface Host {
  config: Config;
  known: DashboardSummary[];
  setRange(raw: RawRange): void;
  zoomOut(): void;
  setVariable(name: string, values: string[]): void;
  busy(on: boolean): void;
}

export class DashboardView {
  readonly root = el("main", { class: "dashboard" });
  readonly #toolbar = el("div", { class: "toolbar" });
  readonly #problem = el("p", { class: "page-problem", attrs: { role: "alert", hidden: "" } });
  readonly #variables: VariableSet;
  readonly #schedule = new Schedule(() => this.refresh(true));
  readonly #stale = new Set<Panel>();
  readonly #watcher = new IntersectionObserver((entries) => this.#scrolled(entries), { rootMargin: "300px" });
  readonly #near = new Set<Element>();
  #sectionViews: SectionView[] = [];
  #range: Range;
  #loading = new AbortController();
  #refreshes = 0;

  constructor(private readonly dashboard: Dashboard, private route: Route, private readonly host: Host) {
    this.#variables = new VariableSet(dashboard.templating?.list ?? []);
    this.#range = { from: Date.now() - 3_600_000, to: Date.now() };
    this.root.append(this.#toolbar, this.#problem);
  }

  /** raw is the range in force: the address's, else the file's, else the last hour. */
  get raw(): RawRange {
    const { time } = this.dashboard;
    return { from: this.route.from ?? time?.from ?? "now-1h", to: this.route.to ?? (this.route.from ? "now" : (time?.to ?? "now")) };
  }

  get every(): string {
    if (this.route.refresh !== undefined) return this.route.refresh;
    return typeof this.dashboard.refresh === "string" ? this.dashboard.refresh : "";
  }

  async start(): Promise<void> {
    this.#build();
    await this.refresh(false);
  }

  /** apply follows a changed address of the same dashboard. */
  async apply(route: Route): Promise<void> {
    const focus = route.viewPanel !== this.route.viewPanel;
    this.route = route;
    if (focus) this.#build();
    await this.refresh(false);
  }

  /** refresh asks for everything anew, or, on a tick of the clock, for what the reader can see. */
  async refresh(tick: boolean): Promise<void> {
    const range = resolveRange(this.raw, Date.now());
    this.#problem.hidden = typeof range !== "string";
    if (typeof range === "string") {
      this.#problem.textContent = range;
      return;
    }
    this.#range = range;
    if (!tick) {
      this.#loading.abort();
      this.#loading = new AbortController();
      this.#schedule.every(parseDuration(this.every) ?? 0);
      this.#schedule.done();
    }
    const { signal } = this.#loading;
    this.host.busy(true);
    await this.#variables.load(this.route.vars, range, signal);
    if (signal.aborted) return;
    this.#drawToolbar();
    await this.#loadPanels(this.#panels(), tick);
    if (signal.aborted) return;
    this.host.busy(false);
    this.#refreshes++;
    if (this.#refreshes === 1) performance.mark("ready");
    document.body.dataset.refreshes = String(this.#refreshes);
    document.body.dataset.ready = "true";
  }

  redraw(): void {
    for (const panel of this.#panels()) panel.redraw();
  }

  destroy(): void {
    this.#loading.abort();
    this.#schedule.stop();
    this.#watcher.disconnect();
    for (const section of this.#sectionViews) section.destroy();
    this.root.remove();
  }

  #panels(): Panel[] {
    return this.#sectionViews.flatMap((section) => section.panels);
  }

  async #loadPanels(panels: Panel[], tick: boolean): Promise<void> {
    const due = tick ? panels.filter((panel) => this.#near.has(panel.root) && !panel.isRunning) : panels;
    for (const panel of panels) {
      if (due.includes(panel)) this.#stale.delete(panel);
      else this.#stale.add(panel);
    }
    await Promise.all(due.map((panel) => panel.load()));
  }

  #scrolled(entries: IntersectionObserverEntry[]): void {
    for (const { target, isIntersecting } of entries) {
      if (!isIntersecting) {
        this.#near.delete(target);
        continue;
      }
      this.#near.add(target);
      const panel = [...this.#stale].find((one) => one.root === target);
      if (panel) {
        this.#stale.delete(panel);
        void panel.load();
      }
    }
  }

  #build(): void {
    for (const section of this.#sectionViews) section.destroy();
    this.#near.clear();
    this.#stale.clear();
    const ctx = this.#context();
    const opened = (panels: Panel[]): void => {
      for (const panel of panels) this.#watcher.observe(panel.root);
      void this.#loadPanels(panels, false);
    };
    this.#sectionViews = this.#shownSections().map((section) => new SectionView(section, ctx, opened));
    this.root.replaceChildren(this.#toolbar, this.#problem, ...this.#sectionViews.map((section) => section.root));
    for (const panel of this.#panels()) this.#watcher.observe(panel.root);
  }

  #shownSections(): Section[] {
    const all = sections(this.dashboard);
    const { viewPanel } = this.route;
    const one = viewPanel && all.flatMap((section) => section.panels).find((panel) => panel.id === viewPanel);
    if (!one) return all;
    const large: PanelJSON = { ...one, gridPos: { x: 0, y: 0, w: 24, h: 18 } };
    return [{ id: "focus", collapsed: false, panels: [large] }];
  }

  #drawToolbar(): void {
    const links = dashboardLinks(this.dashboard, this.host.known, this.#linkScope());
    drawToolbar(this.#toolbar, this.#variables.all(), links, (name, values) => this.host.setVariable(name, values));
  }

  #linkScope(): LinkScope {
    const { from, to } = this.raw;
    const timeParams = `from=${encodeURIComponent(from)}&to=${encodeURIComponent(to)}`;
    return { lookup: this.#variables.lookup, timeParams, varParams: this.#variables.params() };
  }

  #context(): Context {
    const focused = this.route.viewPanel !== undefined;
    return {
      lookup: this.#variables.lookup,
      range: () => this.#range,
      linkScope: () => this.#linkScope(),
      traceUrl: this.host.config.traceUrl,
      zoom: (range) => this.host.setRange({ from: String(range.from), to: String(range.to) }),
      zoomOut: () => this.host.zoomOut(),
      focusAddress: (id) => formatRoute({ ...this.route, viewPanel: focused ? undefined : id }),
      focused,
    };
  }
}
