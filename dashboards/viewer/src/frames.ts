// Tables: instant query results as frames of named columns, and Grafana's transformations over them (the closed list in
// model.ts). A column keeps its original name beside the one it is shown under, because overrides may use either.

import type { Labels, VectorSample } from "./api.ts";
import type { Transformation } from "./model.ts";
import { parseSample } from "./series.ts";

export type Cell = string | number | null;

export interface Column {
  name: string;
  /** The name after renaming; equal to name until then. */
  title: string;
  type: "time" | "number" | "string";
  refId?: string;
  labels?: Labels;
  cells: Cell[];
}

export interface Frame { refId?: string; columns: Column[] }

export interface InstantResult { refId: string; samples: VectorSample[] }

/** instantFrames makes one frame per query, as Grafana's format "table": Time, the labels by name, and the value. */
export function instantFrames(results: InstantResult[]): Frame[] {
  return results.map(({ refId, samples }) => {
    const names = [...new Set(samples.flatMap((sample) => Object.keys(sample.metric)))].sort();
    const column = (name: string, type: Column["type"], cells: Cell[]): Column => ({ name, title: name, type, refId, cells });
    const value = results.length > 1 ? `Value #${refId}` : "Value";
    return {
      refId,
      columns: [
        column("Time", "time", samples.map((s) => (s.value?.[0] ?? s.histogram?.[0] ?? 0) * 1000)),
        ...names.map((name) => column(name, "string", samples.map((s) => s.metric[name] ?? null))),
        column(value, "number", samples.map((s) => (s.value ? parseSample(s.value[1]) : null))),
      ],
    };
  });
}

export function rowCount(frame: Frame): number {
  return frame.columns[0]?.cells.length ?? 0;
}

/** transform applies the panel's transformations in order; frames left over are merged, so that none is hidden. */
export function transform(frames: Frame[], transformations: Transformation[]): Frame {
  let current = frames;
  for (const { id, options = {}, disabled } of transformations) {
    if (!disabled) current = apply(id, current, options);
  }
  return current.length === 1 ? current[0]! : merge(current);
}

function apply(id: string, frames: Frame[], options: Record<string, unknown>): Frame[] {
  switch (id) {
    case "merge": return [merge(frames)];
    case "joinByField": return [join(frames, options)];
    case "organize": return frames.map((frame) => organize(frame, options));
    case "sortBy": return frames.map((frame) => sortBy(frame, options));
    default: throw new Error(`transformation "${id}" is not supported`);
  }
}

const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

function pickRows(frame: Frame, rows: number[]): Frame {
  return { ...frame, columns: frame.columns.map((c) => ({ ...c, cells: rows.map((row) => c.cells[row] ?? null) })) };
}

/** merge puts rows together that agree in every column they share, as Grafana's merge does for instant tables. */
export function merge(frames: Frame[]): Frame {
  const columns = new Map<string, Column>();
  for (const c of frames.flatMap((frame) => frame.columns)) {
    if (!columns.has(c.name)) columns.set(c.name, { ...c, cells: [] });
  }
  const shared = [...columns.keys()].filter((name) => frames.every((frame) => frame.columns.some((c) => c.name === name)));
  const rows = new Map<string, Map<string, Cell>>();
  frames.forEach((frame, index) => {
    for (const row of range(rowCount(frame))) {
      const key = JSON.stringify(shared.map((name) => frame.columns.find((c) => c.name === name)!.cells[row]));
      const held = rows.get(key);
      const clash = held && frame.columns.some((c) => !shared.includes(c.name) && (held.get(c.name) ?? null) !== null);
      const into = held && !clash ? held : new Map<string, Cell>();
      if (into !== held) rows.set(held ? `${key} ${index} ${row}` : key, into);
      for (const c of frame.columns) into.set(c.name, c.cells[row] ?? null);
    }
  });
  for (const row of rows.values()) for (const c of columns.values()) c.cells.push(row.get(c.name) ?? null);
  const ordered = [...columns.values()];
  const rank = (c: Column): number => (c.type === "time" ? 0 : c.type === "string" ? 1 : 2);
  return { columns: ordered.sort((a, b) => rank(a) - rank(b)) };
}

/** join is an outer (or inner) join on one column. Other columns of equal name get a number: "Time 1", "Time 2". */
export function join(frames: Frame[], options: Record<string, unknown>): Frame {
  const by = String(options.byField ?? "Time");
  const joined = frames.filter((frame) => frame.columns.some((c) => c.title === by || c.name === by));
  if (joined.length === 0) return { columns: [] };
  const keyOf = (frame: Frame): Column => frame.columns.find((c) => c.title === by || c.name === by)!;
  let keys = [...new Set(joined.flatMap((frame) => keyOf(frame).cells))];
  if (options.mode === "inner") keys = keys.filter((key) => joined.every((frame) => keyOf(frame).cells.includes(key)));
  const others = joined.flatMap((frame) => {
    const rowOf = new Map<Cell, number>();
    keyOf(frame).cells.forEach((key, row) => rowOf.has(key) || rowOf.set(key, row));
    const cellAt = (c: Column, key: Cell): Cell => c.cells[rowOf.get(key) ?? -1] ?? null;
    return frame.columns.filter((c) => c !== keyOf(frame)).map((c) => ({ ...c, cells: keys.map((key) => cellAt(c, key)) }));
  });
  const key = { ...keyOf(joined[0]!), cells: keys };
  return { columns: [key, ...numberRepeats(others)] };
}

function numberRepeats(columns: Column[]): Column[] {
  const total = new Map<string, number>();
  const seen = new Map<string, number>();
  for (const c of columns) total.set(c.title, (total.get(c.title) ?? 0) + 1);
  return columns.map((c) => {
    if (total.get(c.title) === 1) return c;
    const number = (seen.get(c.title) ?? 0) + 1;
    seen.set(c.title, number);
    return { ...c, name: `${c.name} ${number}`, title: `${c.title} ${number}` };
  });
}

function organize(frame: Frame, options: Record<string, unknown>): Frame {
  const map = <T>(name: string): Record<string, T> => (options[name] ?? {}) as Record<string, T>;
  const excluded = map<boolean>("excludeByName");
  const included = map<boolean>("includeByName");
  const renamed = map<string>("renameByName");
  const position = map<number>("indexByName");
  const only = Object.values(included).some(Boolean);
  const named = <T>(table: Record<string, T>, c: Column): T | undefined => table[c.title] ?? table[c.name];
  const columns = frame.columns
    .filter((c) => !named(excluded, c) && (!only || named(included, c)))
    .map((c, i) => ({ c, at: named(position, c) ?? 1000 + i }))
    .sort((a, b) => a.at - b.at)
    .map(({ c }) => ({ ...c, title: named(renamed, c) || c.title }));
  return { ...frame, columns };
}

function sortBy(frame: Frame, options: Record<string, unknown>): Frame {
  const by = ((options.sort ?? []) as { field?: string; desc?: boolean }[])[0];
  return by?.field ? sortFrame(frame, by.field, by.desc === true) : frame;
}

/** sortFrame orders rows by one column; empty cells come last either way. */
export function sortFrame(frame: Frame, title: string, desc: boolean): Frame {
  const column = frame.columns.find((c) => c.title === title || c.name === title);
  if (!column) return frame;
  const compare = (a: Cell, b: Cell): number => {
    if (a === null || b === null) return a === b ? 0 : a === null ? 1 : -1;
    const order = typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), undefined, { numeric: true });
    return desc ? -order : order;
  };
  return pickRows(frame, range(rowCount(frame)).sort((a, b) => compare(column.cells[a]!, column.cells[b]!)));
}
