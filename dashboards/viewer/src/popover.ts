// One floating box at a time below its button, closed by Escape or a click elsewhere, and the hover tooltip, of which
// there is also one. Both are kept inside the window.

import { append, el, type Child } from "./dom.ts";

interface Open { box: HTMLElement; anchor: HTMLElement; onClose?: () => void }

let open: Open | undefined;

/** openPopover shows content at the anchor; opening the same anchor again closes it. Returns the close function. */
export function openPopover(anchor: HTMLElement, content: Child[], options: { class?: string; onClose?: () => void } = {}): () => void {
  const again = open?.anchor === anchor;
  closePopover();
  if (again) return () => undefined;
  const box = el("div", { class: `popover ${options.class ?? ""}`, attrs: { role: "dialog" } }, ...content);
  document.body.append(box);
  anchor.setAttribute("aria-expanded", "true");
  open = { box, anchor, onClose: options.onClose };
  place(box, anchor);
  hideTooltip();
  return closePopover;
}

export function closePopover(): void {
  if (!open) return;
  const { box, anchor, onClose } = open;
  open = undefined;
  const hadFocus = box.contains(document.activeElement);
  box.remove();
  anchor.setAttribute("aria-expanded", "false");
  if (hadFocus && anchor.isConnected) anchor.focus();
  onClose?.();
}

function place(box: HTMLElement, anchor: HTMLElement): void {
  const at = anchor.getBoundingClientRect();
  const { offsetWidth: width, offsetHeight: height } = box;
  const left = at.left + width > innerWidth - 8 ? at.right - width : at.left;
  const below = at.bottom + 6;
  const top = below + height > innerHeight - 8 && at.top - height - 6 > 8 ? at.top - height - 6 : below;
  box.style.left = `${Math.max(8, left)}px`;
  box.style.top = `${top}px`;
  box.style.maxHeight = `${innerHeight - Math.max(8, top) - 8}px`;
}

export function watchPopovers(): void {
  document.addEventListener("pointerdown", (event) => {
    const target = event.target as Node;
    if (open && !open.box.contains(target) && !open.anchor.contains(target)) closePopover();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !open) return;
    event.stopImmediatePropagation();
    closePopover();
  }, true);
  addEventListener("resize", closePopover);
}

let tooltip: HTMLElement | undefined;

/** showTooltip puts content beside a point of the window. */
export function showTooltip(x: number, y: number, content: Child[]): void {
  tooltip ??= el("div", { class: "tooltip", attrs: { role: "tooltip" } });
  tooltip.replaceChildren();
  append(tooltip, ...content);
  if (!tooltip.isConnected) document.body.append(tooltip);
  const { offsetWidth: width, offsetHeight: height } = tooltip;
  const left = x + 16 + width > innerWidth - 8 ? x - 16 - width : x + 16;
  const top = Math.min(Math.max(8, y + 12), innerHeight - height - 8);
  tooltip.style.transform = `translate(${Math.max(8, Math.round(left))}px, ${Math.max(8, Math.round(top))}px)`;
}

export function hideTooltip(): void {
  tooltip?.remove();
}
