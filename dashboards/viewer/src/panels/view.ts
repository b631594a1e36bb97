// The contract between a panel's frame and what it shows.

import type { PanelData } from "../panelquery.ts";

export interface PanelView {
  /** Draws the data; false when there is nothing to draw, and the frame then says so. */
  show(data: PanelData): boolean;
  /** The body changed its size or the page its colours. */
  redraw(): void;
  destroy(): void;
}
