// What a panel may ask of the dashboard it stands on.

import type { Range } from "./timerange.ts";
import type { Lookup } from "./template.ts";
import type { LinkScope } from "./links.ts";

export interface Context {
  /** The dashboard's variables. */
  lookup: Lookup;
  /** The range of the refresh under way; the same for all panels. */
  range(): Range;
  linkScope(): LinkScope;
  /** Address of a trace with {trace_id}, or empty. */
  traceUrl: string;
  zoom(range: Range): void;
  zoomOut(): void;
  /** The address of this dashboard showing only the panel, or all of it again. */
  focusAddress(panelId: number): string;
  focused: boolean;
}
