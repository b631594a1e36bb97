// The page around a dashboard: the list of dashboards at the side, the title and the controls of time above.

import { button, el, icon } from "./dom.ts";
import type { DashboardSummary } from "./model.ts";
import { formatRoute, type Route } from "./router.ts";
import { currentTheme, store, stored } from "./theme.ts";
import { TimeControls, type TimeEvents } from "./timepicker.ts";

const sidebarKey = "tailgate-sidebar";

export class Shell {
  readonly time: TimeControls;
  readonly #nav = el("nav", { class: "sidebar-list", attrs: { "aria-label": "Dashboards" } });
  readonly #title = el("h1", { class: "title" });
  readonly #subtitle = el("p", { class: "subtitle" });
  readonly #themeButton: HTMLElement;
  readonly #content = el("div", { class: "content" });

  constructor(events: TimeEvents & { toggleTheme(): void }) {
    this.time = new TimeControls(events);
    this.#themeButton = button("button square", undefined, () => events.toggleTheme());
    const menu = button("button square plain", "List of dashboards", () => this.#toggleSidebar(), icon("menu"));
    const brand = el("a", { class: "brand", attrs: { href: "?" } }, el("img", { attrs: { src: "favicon.svg", alt: "", width: "22", height: "22" } }), "Tailgate");
    const shade = el("div", { class: "shade", on: { click: () => this.#toggleSidebar() } });
    document.body.append(
      el("aside", { class: "sidebar" }, brand, this.#nav),
      shade,
      el("div", { class: "page" },
        el("header", { class: "topbar" }, menu, el("div", { class: "titles" }, this.#title, this.#subtitle),
          el("div", { class: "controls" }, this.time.root, this.#themeButton)),
        this.#content));
    this.themeChanged();
    if (innerWidth > 900 && stored(sidebarKey) !== "closed") document.body.classList.add("with-sidebar");
  }

  themeChanged(): void {
    const next = currentTheme() === "dark" ? "light" : "dark";
    this.#themeButton.replaceChildren(icon(next === "light" ? "sun" : "moon"));
    this.#themeButton.title = `Switch to the ${next} theme`;
    this.#themeButton.setAttribute("aria-label", this.#themeButton.title);
  }

  /** list draws the dashboards; a link keeps the time that the reader chose, since that is what stays of interest. */
  list(dashboards: DashboardSummary[], route: Route): void {
    this.#nav.replaceChildren(el("ul", {}, ...dashboards.map(({ uid, title, description, tags }) => {
      const href = formatRoute({ uid, from: route.from, to: route.to, refresh: route.refresh, theme: route.theme, vars: {} });
      const current = uid === route.uid ? "page" : undefined;
      return el("li", {}, el("a", { class: "nav-item", title: description ?? "", attrs: { href, "aria-current": current } },
        el("span", { class: "nav-title" }, title),
        el("span", { class: "nav-tags" }, ...(tags ?? []).map((tag) => el("span", { class: "tag" }, tag)))));
    })));
  }

  heading(title: string, description: string | undefined): void {
    this.#title.textContent = title;
    this.#subtitle.textContent = description ?? "";
    this.#subtitle.title = description ?? "";
    document.title = `${title} · Tailgate`;
  }

  show(node: HTMLElement): void {
    this.#content.replaceChildren(node);
    if (innerWidth <= 900) document.body.classList.remove("with-sidebar");
  }

  message(title: string, text: string): void {
    this.show(el("main", { class: "page-message" }, el("h2", {}, title), el("p", {}, text)));
  }

  #toggleSidebar(): void {
    const open = document.body.classList.toggle("with-sidebar");
    if (innerWidth > 900) store(sidebarKey, open ? "open" : "closed");
  }
}
