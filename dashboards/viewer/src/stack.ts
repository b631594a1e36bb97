// Arithmetic under a graph: stacking, the y range, gaps.

export type Values = (number | null | undefined)[];

/** stack adds series up in order; a missing value counts as zero unless nothing has a value at that time. `percent`
 *  makes each column add up to one. */
export function stack(series: (number | null)[][], percent: boolean): (number | null)[][] {
  const length = series[0]?.length ?? 0;
  const sums = new Array<number>(length).fill(0);
  const present = new Array<boolean>(length).fill(false);
  const totals = new Array<number>(length).fill(0);
  for (const values of series) {
    values.forEach((value, i) => {
      if (value === null) return;
      present[i] = true;
      totals[i] = totals[i]! + value;
    });
  }
  return series.map((values) => values.map((value, i) => {
    if (!present[i]) return null;
    const share = percent ? (totals[i] ? (value ?? 0) / totals[i]! : 0) : (value ?? 0);
    sums[i] = sums[i]! + share;
    return sums[i]!;
  }));
}

/** bridge makes gaps up to `most` points invisible to uPlot, which leaves out undefined but breaks the line at null. */
export function bridge(values: (number | null)[], most: number): Values {
  const bridged: Values = [...values];
  let last = -1;
  values.forEach((value, i) => {
    if (value === null) return;
    if (last >= 0 && i - last > 1 && i - last - 1 <= most) bridged.fill(undefined, last + 1, i);
    last = i;
  });
  return bridged;
}

/** isolated lists the points that have no neighbour to draw a line to, and would be invisible without a dot. */
export function isolated(values: Values): number[] {
  const found: number[] = [];
  const has = (i: number): boolean => values[i] !== null && values[i] !== undefined;
  const linked = (from: number, step: number): boolean => {
    let i = from + step;
    while (i >= 0 && i < values.length && values[i] === undefined) i += step;
    return has(i);
  };
  values.forEach((_, i) => {
    if (has(i) && !linked(i, -1) && !linked(i, 1)) found.push(i);
  });
  return found;
}

export interface RangeRules { min?: number; max?: number; softMin?: number; softMax?: number; fromZero: boolean }

/** yRange frames the data: hard bounds as they are, zero included where the area means something or is near anyway. */
export function yRange(dataMin: number | null, dataMax: number | null, rules: RangeRules): [number, number] {
  let low = Math.min(dataMin ?? 0, rules.softMin ?? Infinity);
  let high = Math.max(dataMax ?? 1, rules.softMax ?? -Infinity);
  if (low >= 0 && (rules.fromZero || low <= 0.6 * high)) low = 0;
  if (high <= 0 && (rules.fromZero || high >= 0.6 * low)) high = 0;
  if (low === high) {
    if (low === 0) high = 1;
    else [low, high] = low > 0 ? [rules.fromZero ? 0 : low * 0.9, high * 1.1] : [low * 1.1, rules.fromZero ? 0 : high * 0.9];
  } else {
    const pad = (high - low) * 0.08;
    if (low !== 0 && rules.softMin !== low) low -= pad;
    if (high !== 0 && rules.softMax !== high) high += pad;
  }
  return [rules.min ?? low, rules.max ?? Math.max(high, (rules.min ?? low) + Number.MIN_VALUE)];
}
