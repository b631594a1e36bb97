// The page's start: reads the address, fetches the dashboard it names, and keeps address and view in step.

import { ApiError, getConfig, getDashboard, listDashboards, type Config } from "./api.ts";
import { DashboardView, type Host } from "./dashboard.ts";
import type { DashboardSummary } from "./model.ts";
import { closePopover, watchPopovers } from "./popover.ts";
import { formatRoute, parseRoute, type Route } from "./router.ts";
import { Shell } from "./shell.ts";
import { applyTheme, initialTheme, toggleTheme } from "./theme.ts";
import type { RawRange } from "./timerange.ts";

class App {
  #route: Route = parseRoute(location.search);
  #known: DashboardSummary[] = [];
  #config: Config = { traceUrl: "" };
  #view: DashboardView | undefined;
  #shownUid: string | undefined;
  readonly #shell: Shell;

  constructor() {
    applyTheme(initialTheme(this.#route.theme));
    this.#shell = new Shell({
      range: (raw) => this.#setRange(raw),
      refreshEvery: (interval) => this.#go({ ...this.#route, refresh: interval }),
      refreshNow: () => void this.#view?.refresh(false),
      toggleTheme: () => this.#toggleTheme(),
    });
    watchPopovers();
    addEventListener("popstate", () => this.#show(parseRoute(location.search)));
    document.addEventListener("click", (event) => this.#followLink(event));
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && this.#route.viewPanel) this.#go({ ...this.#route, viewPanel: undefined });
    });
  }

  async start(): Promise<void> {
    try {
      [this.#known, this.#config] = await Promise.all([listDashboards(), getConfig()]);
    } catch (err) {
      return this.#fail("The list of dashboards cannot be read", err);
    }
    this.#show(this.#route);
  }

  #show(route: Route): void {
    this.#navigate(route).catch((err) => this.#fail("The dashboard cannot be shown", err));
  }

  #go(route: Route): void {
    history.pushState(null, "", formatRoute(route));
    this.#show(route);
  }

  /** navigate shows the route: a dashboard not yet on the page is fetched, another state of the same one is applied. */
  async #navigate(route: Route): Promise<void> {
    closePopover();
    this.#route = route;
    const uid = route.uid ?? this.#home();
    if (uid === undefined) {
      this.#ready();
      return this.#shell.message("No dashboards", "This build carries no dashboards. Generate them with `dashctl gen` and build again.");
    }
    this.#route = { ...route, uid };
    this.#shell.list(this.#known, this.#route);
    if (this.#view && this.#shownUid === uid) {
      const view = this.#view;
      const applied = view.apply(this.#route);
      this.#shell.time.set(view.raw, view.every);
      return applied;
    }
    await this.#open(uid);
  }

  async #open(uid: string): Promise<void> {
    delete document.body.dataset.ready;
    this.#view?.destroy();
    this.#view = undefined;
    this.#shownUid = uid;
    try {
      const dashboard = await getDashboard(uid);
      // The reader may have gone on while it was fetched.
      if (this.#shownUid !== uid) return;
      const view = new DashboardView(dashboard, this.#route, this.#host());
      this.#view = view;
      this.#shell.heading(dashboard.title, dashboard.description);
      this.#shell.time.set(view.raw, view.every);
      this.#shell.show(view.root);
      scrollTo(0, 0);
      await view.start();
    } catch (err) {
      if (this.#shownUid === uid) this.#fail(`Dashboard "${uid}" cannot be shown`, err);
    }
  }

  #host(): Host {
    return {
      config: this.#config,
      known: this.#known,
      setRange: (raw) => this.#setRange(raw),
      zoomOut: () => this.#shell.time.zoomOut(),
      setVariable: (name, values) => this.#go({ ...this.#route, vars: { ...this.#route.vars, [name]: values } }),
      busy: (on) => this.#shell.time.busy(on),
    };
  }

  #home(): string | undefined {
    return (this.#known.find(({ uid }) => uid === "home") ?? this.#known[0])?.uid;
  }

  #setRange({ from, to }: RawRange): void {
    this.#go({ ...this.#route, from, to });
  }

  #toggleTheme(): void {
    toggleTheme();
    this.#shell.themeChanged();
    this.#view?.redraw();
    // An address that names a theme would undo the choice on reload.
    if (this.#route.theme) {
      this.#route = { ...this.#route, theme: undefined };
      history.replaceState(null, "", formatRoute(this.#route));
    }
  }

  #followLink(event: MouseEvent): void {
    const link = (event.target as Element).closest("a");
    const href = link?.getAttribute("href");
    if (!href?.startsWith("?") || link!.target || event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    this.#go(parseRoute(href));
  }

  #fail(title: string, err: unknown): void {
    if (!(err instanceof ApiError)) console.error(err);
    this.#shell.message(title, err instanceof Error ? err.message : String(err));
    this.#ready();
  }

  #ready(): void {
    document.body.dataset.ready = "true";
  }
}

void new App().start();
