// Switches parts of uPlot off that this page has no use for: legends, facets (mode 2), asinh scales, date templates,
// bars, splines, and the defaults of what this page always gives (ranges, increments, log ticks). Each is a constant or an
// entry of a table in the pinned version; made constant, the minifier removes what hangs on it: 22.0 kB gzipped become
// 17.2. Every replacement must match, or the build fails: a new version of uPlot has
// to be looked at.
import { readFile } from "node:fs/promises";

const replacements = [
  ["facets", "const mode = self.mode;", "const mode = 1;"],
  ["legend", "const showLegend = legend.show;", "const showLegend = false;"],
  ["live legend", /\blegend\.live\b/g, "false"],
  ["legend of many values", "let multiValLegend = false;", "const multiValLegend = false;"],
  ["legend of many values", "multiValLegend = getMultiVals != null;", ""],
  ["asinh", /(sc\.)?distr == 4/g, "false"],
  ["asinh", "uPlot.rangeAsinh = rangeAsinh;", ""],
  ["date templates of axes", /const _timeAxisVals {3}= .*;/, "const _timeAxisVals = null;"],
  ["date templates of series", /const _timeSeriesVal {2}= .*;/, "const _timeSeriesVal = null;"],
  ["date templates of series", /isStr\(sv\) \? timeSeriesVal\(.*?\) : sv \|\|/, "sv ||"],
  ["date templates of axes", /isArr\(av\) \?[\s\S]*?av \|\| _timeAxisVals/, "av || _timeAxisVals"],
  ["milliseconds", "const ms = opts.ms || 1e-3;", "const ms = 1e-3;"],
  ["default time increments", /sc\.distr == 2 \? wholeIncrs : .*?numIncrs\)/, "numIncrs"],
  ["default ranges", /sc\.range = fnOrSelf\(rn \|\|[\s\S]*?\n\t\t\t\t\)\);/, "sc.range = fnOrSelf(rn || nullNullTuple);"],
  ["ranges by rules", "if (!rangeIsArr && isObj(rn)) {", "if (false) {"],
  ["ranges by rules", "uPlot.rangeNum = rangeNum;", ""],
  ["ranges by rules", "uPlot.rangeLog = rangeLog;", ""],
  ["default log ticks", "sc.distr == 3 ? logAxisSplits :", ""],
  ["default log labels", /axis\.filter = fnOrSelf\(axis\.filter \|\| .*;/, "axis.filter = fnOrSelf(axis.filter || retArg1);"],
  ["joining tables", "uPlot.join = join;", ""],
  ["date templates", "uPlot.fmtDate = fmtDate;", ""],
  ["time zones", /uPlot\.tzDate {2}= tzDate;/, ""],
  ["gaps of own path builders", "uPlot.addGap = addGap;", ""],
  ["gaps of own path builders", "uPlot.clipGaps = clipGaps;", ""],
  ["bars", /\(paths\.bars {4}= bars\);/, ""],
  ["splines", /\(paths\.spline {2}= monotoneCubic\);/, ""],
];

export const slimUPlot = {
  name: "slim-uplot",
  setup(build) {
    build.onLoad({ filter: /uPlot\.esm\.js$/ }, async ({ path }) => {
      let contents = await readFile(path, "utf8");
      for (const [what, find, replace] of replacements) {
        const next = contents.replace(find, replace);
        if (next === contents) throw new Error(`${path}: nothing to replace for "${what}" (${find}); compare slim.mjs with this version of uPlot`);
        contents = next;
      }
      return { contents, loader: "js" };
    });
  },
};
