// Field configuration: the defaults of a panel with its overrides applied to one field, thresholds, and value mappings.

import type { DataLink, FieldConfig, FieldDefaults, FieldOverride, Thresholds, ValueMapping } from "./model.ts";
import type { Labels } from "./api.ts";
import { formatValue } from "./units.ts";

/** FieldRef is what overrides match against. */
export interface FieldRef {
  name: string;
  displayName?: string;
  refId?: string;
  type: "time" | "number" | "string";
  labels?: Labels;
}

export interface FieldOptions extends FieldDefaults { custom: Record<string, unknown> }

export function resolveField(config: FieldConfig | undefined, field: FieldRef): FieldOptions {
  const resolved: FieldOptions = { ...config?.defaults, custom: { ...config?.defaults?.custom } };
  for (const override of config?.overrides ?? []) {
    if (!matches(override.matcher, field)) continue;
    for (const { id, value } of override.properties) setProperty(resolved, id, value);
  }
  if (resolved.displayName) resolved.displayName = fieldText(resolved.displayName, field);
  return resolved;
}

function matches(matcher: FieldOverride["matcher"], field: FieldRef): boolean {
  const { id, options } = matcher;
  const names = [field.name, field.displayName];
  switch (id) {
    case "byName": return typeof options === "string" && names.includes(options);
    case "byRegexp": return typeof options === "string" && names.some((name) => name !== undefined && toRegExp(options).test(name));
    case "byType": return options === field.type;
    case "byFrameRefID": return options === field.refId;
    default: return false;
  }
}

export function toRegExp(text: string): RegExp {
  const delimited = /^\/(.*)\/([a-z]*)$/s.exec(text);
  return delimited ? new RegExp(delimited[1]!, delimited[2]) : new RegExp(text);
}

function setProperty(target: FieldOptions, id: string, value: unknown): void {
  const path = id.split(".");
  let at = target as unknown as Record<string, unknown>;
  for (const key of path.slice(0, -1)) {
    const inner = at[key];
    at[key] = inner !== null && typeof inner === "object" ? { ...inner } : {};
    at = at[key] as Record<string, unknown>;
  }
  at[path.at(-1)!] = value;
}

/** fieldText fills ${__field.name}, ${__field.labels.x} and ${__series.name}. */
export function fieldText(text: string, field: FieldRef): string {
  return text
    .replace(/\$\{__field\.labels\.([\w.]+)\}/g, (_, label: string) => field.labels?.[label] ?? "")
    .replace(/\$\{__(?:field|series)\.name\}/g, field.name);
}

/** thresholdColor names the colour of the highest step at or below the value; undefined when there is no step. */
export function thresholdColor(thresholds: Thresholds | undefined, value: number | null, min = 0, max = 100): string | undefined {
  const steps = thresholds?.steps ?? [];
  let color = steps[0]?.color;
  if (value === null) return color;
  for (const step of steps.slice(1)) {
    if (value >= thresholdValue(thresholds, step.value, min, max)) color = step.color;
  }
  return color;
}

/** thresholdValue turns a step into the field's own unit; percentages are of the range min to max. */
export function thresholdValue(thresholds: Thresholds | undefined, value: number | null | undefined, min: number, max: number): number {
  if (value === null || value === undefined) return -Infinity;
  return thresholds?.mode === "percentage" ? min + ((max - min) * value) / 100 : value;
}

export interface Mapped { text?: string; color?: string }

/** mapValue applies value mappings; the first that matches wins. */
export function mapValue(mappings: ValueMapping[] | undefined, value: number | string | null): Mapped | undefined {
  for (const { type, options } of mappings ?? []) {
    if (type === "value") {
      const found = options[String(value)] as Mapped | undefined;
      if (found) return found;
    } else if (type === "range" && typeof value === "number") {
      const { from, to, result } = options as { from?: number | null; to?: number | null; result?: Mapped };
      if (value >= (from ?? -Infinity) && value <= (to ?? Infinity)) return result;
    } else if (type === "special") {
      const { match, result } = options as { match?: string; result?: Mapped };
      const isNull = value === null || value === "";
      if ((isNull && /null|nan|empty/.test(match ?? "")) || String(value) === match) return result;
    }
  }
  return undefined;
}

/** Display is a formatted value; the unit stands apart because large numbers show it smaller. */
export interface Display { text: string; suffix: string; color?: string }

/** display formats a value by mapping or unit, and gives the colour that a mapping or the thresholds ask for. */
export function display(options: FieldOptions, value: number | null): Display {
  const mapped = mapValue(options.mappings, value);
  const color = mapped?.color ?? thresholdColor(options.thresholds, value, options.min ?? 0, options.max ?? 100);
  if (mapped?.text) return { text: mapped.text, suffix: "", color };
  if (value === null) return { text: options.noValue ?? "–", suffix: "", color };
  return { ...formatValue(value, options.unit, options.decimals ?? undefined), color };
}

/** displayText is a value with its unit. */
export function displayText(options: FieldOptions, value: number | null): string {
  const { text, suffix } = display(options, value);
  return text + suffix;
}

export function linksOf(options: FieldOptions): DataLink[] {
  return (options.links ?? []).filter((link) => link.url);
}
