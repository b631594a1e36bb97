// Substitution of dashboard variables in queries, titles and links: $name, ${name}, ${name:format}, [[name]]. The value
// of a multi-value variable becomes a regular expression, escaped twice because it lands inside a PromQL string.

/** Value is a variable's current choice. `many` says that it may hold several values, which PromQL matches by =~. */
export interface Value {
  values: string[];
  texts?: string[];
  many: boolean;
  /** Set when "All" is chosen: the pattern that stands for everything, taken verbatim. */
  all?: string;
}

export type Lookup = (name: string) => Value | string | undefined;

const reference = /\$(\w+)|\[\[(\w+)(?::(\w+))?\]\]|\$\{(\w+)(?::(\w+))?\}/g;

export type Style = "promql" | "text" | "url";

/** interpolate replaces each known variable; an unknown one stays as it is, so that the error it causes names it. */
export function interpolate(text: string, lookup: Lookup, style: Style): string {
  return text.replace(reference, (whole, plain, square, squareFormat, braced, bracedFormat) => {
    const name: string = plain ?? square ?? braced;
    const value = lookup(name);
    if (value === undefined) return whole;
    const format: string | undefined = squareFormat ?? bracedFormat;
    if (typeof value === "string") return format === "queryparam" || style === "url" ? encodeURIComponent(value) : value;
    return format ? formatAs(format, name, value) : defaultFormat(value, style);
  });
}

/** references lists the variable names that a text mentions. */
export function references(text: string): string[] {
  return [...text.matchAll(reference)].map((match) => match[1] ?? match[2] ?? match[4]!);
}

/** escapeRegex escapes a literal for RE2. */
export function escapeRegex(literal: string): string {
  return literal.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
}

/** escapeInString escapes a literal for a regular expression inside a double-quoted PromQL string. */
function escapeRegexInString(literal: string): string {
  return escapeRegex(literal).replace(/\\/g, "\\\\").replace(/"/g, '\\"');
}

function escapeString(literal: string): string {
  return literal.replace(/\\/g, "\\\\").replace(/"/g, '\\"');
}

function alternatives(values: string[], escape: (literal: string) => string): string {
  return values.length === 1 ? escape(values[0]!) : `(${values.map(escape).join("|")})`;
}

function defaultFormat(value: Value, style: Style): string {
  if (style === "text") return value.all !== undefined ? "All" : (value.texts ?? value.values).join(" + ");
  if (style === "url") return value.values.map(encodeURIComponent).join(",");
  if (value.all !== undefined) return value.all;
  if (!value.many) return escapeString(value.values[0] ?? "");
  return value.values.length === 0 ? "" : alternatives(value.values, escapeRegexInString);
}

function formatAs(format: string, name: string, value: Value): string {
  const { values } = value;
  switch (format) {
    case "regex": return value.all ?? alternatives(values, escapeRegex);
    case "pipe": return value.all ?? values.join("|");
    case "csv": case "raw": return value.all ?? values.join(",");
    case "text": return value.all !== undefined ? "All" : (value.texts ?? values).join(" + ");
    case "percentencode": return encodeURIComponent(values.length > 1 ? `{${values.join(",")}}` : values.join(""));
    case "queryparam": return queryParam(name, value);
    default: return values.join(",");
  }
}

/** queryParam writes "var-name=a&var-name=b", with Grafana's name for All. */
export function queryParam(name: string, value: Value): string {
  const values = value.all !== undefined ? [allToken] : value.values;
  return values.map((v) => `var-${encodeURIComponent(name)}=${encodeURIComponent(v)}`).join("&");
}

/** allToken is how Grafana stores the choice "All" in a file and in a URL. */
export const allToken = "$__all";
