// From query results and field configuration to what a graph draws: named, coloured lines on scales. Colours stay with
// a name for the life of the panel, so that a series which comes or goes does not recolour the others.

import type { PanelJSON } from "../model.ts";
import type { Series } from "../series.ts";
import { resolveField, thresholdColor, type FieldOptions } from "../fields.ts";
import { namedColor, seriesColor } from "../palette.ts";
import { calcFor } from "../reduce.ts";
import type { LegendItem } from "./legend.ts";

export interface Line extends LegendItem {
  refId: string;
  scale: string;
  unit: string;
  stackGroup?: string;
}

export interface Custom {
  lineInterpolation?: string;
  lineWidth?: number;
  lineStyle?: { fill?: string; dash?: number[] };
  fillOpacity?: number;
  spanNulls?: boolean | number;
  showPoints?: string;
  stacking?: { mode?: string; group?: string };
  axisPlacement?: string;
  axisSoftMin?: number;
  axisSoftMax?: number;
  thresholdsStyle?: { mode?: string };
  hideFrom?: { viz?: boolean; legend?: boolean; tooltip?: boolean };
}

/** customOf reads the panel kind's own options, whose types are the file's word. */
export function customOf(options: FieldOptions): Custom {
  return options.custom as Custom;
}

/** ColorBook hands out palette colours by name, first come first served. */
export class ColorBook {
  readonly #given = new Map<string, number>();

  index(name: string): number {
    const held = this.#given.get(name);
    if (held !== undefined) return held;
    this.#given.set(name, this.#given.size);
    return this.#given.size - 1;
  }
}

/** colorOf follows the field's colour mode; the palette is the default. */
export function colorOf(options: FieldOptions, name: string, values: (number | null)[], book: ColorBook): string {
  const { mode = "palette-classic", fixedColor } = options.color ?? {};
  const fallback = seriesColor(book.index(name));
  if (mode === "fixed" || mode === "shades") return namedColor(fixedColor) ?? fallback;
  if (mode !== "thresholds") return fallback;
  const last = calcFor("lastNotNull").calc(values);
  return namedColor(thresholdColor(options.thresholds, last, options.min ?? 0, options.max ?? 100)) ?? fallback;
}

export function buildLines(panel: PanelJSON, series: Series[], hidden: ReadonlySet<string>, book: ColorBook): Line[] {
  return series.map((one) => {
    const options = resolveField(panel.fieldConfig, { name: one.name, refId: one.refId, type: "number", labels: one.labels });
    const custom = customOf(options);
    const name = options.displayName || one.name;
    const finite = one.values.map((v) => (v !== null && Number.isFinite(v) ? v : null));
    const { mode, group } = custom.stacking ?? {};
    const unit = options.unit ?? "";
    return {
      name, values: finite, options, unit, refId: one.refId,
      color: colorOf(options, name, one.values, book),
      hidden: hidden.has(name) || custom.hideFrom?.viz === true,
      scale: `y ${unit} ${custom.axisPlacement ?? ""}`,
      stackGroup: mode === "normal" || mode === "percent" ? `${mode} ${group ?? ""} ${unit}` : undefined,
    };
  });
}

/** shapeOf is what must be equal between two refreshes for a chart to take new data without being built again. */
export function shapeOf(lines: Line[]): string {
  return JSON.stringify(lines.map((line) => [line.name, line.color, line.hidden, line.options, line.scale]));
}
