import assert from "node:assert/strict";
import { test } from "node:test";
import { linkText, pageAddress, traceAddress, type LinkScope } from "../src/links.ts";
import { formatRoute, parseRoute } from "../src/router.ts";

test("an address survives a round trip", () => {
  const search = "?d=gw&from=now-15m&to=now&refresh=5s&var-job=a&var-route=%2Fapi%2F%7Bid%7D&var-route=%2Fb&viewPanel=7&theme=light";
  const route = parseRoute(search);
  assert.deepEqual(route, {
    uid: "gw", from: "now-15m", to: "now", refresh: "5s", viewPanel: 7, theme: "light", vars: { job: ["a"], route: ["/api/{id}", "/b"] },
  });
  assert.deepEqual(parseRoute(formatRoute(route)), route);
});

test("refresh off is not the same as not said", () => {
  assert.equal(parseRoute("?refresh=").refresh, "");
  assert.equal(parseRoute("?d=x").refresh, undefined);
  assert.equal(parseRoute("?theme=pink&viewPanel=-1").theme, undefined);
});

const scope: LinkScope = {
  lookup: (name) => (name === "job" ? { values: ["a b"], many: true } : name === "datasource" ? { values: [], many: false } : undefined),
  timeParams: "from=now-1h&to=now",
  varParams: "var-job=a%20b",
  fields: { Route: "/api/{id}", "a b": "x" },
  labels: { code: "503" },
  name: "errors",
  value: { raw: "0.5", text: "500 ms" },
};

test("data links take values from the row", () => {
  const table: [string, string][] = [
    ['/d/gw?var-route=${__data.fields["Route"]:percentencode}&${__url_time_range}', "/d/gw?var-route=%2Fapi%2F%7Bid%7D&from=now-1h&to=now"],
    ["/d/gw?var-route=${__data.fields.Route}", "/d/gw?var-route=%2Fapi%2F%7Bid%7D"],
    ["?x=${__data.fields['a b']}", "?x=x"],
    ["?x=${__data.fields.Nothing}", "?x="],
    ["?c=${__field.labels.code}&n=${__field.name}", "?c=503&n=errors"],
    ["?v=${__value.raw}&t=${__value.text}", "?v=0.5&t=500%20ms"],
    ["?${__all_variables}", "?var-job=a%20b"],
    ["?${job:queryparam}", "?var-job=a%20b"],
  ];
  for (const [template, want] of table) assert.equal(linkText(template, scope, "url"), want);
});

test("Grafana's addresses become the page's, and dangerous ones nothing", () => {
  const table: [string, string | undefined][] = [
    ["/d/gw", "?d=gw"],
    ["/d/gw/gateway-overview?var-a=1&from=now-1h", "?d=gw&var-a=1&from=now-1h"],
    [linkText("/d/gw?${datasource:queryparam}&${job:queryparam}", scope, "url"), "?d=gw&var-job=a%20b"],
    ["https://example.org/x", "https://example.org/x"],
    ["javascript:alert(1)", undefined],
    ["JavaScript:alert(1)", undefined],
    ["data:text/html,x", undefined],
    ["//evil.example", undefined],
    ["?d=x", "?d=x"],
  ];
  for (const [url, want] of table) assert.equal(pageAddress(url), want, url);
});

test("a trace id is put into its address", () => {
  assert.equal(traceAddress("http://tempo/trace/{trace_id}?x={trace_id}", "ab"), "http://tempo/trace/ab?x=ab");
  assert.equal(traceAddress("", "ab"), undefined);
});
