// The variables of one dashboard with their options from the store. Options are asked for again when the query changed
// (a variable it mentions was chosen anew), when there are none yet, and otherwise once a minute at most.

import * as api from "./api.ts";
import type { VariableJSON } from "./model.ts";
import type { Range } from "./timerange.ts";
import { interpolate, queryParam, type Lookup } from "./template.ts";
import { choose, loadOptions, loadWaves, queryText, valueOf, type Ask, type Variable } from "./variables.ts";

const optionsAge = 60_000;

interface Held extends Variable { asked?: string; at: number }

export class VariableSet {
  readonly #held: Held[];

  constructor(private readonly list: VariableJSON[]) {
    this.#held = list.map((json) => ({ json, options: [], chosen: [], at: 0 }));
  }

  readonly lookup: Lookup = (name) => {
    const variable = this.#held.find((v) => v.json.name === name);
    return variable && valueOf(variable);
  };

  all(): readonly Variable[] {
    return this.#held;
  }

  /** params is "var-a=…&var-b=…" of every variable that a link may carry on. */
  params(): string {
    return this.#held.filter((v) => v.chosen.length > 0).map((v) => queryParam(v.json.name, valueOf(v))).join("&");
  }

  /** load brings options up to date and settles what is chosen; a failing query is kept on its variable. */
  async load(chosen: Record<string, string[]>, range: Range, signal: AbortSignal): Promise<void> {
    const ask = askStore(range, signal);
    for (const wave of loadWaves(this.list)) {
      await Promise.all(wave.map((json) => this.#loadOne(this.#held.find((v) => v.json === json)!, chosen[json.name], ask)));
      if (signal.aborted) return;
    }
  }

  async #loadOne(variable: Held, fromURL: string[] | undefined, ask: Ask): Promise<void> {
    const { json } = variable;
    const query = interpolate(queryText(json), this.lookup, "promql");
    const fresh = variable.asked === query && variable.options.length > 0 && Date.now() - variable.at < optionsAge;
    if (!fresh) {
      try {
        variable.options = await loadOptions(json, this.lookup, ask);
        variable.error = undefined;
      } catch (err) {
        variable.error = err instanceof Error ? err.message : String(err);
      }
      variable.asked = query;
      variable.at = Date.now();
    }
    variable.chosen = choose(json, variable.options, fromURL);
  }
}

function askStore(range: Range, signal: AbortSignal): Ask {
  const [start, end] = [range.from / 1000, range.to / 1000];
  return {
    labelValues: (label, match) => api.labelValues(label, match, start, end, signal),
  };
}
