// Building elements without a framework. Text always enters as text nodes.

export type Child = Node | string | null | undefined | false;

export interface Props {
  class?: string;
  title?: string;
  attrs?: Record<string, string | undefined>;
  data?: Record<string, string>;
  style?: Record<string, string | undefined>;
  on?: { [K in keyof HTMLElementEventMap]?: (event: HTMLElementEventMap[K]) => void };
}

export function el<K extends keyof HTMLElementTagNameMap>(tag: K, props: Props = {}, ...children: Child[]): HTMLElementTagNameMap[K] {
  const node = document.createElement(tag);
  if (props.class) node.className = props.class;
  if (props.title) node.title = props.title;
  for (const [name, value] of Object.entries(props.attrs ?? {})) if (value !== undefined) node.setAttribute(name, value);
  Object.assign(node.dataset, props.data);
  for (const [name, value] of Object.entries(props.style ?? {})) if (value !== undefined) node.style.setProperty(name, value);
  for (const [name, listener] of Object.entries(props.on ?? {})) node.addEventListener(name, listener as EventListener);
  append(node, ...children);
  return node;
}

export function append(node: Node, ...children: Child[]): void {
  for (const child of children) {
    if (child) node.appendChild(typeof child === "string" ? document.createTextNode(child) : child);
  }
}

/** button is a button that submits nothing; what it opens, if anything, is told by aria-haspopup. */
export function button(className: string, label: string | undefined, click: ((event: MouseEvent) => void) | undefined, ...children: Child[]): HTMLButtonElement {
  const node = el("button", { class: className, attrs: { type: "button", "aria-label": label } }, ...children);
  if (click) node.addEventListener("click", click);
  return node;
}

const svgNS = "http://www.w3.org/2000/svg";

export function svg(tag: string, attrs: Record<string, string>, ...children: Node[]): SVGElement {
  const node = document.createElementNS(svgNS, tag);
  for (const [name, value] of Object.entries(attrs)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

// Strokes on a 16 by 16 grid.
const icons = {
  info: "M8 7.2v4M8 4.8v.1M14 8A6 6 0 1 1 2 8a6 6 0 0 1 12 0",
  menu: "M2.5 4h11M2.5 8h11M2.5 12h11",
  chevron: "M6 4l4 4-4 4",
  down: "M4 6l4 4 4-4",
  refresh: "M13.5 8a5.5 5.5 0 1 1-1.7-4M13.5 2v3h-3",
  zoomOut: "M11.5 7a4.5 4.5 0 1 1-9 0 4.5 4.5 0 0 1 9 0M10.3 10.3L14 14M5 7h4",
  clock: "M14 8A6 6 0 1 1 2 8a6 6 0 0 1 12 0M8 4.5V8l2.5 1.5",
  sun: "M11 8a3 3 0 1 1-6 0 3 3 0 0 1 6 0M8 1.2v1.2M8 13.6v1.2M1.2 8h1.2M13.6 8h1.2M3.2 3.2l.8.8M12 12l.8.8M12.8 3.2l-.8.8M4 12l-.8.8",
  moon: "M13.5 9.6A6 6 0 0 1 6.4 2.5a6 6 0 1 0 7.1 7.1z",
  check: "M3 8.5l3.5 3.5L13 4.5",
  expand: "M9.5 2.5h4v4M6.5 13.5h-4v-4M13.5 2.5L9.3 6.7M2.5 13.5l4.2-4.2",
  shrink: "M13.5 6.5h-4v-4M2.5 9.5h4v4M9.5 6.5l4-4M6.5 9.5l-4 4",
  warning: "M8 2.2L14.4 13.4H1.6zM8 6.4v3.2M8 11.4v.1",
  external: "M6.5 3.5h-4v10h10v-4M9 2.5h4.5V7M13.5 2.5L7.5 8.5",
  dashboard: "M2.5 2.5h4.6v6H2.5zM8.9 2.5h4.6v3.4H8.9zM8.9 7.7h4.6v5.8H8.9zM2.5 10.3h4.6v3.2H2.5z",
} as const;

export type IconName = keyof typeof icons;

export function icon(name: IconName): SVGElement {
  return svg("svg", { viewBox: "0 0 16 16", class: `icon icon-${name}`, "aria-hidden": "true" }, svg("path", { d: icons[name] }));
}
