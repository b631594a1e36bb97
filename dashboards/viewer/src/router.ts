// The address of a view: which dashboard, which time, which variables. Everything that a reader would want to share is
// in the query string, so that a static file server suffices; nothing else is.

export interface Route {
  uid?: string;
  from?: string;
  to?: string;
  /** "" is "off"; undefined leaves it to the dashboard. */
  refresh?: string;
  viewPanel?: number;
  theme?: "light" | "dark";
  vars: Record<string, string[]>;
}

export function parseRoute(search: string): Route {
  const params = new URLSearchParams(search);
  const route: Route = { vars: {} };
  const text = (name: string): string | undefined => params.get(name) ?? undefined;
  route.uid = text("d") || undefined;
  route.from = text("from") || undefined;
  route.to = text("to") || undefined;
  route.refresh = text("refresh");
  const panel = Number(text("viewPanel")?.replace(/^panel-/, ""));
  if (Number.isInteger(panel) && panel > 0) route.viewPanel = panel;
  const theme = text("theme");
  if (theme === "light" || theme === "dark") route.theme = theme;
  for (const [key, value] of params) {
    if (key.startsWith("var-")) (route.vars[key.slice(4)] ??= []).push(value);
  }
  return route;
}

export function formatRoute(route: Route): string {
  const params = new URLSearchParams();
  if (route.uid) params.set("d", route.uid);
  if (route.from) params.set("from", route.from);
  if (route.to) params.set("to", route.to);
  if (route.refresh !== undefined) params.set("refresh", route.refresh);
  for (const [name, values] of Object.entries(route.vars)) {
    for (const value of values) params.append(`var-${name}`, value);
  }
  if (route.viewPanel) params.set("viewPanel", String(route.viewPanel));
  if (route.theme) params.set("theme", route.theme);
  return `?${params}`;
}
