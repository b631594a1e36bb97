import assert from "node:assert/strict";
import { test } from "node:test";
import { interpolate, queryParam, references, type Value } from "../src/template.ts";

const values: Record<string, Value | string> = {
  job: { values: ["gateway"], many: false },
  quote: { values: ['say "hi"'], many: false },
  route: { values: ["/api/{id}", "/static/*"], many: true },
  single: { values: ["/api/{id}"], many: true },
  all: { values: ["a", "b"], many: true, all: ".*" },
  none: { values: [], many: true },
  __interval: "15s",
};
const lookup = (name: string): Value | string | undefined => values[name];

const table: [template: string, style: "promql" | "text" | "url", want: string][] = [
  ['up{job="$job"}', "promql", 'up{job="gateway"}'],
  ['up{job="${job}"}', "promql", 'up{job="gateway"}'],
  ['up{job="[[job]]"}', "promql", 'up{job="gateway"}'],
  ['x{a="$quote"}', "promql", 'x{a="say \\"hi\\""}'],
  ['x{r=~"$route"}', "promql", 'x{r=~"(/api/\\\\{id\\\\}|/static/\\\\*)"}'],
  ['x{r=~"$single"}', "promql", 'x{r=~"/api/\\\\{id\\\\}"}'],
  ["x{r=~`${route:regex}`}", "promql", "x{r=~`(/api/\\{id\\}|/static/\\*)`}"],
  ["${route:pipe}", "promql", "/api/{id}|/static/*"],
  ["${route:csv}", "promql", "/api/{id},/static/*"],
  ['x{a=~"$all"}', "promql", 'x{a=~".*"}'],
  ['x{a=~"$none"}', "promql", 'x{a=~""}'],
  ["rate(x[$__interval])", "promql", "rate(x[15s])"],
  ["$unknown and $job", "promql", "$unknown and gateway"],
  ["costs $5", "text", "costs $5"],
  ["$route", "text", "/api/{id} + /static/*"],
  ["$all", "text", "All"],
  ["?q=$route", "url", "?q=%2Fapi%2F%7Bid%7D,%2Fstatic%2F*"],
  ["?${route:queryparam}", "url", "?var-route=%2Fapi%2F%7Bid%7D&var-route=%2Fstatic%2F*"],
  ["?${all:queryparam}", "url", "?var-all=%24__all"],
];

test("variables are substituted", () => {
  for (const [template, style, want] of table) assert.equal(interpolate(template, lookup, style), want, template);
});

test("a value cannot leave its PromQL string", () => {
  const hostile: Value = { values: ['x"} or up{a="', "b"], many: true };
  const got = interpolate('m{a=~"$v"}', () => hostile, "promql");
  assert.equal(got.replace(/\\./g, "").split('"').length, 3);
});

test("references are found in every notation", () => {
  assert.deepEqual(references('m{a="$a", b=~"${b:regex}", c="[[c]]"}'), ["a", "b", "c"]);
});

test("All keeps Grafana's name in a link", () => {
  assert.equal(queryParam("a", values.all as Value), "var-a=%24__all");
});
