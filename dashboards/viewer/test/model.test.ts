import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";
import { parseInline, parseMarkdown } from "../src/markdown.ts";
import { place, sections, unsupported, type Dashboard } from "../src/model.ts";
import { knownUnit } from "../src/units.ts";

test("panels stand under their rows, closed rows carry theirs", () => {
  const dashboard: Dashboard = {
    uid: "x", title: "x",
    panels: [
      { type: "stat", title: "after", gridPos: { x: 0, y: 2, w: 4, h: 4 } },
      { type: "row", id: 1, title: "Open", gridPos: { x: 0, y: 1, w: 24, h: 1 } },
      { type: "stat", title: "top", gridPos: { x: 0, y: 0, w: 4, h: 1 } },
      { type: "row", id: 2, title: "Closed", collapsed: true, gridPos: { x: 0, y: 6, w: 24, h: 1 }, panels: [{ type: "stat", title: "inside" }] },
    ],
  };
  assert.deepEqual(sections(dashboard).map((s) => [s.title, s.collapsed, s.panels.map((p) => p.title)]), [
    [undefined, false, ["top"]], ["Open", false, ["after"]], ["Closed", true, ["inside"]],
  ]);
});

test("a panel never leaves the grid", () => {
  assert.deepEqual(place({ type: "stat", gridPos: { x: 20, y: 5, w: 12, h: 8 } }, 5), { x: 13, y: 1, w: 12, h: 8 });
  assert.deepEqual(place({ type: "stat" }, 0), { x: 1, y: 1, w: 12, h: 8 });
});

test("what cannot be drawn is named", () => {
  assert.match(unsupported({ type: "gauge" })!, /type "gauge" are not drawn here; kinds: timeseries/);
  assert.match(unsupported({ type: "stat", repeat: "job" })!, /"job"/);
  assert.match(unsupported({ type: "table", transformations: [{ id: "groupBy" }] })!, /"groupBy"/);
  assert.equal(unsupported({ type: "table", transformations: [{ id: "groupBy", disabled: true }] }), undefined);
});

// The tests are bundled into .test/, one folder below the viewer.
const emitted = new URL("../../dist/classic/", import.meta.url);

test("every emitted dashboard can be drawn", () => {
  const files = readdirSync(emitted).filter((name) => name.endsWith(".json"));
  assert.ok(files.length > 0, "no emitted dashboards found");
  for (const name of files) {
    const dashboard = JSON.parse(readFileSync(new URL(name, emitted), "utf8")) as Dashboard;
    for (const panel of sections(dashboard).flatMap((s) => s.panels)) {
      assert.equal(unsupported(panel), undefined, `${name}: ${panel.title}`);
      const overrides = (panel.fieldConfig?.overrides ?? []).flatMap((o) => o.properties).filter((p) => p.id === "unit").map((p) => String(p.value));
      for (const unit of [panel.fieldConfig?.defaults?.unit ?? "", ...overrides]) assert.ok(knownUnit(unit), `${name}: ${panel.title}: unit ${unit}`);
      for (const { matcher } of panel.fieldConfig?.overrides ?? []) {
        assert.ok(["byName", "byRegexp", "byType", "byFrameRefID", "byNames"].includes(matcher.id), `${name}: ${panel.title}: matcher ${matcher.id}`);
      }
    }
    for (const { type, name: variable } of dashboard.templating?.list ?? []) {
      assert.ok(["datasource", "query", "custom", "interval", "constant", "textbox"].includes(type), `${name}: variable ${variable} of type ${type}`);
    }
  }
});

test("markdown becomes a tree, and markup stays text", () => {
  assert.deepEqual(parseMarkdown("# A *b*\n\none\ntwo\n\n- x\n- `y`\n\n1. z\n\n```\n<b>\n```\n---"), [
    { kind: "heading", level: 1, children: [{ kind: "text", text: "A " }, { kind: "em", children: [{ kind: "text", text: "b" }] }] },
    { kind: "paragraph", children: [{ kind: "text", text: "one two" }] },
    { kind: "list", ordered: false, items: [[{ kind: "text", text: "x" }], [{ kind: "code", text: "y" }]] },
    { kind: "list", ordered: true, items: [[{ kind: "text", text: "z" }]] },
    { kind: "code", text: "<b>" },
    { kind: "rule" },
  ]);
  assert.deepEqual(parseInline("<img onerror=x>"), [{ kind: "text", text: "<img onerror=x>" }]);
  assert.deepEqual(parseInline("a_b_c [t](/d/x)").at(-1), { kind: "link", url: "/d/x", children: [{ kind: "text", text: "t" }] });
});
