// Links out of a dashboard: Grafana's addresses become this page's, data links take values from the row or series they
// stand on, and only http(s) and relative addresses pass.

import type { Lookup } from "./template.ts";
import { interpolate } from "./template.ts";

/** LinkScope is what the variables of a data link can refer to. */
export interface LinkScope {
  lookup: Lookup;
  /** "from=…&to=…" of the shown range. */
  timeParams: string;
  /** "var-a=…&var-b=…" of all variables. */
  varParams: string;
  fields?: Record<string, string>;
  labels?: Record<string, string>;
  name?: string;
  value?: { raw: string; text: string; time?: string };
}

const special = /\$\{__([\w.]+?)(?:\.([^}:[\]]+)|\[["']([^"']+)["']\])?(?::(\w+))?\}/g;

/** linkText fills ${__…} and dashboard variables into a title or address. In an address, values are percent-encoded. */
export function linkText(text: string, scope: LinkScope, style: "text" | "url"): string {
  const encode = (value: string | undefined, format: string | undefined): string => {
    if (value === undefined) return "";
    return style === "url" && format !== "raw" ? encodeURIComponent(value) : value;
  };
  const filled = text
    .replace(/\$\{?__url_time_range\}?/g, scope.timeParams)
    .replace(/\$\{?__all_variables\}?/g, scope.varParams)
    .replace(special, (whole, path: string, key: string | undefined, quoted: string | undefined, format: string | undefined) => {
      const parts = [...path.split("."), ...(key ? key.split(".") : []), ...(quoted ? [quoted] : [])];
      const [root, second, ...rest] = parts;
      const last = quoted ?? rest.join(".");
      if (root === "data" && second === "fields") return encode(scope.fields?.[last], format);
      if (root === "field" && second === "labels") return encode(scope.labels?.[last], format);
      if ((root === "field" || root === "series") && second === "name") return encode(scope.name, format);
      if (root === "value") return encode(scope.value?.[(second === "numeric" ? "raw" : second) as "raw" | "text" | "time"], format);
      return whole;
    });
  return interpolate(filled, scope.lookup, style);
}

/** pageAddress turns "/d/<uid>/<slug>?…" into this page's "?d=<uid>&…"; undefined for an address that must not be followed. */
export function pageAddress(url: string): string | undefined {
  const dashboard = /^\/?d\/([^/?#]+)(?:\/[^?#]*)?(?:\?([^#]*))?(?:#.*)?$/.exec(url);
  if (dashboard) {
    const query = dashboard[2]?.replace(/&+/g, "&").replace(/^&|&$/g, "");
    return `?d=${encodeURIComponent(decodeURIComponent(dashboard[1]!))}${query ? `&${query}` : ""}`;
  }
  if (/^https?:\/\//i.test(url)) return url;
  if (/^[a-z][\w+.-]*:/i.test(url) || url.startsWith("//")) return undefined;
  return url;
}

/** traceAddress fills the trace id into the configured address; undefined when there is none. */
export function traceAddress(template: string, traceId: string): string | undefined {
  return template ? pageAddress(template.replaceAll("{trace_id}", encodeURIComponent(traceId))) : undefined;
}
