// The chooser of a variable's value: a button with a filterable list below. Several values are applied together when
// the list closes, so that ticking five boxes asks the store once.

import { button, el, icon } from "./dom.ts";
import { closePopover, openPopover } from "./popover.ts";
import { allToken } from "./template.ts";
import type { Option } from "./variables.ts";

export interface SelectOptions {
  label: string;
  options: Option[];
  chosen: string[];
  multi: boolean;
  includeAll: boolean;
  error?: string;
  apply(values: string[]): void;
}

// A list of thousands of instances is searched, not scrolled.
const maxListed = 200;

export function select(options: SelectOptions): HTMLElement {
  const text = chosenText(options);
  const opener = button(`select${options.error ? " failed" : ""}`, `${options.label}: ${text}`, () => new OptionList(options).open(opener),
    el("span", { class: "select-label" }, options.label), el("span", { class: "select-value" }, text), icon("down"));
  opener.title = options.error ?? "";
  opener.setAttribute("aria-haspopup", "listbox");
  return opener;
}

function chosenText({ chosen, options }: SelectOptions): string {
  if (chosen.includes(allToken)) return "All";
  if (chosen.length === 0) return "none";
  const texts = chosen.map((value) => options.find((o) => o.value === value)?.text ?? value);
  return texts.length <= 3 ? texts.join(", ") : `${texts.slice(0, 2).join(", ")} +${texts.length - 2}`;
}

class OptionList {
  readonly #chosen: Set<string>;
  readonly #search = el("input", { class: "select-search", attrs: { type: "search", placeholder: "Filter", "aria-label": "Filter values", autocomplete: "off" } });
  readonly #list = el("ul", { class: "select-list", attrs: { role: "listbox" } });
  #active = 0;

  constructor(private readonly select: SelectOptions) {
    this.#chosen = new Set(select.chosen);
    if (select.multi) this.#list.setAttribute("aria-multiselectable", "true");
    this.#search.addEventListener("input", () => { this.#active = 0; this.#draw(); });
    this.#search.addEventListener("keydown", (event) => this.#key(event));
  }

  open(anchor: HTMLElement): void {
    const before = [...this.#chosen].join("\n");
    this.#active = Math.max(0, this.#matching().findIndex((o) => this.#chosen.has(o.value)));
    this.#draw();
    const onClose = (): void => {
      if ([...this.#chosen].join("\n") !== before) this.select.apply([...this.#chosen]);
    };
    openPopover(anchor, [this.#search, this.#list], { class: "select-box", onClose });
    if (this.#search.isConnected) this.#search.focus();
  }

  #matching(): Option[] {
    const { options, includeAll, chosen } = this.select;
    const unknown = chosen.filter((v) => v !== allToken && !options.some((o) => o.value === v)).map((value) => ({ value, text: value }));
    const all = includeAll ? [{ value: allToken, text: "All" }] : [];
    const needle = this.#search.value.trim().toLowerCase();
    return [...all, ...options, ...unknown].filter((o) => o.text.toLowerCase().includes(needle));
  }

  #draw(): void {
    const found = this.#matching();
    const rows = found.slice(0, maxListed).map((option, index) => {
      const on = this.#chosen.has(option.value);
      return el("li", {
        class: `option${index === this.#active ? " active" : ""}`,
        attrs: { role: "option", "aria-selected": String(on) },
        data: { value: option.value },
        on: { click: () => this.#choose(option.value) },
      }, this.select.multi ? el("span", { class: `box${on ? " on" : ""}` }, on && icon("check")) : null,
        el("span", { class: "option-text" }, option.text || "(empty)"), !this.select.multi && on && icon("check"));
    });
    this.#list.replaceChildren(...rows);
    const note = found.length === 0 ? "nothing matches" : found.length > maxListed ? `${found.length - maxListed} more; filter to see them` : "";
    if (note) this.#list.append(el("li", { class: "option-note" }, note));
    this.#list.querySelector(".active")?.scrollIntoView({ block: "nearest" });
  }

  #key(event: KeyboardEvent): void {
    const found = this.#matching();
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      event.preventDefault();
      this.#active = Math.min(Math.max(0, this.#active + step), Math.min(found.length, maxListed) - 1);
      this.#draw();
    }
    const option = found[this.#active];
    if (event.key === "Enter" && option) this.#choose(option.value);
  }

  #choose(value: string): void {
    if (!this.select.multi) {
      this.#chosen.clear();
      this.#chosen.add(value);
      return closePopover();
    }
    if (value === allToken) {
      this.#chosen.clear();
      this.#chosen.add(allToken);
    } else {
      this.#chosen.delete(allToken);
      if (!this.#chosen.delete(value)) this.#chosen.add(value);
    }
    if (this.#chosen.size === 0 && this.select.includeAll) this.#chosen.add(allToken);
    this.#draw();
  }
}
