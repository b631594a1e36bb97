// A clock that tests turn by hand. node:test has one too, but only since Node 20 for Date; Debian 12 has Node 18.

interface Timer { at: number; run: () => void }

export class Clock {
  #now = 0;
  #timers = new Set<Timer>();
  readonly #real = { setTimeout: globalThis.setTimeout, clearTimeout: globalThis.clearTimeout, now: Date.now };

  /** install puts the clock in place of setTimeout, clearTimeout and Date.now, at 0. */
  install(): this {
    const set = (run: () => void, ms = 0): Timer => {
      const timer = { at: this.#now + ms, run };
      this.#timers.add(timer);
      return timer;
    };
    const clear = (timer?: Timer): void => { if (timer) this.#timers.delete(timer); };
    Object.assign(globalThis, { setTimeout: set, clearTimeout: clear });
    Date.now = () => this.#now;
    return this;
  }

  /** advance runs what falls due within ms, in order of time, and lets promises settle. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    for (;;) {
      const due = [...this.#timers].filter((timer) => timer.at <= end).sort((a, b) => a.at - b.at)[0];
      if (!due) break;
      this.#timers.delete(due);
      this.#now = due.at;
      due.run();
      for (let i = 0; i < 5; i++) await Promise.resolve();
    }
    this.#now = end;
    for (let i = 0; i < 5; i++) await Promise.resolve();
  }

  restore(): void {
    const { now, ...timers } = this.#real;
    Object.assign(globalThis, timers);
    Date.now = now;
  }
}
