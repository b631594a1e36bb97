// Light or dark: the URL's choice, else the reader's stored one, else the system's.

import { usePalette } from "./palette.ts";

export type Theme = "light" | "dark";

const key = "tailgate-theme";
let theme: Theme = "dark";

/** stored reads a preference; storage may be forbidden, and the page works without it. */
export function stored(name: string): string | undefined {
  try {
    return localStorage.getItem(name) ?? undefined;
  } catch {
    return undefined;
  }
}

export function store(name: string, value: string): void {
  try {
    localStorage.setItem(name, value);
  } catch {
    // Private windows refuse; the choice then lasts as long as the page.
  }
}

export function currentTheme(): Theme {
  return theme;
}

export function applyTheme(next: Theme): void {
  theme = next;
  document.documentElement.dataset.theme = next;
  usePalette(next);
}

export function initialTheme(fromURL: Theme | undefined): Theme {
  const saved = stored(key);
  if (fromURL) return fromURL;
  if (saved === "light" || saved === "dark") return saved;
  return matchMedia("(prefers-color-scheme: light)").matches ? "light" : "dark";
}

export function toggleTheme(): void {
  applyTheme(theme === "dark" ? "light" : "dark");
  store(key, theme);
}
