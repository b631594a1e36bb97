import assert from "node:assert/strict";
import { test } from "node:test";
import type { VariableJSON } from "../src/model.ts";
import { choose, loadOptions, loadWaves, shape, valueOf, type Ask } from "../src/variables.ts";

const query = (name: string, text: VariableJSON["query"], more: Partial<VariableJSON> = {}): VariableJSON => ({ type: "query", name, query: text, ...more });

function recorder(answer: string[]): { ask: Ask; asked: string[] } {
  const asked: string[] = [];
  return {
    asked,
    ask: {
      labelValues: async (label, match) => { asked.push(`values ${label} of ${match}`); return answer; },
    },
  };
}

test("label queries are read in text and object form", async () => {
  const { ask, asked } = recorder(["b", "a", "b"]);
  const lookup = (): { values: string[]; many: boolean } => ({ values: ["g"], many: true });
  const forms: VariableJSON["query"][] = [
    "label_values(up, instance)",
    { query: 'label_values(up{job=~"$job", a="x,y"}, instance)', refId: "A" },
    "label_values(instance)",
  ];
  const options = [];
  for (const form of forms) options.push(await loadOptions(query("v", form), lookup, ask));
  assert.deepEqual(asked, [
    "values instance of up", 'values instance of up{job=~"g", a="x,y"}', "values instance of undefined",
  ]);
  assert.deepEqual(options[0], [{ value: "b", text: "b" }, { value: "a", text: "a" }]);
});

test("a query that is no label query is named", async () => {
  await assert.rejects(loadOptions(query("v", "label_names(up)"), () => undefined, recorder([]).ask), /"label_names\(up\)" is not label_values\(series, label\)/);
});

test("custom options may carry texts and commas", async () => {
  const json: VariableJSON = { type: "custom", name: "c", query: "one, Two : 2, a\\,b" };
  assert.deepEqual(await loadOptions(json, () => undefined, recorder([]).ask), [
    { text: "one", value: "one" }, { text: "Two", value: "2" }, { text: "a,b", value: "a,b" },
  ]);
});

test("regex and sorting shape the options", () => {
  const values = ["pod-10", "pod-9", "other", "Pod-1"];
  assert.deepEqual(shape(values, query("v", "", { regex: "/pod-(\\d+)/", sort: 3 })).map((o) => o.value), ["9", "10"]);
  assert.deepEqual(shape(values, query("v", "", { sort: 2 })).map((o) => o.value), ["pod-9", "pod-10", "Pod-1", "other"]);
});

test("variables load after those they mention", () => {
  const list = [query("c", "label_values(m{b=~\"$b\"}, c)"), query("b", "label_values(m{a=~\"$a\"}, b)"), query("a", "label_values(a)"), query("x", "label_values(x)")];
  assert.deepEqual(loadWaves(list).map((wave) => wave.map((v) => v.name)), [["a", "x"], ["b"], ["c"]]);
  const cycle = [query("a", "label_values($b, x)"), query("b", "label_values($a, x)")];
  assert.deepEqual(loadWaves(cycle).map((wave) => wave.length), [2]);
});

test("what is chosen", () => {
  const options = ["a", "b"].map((value) => ({ value, text: value }));
  const json = (more: Partial<VariableJSON>): VariableJSON => query("v", "", more);
  const all = { multi: true, includeAll: true };
  assert.deepEqual(choose(json(all), options, ["b", "gone"]), ["b", "gone"], "the address wins, even without data yet");
  assert.deepEqual(choose(json(all), options, ["$__all"]), ["$__all"]);
  assert.deepEqual(choose(json(all), options, ["All"]), ["$__all"]);
  assert.deepEqual(choose(json({}), options, ["a", "b"]), ["a"]);
  assert.deepEqual(choose(json({ current: { value: "b" } }), options, undefined), ["b"]);
  assert.deepEqual(choose(json({ current: { value: "gone" } }), options, undefined), ["a"]);
  assert.deepEqual(choose(json({ ...all, current: { value: ["gone"] } }), options, undefined), ["$__all"]);
  assert.deepEqual(choose(json({}), [], undefined), []);
});

test("All stands for allValue, for every option, or for anything", () => {
  const options = [{ value: "a.b", text: "a.b" }, { value: "c", text: "c" }];
  const of = (more: Partial<VariableJSON>, list = options): string | undefined => valueOf({ json: query("v", "", { multi: true, includeAll: true, ...more }), options: list, chosen: ["$__all"] }).all;
  assert.equal(of({ allValue: ".+" }), ".+");
  assert.equal(of({ allValue: null }), "(a\\\\.b|c)");
  assert.equal(of({}, []), ".*");
});
