// uPlot's options for a graph: one series per line, one y scale per unit, bands between stacked lines, thresholds.

import uPlot from "uplot";
import { thresholdValue } from "../fields.ts";
import { fade, mix, namedColor, palette } from "../palette.ts";
import { isolated, yRange, type Values } from "../stack.ts";
import { tickIncrements, tickText } from "../units.ts";
import { axisFont, fitAxis, gridStyle } from "./chart.ts";
import { customOf, type Line } from "./lines.ts";

export function seriesOptions(line: Line): uPlot.Series {
  const custom = customOf(line.options);
  const width = custom.lineWidth ?? 1.5;
  const opacity = (custom.fillOpacity ?? 0) / 100;
  const always = custom.showPoints === "always";
  return {
    label: line.name,
    scale: line.scale,
    show: !line.hidden,
    stroke: line.color,
    width,
    dash: custom.lineStyle?.fill === "dash" ? (custom.lineStyle.dash ?? [8, 6]) : undefined,
    fill: opacity > 0 ? fade(line.color, opacity) : undefined,
    paths: pathsOf(custom.lineInterpolation),
    spanGaps: custom.spanNulls === true,
    points: {
      show: true,
      size: Math.max(4, width * 2.5),
      fill: line.color,
      width: 0,
      // A point between two gaps has no line; without a dot it would vanish.
      filter: always ? undefined : (u, index) => isolated(u.data[index] as Values),
    },
  };
}

function pathsOf(interpolation: string | undefined): uPlot.Series.PathBuilder | undefined {
  if (interpolation === "stepBefore") return uPlot.paths.stepped?.({ align: -1 });
  if (interpolation === "stepAfter") return uPlot.paths.stepped?.({ align: 1 });
  return uPlot.paths.linear?.();
}

/** scalesOf makes one scale per unit; `reach` gives how far exemplars may stretch it. */
export function scalesOf(lines: Line[], reach: (scale: string, dataMax: number) => number): uPlot.Scales {
  const scales: uPlot.Scales = {};
  for (const name of new Set(lines.map((line) => line.scale))) {
    const own = lines.filter((line) => line.scale === name);
    const customs = own.map((line) => customOf(line.options));
    const defined = <T>(values: (T | null | undefined)[]): T | undefined => values.find((v) => v !== null && v !== undefined) ?? undefined;
    const rules = {
      min: defined(own.map((line) => line.options.min)),
      max: defined(own.map((line) => line.options.max)),
      softMin: defined(customs.map((c) => c.axisSoftMin)),
      softMax: defined(customs.map((c) => c.axisSoftMax)),
      fromZero: own.some((line) => line.stackGroup) || customs.some((c) => (c.fillOpacity ?? 0) > 0),
    };
    scales[name] = { range: (_, low, high) => yRange(low, high === null ? high : Math.max(high, reach(name, high)), rules) };
  }
  return scales;
}

/** axesOf puts the first scale left and the others right, unless the file says where. */
export function axesOf(lines: Line[]): uPlot.Axis[] {
  const scales = [...new Set(lines.map((line) => line.scale))];
  return scales.map((scale, index) => {
    const line = lines.find((one) => one.scale === scale)!;
    const { axisPlacement, stacking } = customOf(line.options);
    const right = axisPlacement === "right" || (axisPlacement !== "left" && index > 0);
    const unit = stacking?.mode === "percent" ? "percentunit" : line.unit;
    return {
      scale,
      side: right ? 1 : 3,
      show: axisPlacement !== "hidden",
      stroke: palette().muted,
      font: axisFont,
      grid: { ...gridStyle(), show: index === 0 },
      ticks: { show: false },
      gap: 6,
      space: 34,
      incrs: tickIncrements(unit),
      size: (_u, values) => fitAxis(_u, values),
      values: (_, splits) => splits.map((at) => tickText(at, unit, line.options.decimals ?? undefined)),
    };
  });
}

/** bandsOf fills each stacked line down to the one below it in its group. */
export function bandsOf(lines: Line[]): uPlot.Band[] {
  const below = new Map<string, number>();
  const bands: uPlot.Band[] = [];
  lines.forEach((line, index) => {
    if (!line.stackGroup || line.hidden) return;
    const under = below.get(line.stackGroup);
    if (under !== undefined) bands.push({ series: [index + 1, under + 1] });
    below.set(line.stackGroup, index);
  });
  return bands;
}

/** drawThresholds paints the steps as lines or areas behind the data, as the first line's options say. */
export function drawThresholds(u: uPlot, line: Line | undefined): void {
  const mode = line && customOf(line.options).thresholdsStyle?.mode;
  const steps = line?.options.thresholds?.steps ?? [];
  if (!line || !mode || mode === "off" || steps.length < 2) return;
  const { left, top, width, height } = u.bbox;
  const { ctx } = u;
  const yOf = (index: number): number => {
    const step = steps[index];
    if (!step) return top;
    const value = thresholdValue(line.options.thresholds, step.value, line.options.min ?? 0, line.options.max ?? 100);
    return value === -Infinity ? top + height : Math.min(top + height, Math.max(top, u.valToPos(value, line.scale, true)));
  };
  ctx.save();
  steps.forEach((step, index) => {
    const color = namedColor(step.color) ?? palette().muted;
    if (color === "transparent") return;
    const y = yOf(index);
    if (mode.includes("area")) {
      const end = yOf(index + 1);
      ctx.fillStyle = fade(color, 0.09);
      ctx.fillRect(left, end, width, y - end);
    }
    if ((mode.includes("line") || mode.includes("dash")) && index > 0 && y > top && y < top + height) {
      ctx.strokeStyle = mix(color, palette().panel, 0.15);
      ctx.lineWidth = devicePixelRatio;
      ctx.setLineDash(mode.includes("dash") ? [6 * devicePixelRatio, 4 * devicePixelRatio] : []);
      ctx.beginPath();
      ctx.moveTo(left, y);
      ctx.lineTo(left + width, y);
      ctx.stroke();
    }
  });
  ctx.restore();
}
