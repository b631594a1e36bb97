// When to refresh: every interval while the tab is visible, and at once when it becomes visible again after one was
// missed. Never while an earlier refresh still runs.

export class Schedule {
  #interval = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #last = Date.now();
  #running = false;
  readonly #visible = (): void => {
    if (!document.hidden && this.#interval > 0 && Date.now() - this.#last >= this.#interval) void this.#tick();
  };

  constructor(private readonly refresh: () => Promise<void>) {
    document.addEventListener("visibilitychange", this.#visible);
  }

  every(ms: number): void {
    this.#interval = ms;
    this.#plan();
  }

  /** done marks a refresh that something else began, so that the next is a whole interval away. */
  done(): void {
    this.#last = Date.now();
    this.#plan();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#interval = 0;
    document.removeEventListener("visibilitychange", this.#visible);
  }

  #plan(): void {
    clearTimeout(this.#timer);
    if (this.#interval > 0) this.#timer = setTimeout(() => void this.#tick(), Math.max(0, this.#last + this.#interval - Date.now()));
  }

  async #tick(): Promise<void> {
    if (document.hidden || this.#running) return;
    this.#running = true;
    this.#last = Date.now();
    try {
      await this.refresh();
    } finally {
      this.#running = false;
      this.#plan();
    }
  }
}
