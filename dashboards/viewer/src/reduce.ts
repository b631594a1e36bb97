// Reducing a series to one number: the calculations of stat panels, bar gauges and legends, by Grafana's ids.

export type Calc = (values: (number | null)[]) => number | null;

function present(values: (number | null)[]): number[] {
  return values.filter((value) => value !== null);
}

const whenAny = (reduce: (values: number[]) => number): Calc => (values) => {
  const some = present(values);
  return some.length > 0 ? reduce(some) : null;
};

const sum = (values: number[]): number => values.reduce((total, value) => total + value, 0);
const largest = (values: number[]): number => values.reduce((a, b) => Math.max(a, b), -Infinity);
const smallest = (values: number[]): number => values.reduce((a, b) => Math.min(a, b), Infinity);

const calcs: Record<string, { label: string; calc: Calc }> = {
  last: { label: "Last", calc: (values) => values.at(-1) ?? null },
  lastNotNull: { label: "Last", calc: whenAny((values) => values.at(-1)!) },
  first: { label: "First", calc: (values) => values[0] ?? null },
  min: { label: "Min", calc: whenAny(smallest) },
  max: { label: "Max", calc: whenAny(largest) },
  mean: { label: "Mean", calc: whenAny((values) => sum(values) / values.length) },
  sum: { label: "Total", calc: whenAny(sum) },
  count: { label: "Count", calc: (values) => present(values).length },
  range: { label: "Range", calc: whenAny((values) => largest(values) - smallest(values)) },
};

export function calcFor(id: string | undefined): { label: string; calc: Calc } {
  const key = id && id in calcs ? id : "lastNotNull";
  return calcs[key]!;
}

/** calcIds reads options.reduceOptions.calcs and the like, which may be absent. */
export function calcIds(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((id): id is string => typeof id === "string") : [];
}
