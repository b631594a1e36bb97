// Grafana's classic dashboard JSON, as far as the viewer reads it, and what it cannot draw. Fields are optional where
// Grafana lets a file leave them out.

export interface Dashboard {
  uid: string;
  title: string;
  description?: string;
  tags?: string[] | null;
  panels?: PanelJSON[];
  templating?: { list?: VariableJSON[] };
  time?: { from?: string; to?: string };
  refresh?: string | boolean;
  links?: DashboardLink[];
}

export interface DashboardSummary { uid: string; title: string; description?: string | null; tags?: string[] | null }

export interface DashboardLink {
  type?: "link" | "dashboards";
  title?: string;
  url?: string;
  tags?: string[];
  tooltip?: string;
  includeVars?: boolean;
  keepTime?: boolean;
  targetBlank?: boolean;
}

export interface VariableJSON {
  type: string;
  name: string;
  label?: string | null;
  description?: string | null;
  hide?: number;
  query?: string | { query?: string; refId?: string; qryType?: number };
  definition?: string;
  regex?: string;
  sort?: number;
  refresh?: number;
  multi?: boolean;
  includeAll?: boolean;
  allValue?: string | null;
  current?: { text?: string | string[]; value?: string | string[] };
  options?: { text?: string; value?: string; selected?: boolean }[];
}

export interface GridPos { x: number; y: number; w: number; h: number }

export interface Target {
  refId?: string;
  expr?: string;
  legendFormat?: string;
  instant?: boolean;
  range?: boolean;
  exemplar?: boolean;
  format?: string;
  interval?: string;
  hide?: boolean;
}

export interface DataLink { title?: string; url?: string; targetBlank?: boolean }

export interface ThresholdStep { value?: number | null; color: string }
export interface Thresholds { mode?: string; steps?: ThresholdStep[] }

export interface ValueMapping { type: string; options: Record<string, unknown> }

export interface FieldDefaults {
  unit?: string;
  decimals?: number | null;
  min?: number | null;
  max?: number | null;
  noValue?: string;
  displayName?: string;
  color?: { mode?: string; fixedColor?: string };
  thresholds?: Thresholds;
  mappings?: ValueMapping[];
  links?: DataLink[];
  custom?: Record<string, unknown>;
}

export interface FieldOverride {
  matcher: { id: string; options?: unknown };
  properties: { id: string; value?: unknown }[];
}

export interface FieldConfig { defaults?: FieldDefaults; overrides?: FieldOverride[] }

export interface Transformation { id: string; disabled?: boolean; options?: Record<string, unknown> }

export interface PanelJSON {
  id?: number;
  type: string;
  title?: string;
  description?: string;
  gridPos?: Partial<GridPos>;
  collapsed?: boolean;
  panels?: PanelJSON[];
  targets?: Target[];
  fieldConfig?: FieldConfig;
  options?: Record<string, unknown>;
  interval?: string;
  maxDataPoints?: number | null;
  transformations?: Transformation[];
  links?: DataLink[];
  repeat?: string;
  timeFrom?: string;
  timeShift?: string;
}

/** Section is a row of the dashboard with the panels below it; the first may have no title. */
export interface Section { id: string; title?: string; collapsed: boolean; panels: PanelJSON[] }

export const panelKinds = ["timeseries", "stat", "table", "heatmap", "text"] as const;
export const transformationKinds = ["merge", "joinByField", "organize", "sortBy"] as const;

/** sections groups panels under their rows: a collapsed row carries its panels, an open one is followed by them. */
export function sections(dashboard: Dashboard): Section[] {
  const inOrder = [...(dashboard.panels ?? [])].sort(byPosition);
  const found: Section[] = [];
  for (const panel of inOrder) {
    if (panel.type === "row") {
      found.push({
        id: `row-${panel.id ?? found.length}`,
        title: panel.title ?? "",
        collapsed: panel.collapsed === true,
        panels: [...(panel.panels ?? [])].sort(byPosition),
      });
      continue;
    }
    if (found.length === 0) found.push({ id: "top", collapsed: false, panels: [] });
    found.at(-1)!.panels.push(panel);
  }
  return found;
}

function byPosition(a: PanelJSON, b: PanelJSON): number {
  return (a.gridPos?.y ?? 0) - (b.gridPos?.y ?? 0) || (a.gridPos?.x ?? 0) - (b.gridPos?.x ?? 0);
}

/** place gives a panel's cell in the section's 24-column grid, counted from 1 at the section's top. */
export function place(panel: PanelJSON, top: number): GridPos {
  const at = panel.gridPos ?? {};
  const w = Math.min(24, Math.max(1, at.w ?? 12));
  return { x: Math.min(at.x ?? 0, 24 - w) + 1, y: Math.max(0, (at.y ?? 0) - top) + 1, w, h: Math.max(2, at.h ?? 8) };
}

/** unsupported names what of a panel this viewer would draw wrongly, so that it can say so instead. */
export function unsupported(panel: PanelJSON): string | undefined {
  const kinds: readonly string[] = panelKinds;
  if (!kinds.includes(panel.type)) return `panels of type "${panel.type}" are not drawn here; kinds: ${kinds.join(", ")}`;
  if (panel.repeat) return `repeating a panel for each value of "${panel.repeat}" is not supported here`;
  if (panel.timeFrom || panel.timeShift) return "a time range of the panel's own (timeFrom, timeShift) is not supported here";
  const transformations: readonly string[] = transformationKinds;
  const unknown = panel.transformations?.find((t) => !t.disabled && !transformations.includes(t.id));
  if (unknown) return `transformation "${unknown.id}" is not supported here; kinds: ${transformations.join(", ")}`;
  const { drawStyle = "line" } = (panel.fieldConfig?.defaults?.custom ?? {}) as { drawStyle?: string };
  if (drawStyle !== "line") return `graphs are drawn as lines here, not as "${drawStyle}"`;
  return undefined;
}
