// The line below the title: variables to choose and links to follow.

import { el, icon, type Child } from "./dom.ts";
import { linkText, pageAddress, type LinkScope } from "./links.ts";
import type { Dashboard, DashboardLink, DashboardSummary } from "./model.ts";
import { select } from "./select.ts";
import { shown, type Variable } from "./variables.ts";

export function drawToolbar(root: HTMLElement, variables: readonly Variable[], links: Child[], apply: (name: string, values: string[]) => void): void {
  const choosers = variables.filter(shown).map((variable) => chooser(variable, (values) => apply(variable.json.name, values)));
  root.replaceChildren(el("div", { class: "variables" }, ...choosers), el("nav", { class: "links", attrs: { "aria-label": "Related" } }, ...links));
  root.hidden = choosers.length === 0 && links.length === 0;
}

function chooser(variable: Variable, apply: (values: string[]) => void): HTMLElement {
  const { json, options, chosen, error } = variable;
  const label = json.hide === 1 ? "" : json.label || json.name;
  return select({ label, options, chosen, error, multi: json.multi === true, includeAll: json.includeAll === true, apply });
}

/** dashboardLinks draws a dashboard's links; those by tag become one link for each dashboard that has all the tags. */
export function dashboardLinks(dashboard: Dashboard, known: DashboardSummary[], scope: LinkScope): Child[] {
  return (dashboard.links ?? []).flatMap((link): Child[] => {
    if (link.type !== "dashboards") return [anchor(link.title || link.url || "", link.url ?? "", link, scope)];
    const tags = link.tags ?? [];
    return known
      .filter(({ uid, tags: own }) => uid !== dashboard.uid && tags.every((tag) => own?.includes(tag)))
      .map(({ uid, title, description }) => anchor(title, `/d/${uid}`, { ...link, tooltip: description ?? "" }, scope));
  });
}

function anchor(title: string, url: string, link: DashboardLink, scope: LinkScope): Child {
  const carried = [link.keepTime && scope.timeParams, link.includeVars && scope.varParams].filter(Boolean).join("&");
  const full = carried ? url + (url.includes("?") ? "&" : "?") + carried : url;
  const href = pageAddress(linkText(full, scope, "url"));
  if (!href) return null;
  const external = link.targetBlank || /^https?:/.test(href);
  return el("a", { class: "chip", title: link.tooltip, attrs: { href, ...(external ? { target: "_blank", rel: "noopener" } : {}) } },
    icon(external ? "external" : "dashboard"), linkText(title, scope, "text"));
}
