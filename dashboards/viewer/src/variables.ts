// Dashboard variables: what a variable's options are, which are chosen, and in which order they must load. No I/O: the
// caller passes a function that asks the store.

import { allToken, interpolate, references, type Lookup, type Value } from "./template.ts";
import type { VariableJSON } from "./model.ts";
import { parseDuration } from "./durations.ts";

export interface Option { value: string; text: string }

/** Ask runs label queries against the store. */
export interface Ask {
  labelValues(label: string, match: string | undefined): Promise<string[]>;
}

export interface Variable {
  json: VariableJSON;
  options: Option[];
  /** Chosen values; [allToken] for All. */
  chosen: string[];
  error?: string;
}

/** shown tells whether the reader may choose: hidden variables, data sources and constants are fixed. */
export function shown(variable: Variable): boolean {
  const { type, hide } = variable.json;
  return hide !== 2 && ["query", "custom", "interval"].includes(type);
}

export function isMany(json: VariableJSON): boolean {
  return json.multi === true || json.includeAll === true;
}

/** loadWaves orders variables so that each comes after those its query mentions; a wave can load at once. Variables of
 *  a cycle come last, together. */
export function loadWaves(list: VariableJSON[]): VariableJSON[][] {
  const names = new Set(list.map((v) => v.name));
  const done = new Set<string>();
  const waves: VariableJSON[][] = [];
  let rest = [...list];
  while (rest.length > 0) {
    const ready = rest.filter((v) => references(queryText(v)).every((name) => !names.has(name) || done.has(name)));
    const wave = ready.length > 0 ? ready : rest;
    waves.push(wave);
    for (const v of wave) done.add(v.name);
    rest = rest.filter((v) => !done.has(v.name));
  }
  return waves;
}

/** queryText is the query of a variable whether the file holds a text or Grafana's object form. */
export function queryText(json: VariableJSON): string {
  const { query } = json;
  if (typeof query === "string") return query;
  return query?.query ?? json.definition ?? "";
}

/** loadOptions asks for a variable's options. */
export async function loadOptions(json: VariableJSON, lookup: Lookup, ask: Ask): Promise<Option[]> {
  switch (json.type) {
    case "query": return shape(await runQuery(interpolate(queryText(json), lookup, "promql"), ask), json);
    case "custom": return customOptions(json);
    case "interval": return queryText(json).split(",").map((v) => v.trim()).filter((v) => parseDuration(v)).map(option);
    case "constant": return queryText(json) ? [option(queryText(json))] : [];
    default: return [];
  }
}

const option = (value: string): Option => ({ value, text: value });

/** customOptions reads "a, b, text : value", with "\," for a comma in a value. */
function customOptions(json: VariableJSON): Option[] {
  const query = queryText(json);
  return (query.match(/(?:\\,|[^,])+/g) ?? []).map((part) => {
    const clean = part.trim().replace(/\\,/g, ",");
    const pair = /^(.+?)\s+:\s+(.+)$/.exec(clean);
    return pair ? { text: pair[1]!, value: pair[2]! } : option(clean);
  });
}

async function runQuery(query: string, ask: Ask): Promise<string[]> {
  const labelValues = /^\s*label_values\((?:(.+),)?\s*([\w.:"]+)\s*\)\s*$/s.exec(query);
  if (!labelValues) throw new Error(`variable query "${query}" is not label_values(series, label) or label_values(label)`);
  return ask.labelValues(labelValues[2]!.replace(/"/g, ""), labelValues[1]?.trim());
}

/** shape applies the variable's regex and sorting, and drops repetitions. */
export function shape(values: string[], json: VariableJSON): Option[] {
  const found = new Map<string, Option>();
  const pattern = json.regex ? toPattern(json.regex) : undefined;
  for (const value of values) {
    const made = pattern ? extract(value, pattern) : option(value);
    if (made && !found.has(made.value)) found.set(made.value, made);
  }
  return sortOptions([...found.values()], json.sort ?? 0);
}

function toPattern(text: string): RegExp {
  const delimited = /^\/(.*)\/([a-z]*)$/s.exec(text);
  return delimited ? new RegExp(delimited[1]!, delimited[2]!.replace("g", "")) : new RegExp(`^${text}$`);
}

function extract(value: string, pattern: RegExp): Option | undefined {
  const match = pattern.exec(value);
  return match ? option(match[1] ?? match[0]) : undefined;
}

/** sortOptions follows Grafana's codes: odd ascending, even descending; 3 and 4 compare numbers, the others text. */
function sortOptions(options: Option[], code: number): Option[] {
  if (code === 0) return options;
  const numeric = code === 3 || code === 4;
  const sorted = [...options].sort((a, b) => a.text.localeCompare(b.text, undefined, { numeric }));
  return code % 2 === 0 ? sorted.reverse() : sorted;
}

/** choose picks the values in force: those of the URL as they are, else the file's where they exist, else All or the first. */
export function choose(json: VariableJSON, options: Option[], fromURL: string[] | undefined): string[] {
  if (fromURL && fromURL.length > 0) {
    const all = fromURL.some((v) => v === allToken || (json.includeAll && v === "All"));
    return all ? [allToken] : json.multi ? fromURL : [fromURL[0]!];
  }
  const current = [json.current?.value ?? []].flat().filter((v) => v !== "");
  if (json.type === "datasource") return current;
  if (json.type === "constant") return options.map((o) => o.value);
  if (json.includeAll && current.includes(allToken)) return [allToken];
  const known = current.filter((v) => options.some((o) => o.value === v));
  if (known.length > 0) return json.multi ? known : [known[0]!];
  if (json.includeAll) return [allToken];
  return options.slice(0, 1).map((o) => o.value);
}

/** valueOf is what templates see. All is the file's allValue, or every option, or ".*" where there is none yet. */
export function valueOf(variable: Variable): Value {
  const { json, options, chosen } = variable;
  const many = isMany(json);
  if (!chosen.includes(allToken)) {
    const texts = chosen.map((v) => options.find((o) => o.value === v)?.text ?? v);
    return { values: chosen, texts, many };
  }
  const values = options.map((o) => o.value);
  if (json.allValue) return { values, many, all: json.allValue };
  const every: Value = { values, many };
  const all = values.length === 0 ? ".*" : interpolate("$v", () => every, "promql");
  return { values, many, all };
}
