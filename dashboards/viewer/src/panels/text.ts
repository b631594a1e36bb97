// Text panels and descriptions: Markdown as elements, never as HTML text.

import { el } from "../dom.ts";
import { pageAddress } from "../links.ts";
import { parseMarkdown, type Block, type Inline } from "../markdown.ts";

export function renderMarkdown(source: string): HTMLElement {
  return el("div", { class: "markdown" }, ...parseMarkdown(source).map(renderBlock));
}

function renderBlock(block: Block): HTMLElement {
  switch (block.kind) {
    // The page's own headings come first, so a panel's start at the third level.
    case "heading": return el(`h${Math.min(6, block.level + 2)}` as "h3", {}, ...renderInline(block.children));
    case "paragraph": return el("p", {}, ...renderInline(block.children));
    case "list": return el(block.ordered ? "ol" : "ul", {}, ...block.items.map((item) => el("li", {}, ...renderInline(item))));
    case "code": return el("pre", {}, el("code", {}, block.text));
    case "rule": return el("hr");
  }
}

function renderInline(parts: Inline[]): Node[] {
  return parts.map((part) => {
    switch (part.kind) {
      case "text": return document.createTextNode(part.text);
      case "code": return el("code", {}, part.text);
      case "strong": case "em": return el(part.kind, {}, ...renderInline(part.children));
      case "link": {
        const href = pageAddress(part.url);
        const external = href && /^https?:/.test(href) ? { target: "_blank", rel: "noopener" } : {};
        return href ? el("a", { attrs: { href, ...external } }, ...renderInline(part.children)) : el("span", {}, ...renderInline(part.children));
      }
    }
  });
}
