// Sections and their panels on the page: a 24-column grid under a row that opens and closes.

import type { Context } from "./context.ts";
import { button, el, icon } from "./dom.ts";
import { place, type Section } from "./model.ts";
import { Panel } from "./panel.ts";

/** SectionView owns its panels; they exist only while the section is open. */
export class SectionView {
  readonly root: HTMLElement;
  panels: Panel[] = [];
  readonly #grid = el("div", { class: "grid" });
  readonly #toggle: HTMLElement | undefined;

  constructor(private readonly section: Section, private readonly ctx: Context, private readonly opened: (panels: Panel[]) => void) {
    this.root = el("section", { class: "section", data: { section: section.title ?? "" } });
    if (section.title !== undefined) {
      this.#toggle = button("row-toggle", undefined, () => this.#flip(), icon("chevron"),
        el("span", {}, section.title || "Untitled"), el("span", { class: "row-count" }, section.panels.length === 1 ? "1 panel" : `${section.panels.length} panels`));
      this.root.append(el("h2", { class: "row-title" }, this.#toggle));
    }
    this.root.append(this.#grid);
    if (!section.collapsed) this.#fill();
    this.#mark();
  }

  destroy(): void {
    for (const panel of this.panels) panel.destroy();
    this.panels = [];
  }

  #flip(): void {
    this.section.collapsed = !this.section.collapsed;
    if (this.section.collapsed) {
      this.destroy();
      this.#grid.replaceChildren();
    } else {
      this.#fill();
      this.opened(this.panels);
    }
    this.#mark();
  }

  #mark(): void {
    this.root.classList.toggle("collapsed", this.section.collapsed);
    this.#toggle?.setAttribute("aria-expanded", String(!this.section.collapsed));
  }

  #fill(): void {
    const top = Math.min(...this.section.panels.map((p) => p.gridPos?.y ?? 0));
    this.panels = this.section.panels.map((json) => {
      const panel = new Panel(json, this.ctx);
      const { x, y, w, h } = place(json, top);
      for (const [name, value] of Object.entries({ x, y, w, h })) panel.root.style.setProperty(`--${name}`, String(value));
      panel.root.classList.toggle("small", w <= 6);
      this.#grid.append(panel.root);
      return panel;
    });
  }
}
