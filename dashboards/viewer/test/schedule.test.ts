import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { Schedule } from "../src/schedule.ts";

// A document with just what a schedule looks at.
function fakeDocument(): { hidden: boolean; show(): void } {
  const listeners = new Set<() => void>();
  const page = {
    hidden: false,
    addEventListener: (_: string, listener: () => void) => listeners.add(listener),
    removeEventListener: (_: string, listener: () => void) => listeners.delete(listener),
    show: () => { page.hidden = false; listeners.forEach((listener) => listener()); },
  };
  (globalThis as { document?: unknown }).document = page;
  return page;
}

// Promises settle between two ticks of the mocked clock.
async function advance(ms: number): Promise<void> {
  mock.timers.tick(ms);
  for (let i = 0; i < 5; i++) await Promise.resolve();
}

test("a schedule refreshes while the page is seen, waits while it is not, and catches up", async () => {
  mock.timers.enable({ apis: ["setTimeout", "Date"], now: 0 });
  const page = fakeDocument();
  const at: number[] = [];
  const schedule = new Schedule(async () => { at.push(Date.now()); });
  schedule.every(1000);
  for (let i = 0; i < 3; i++) await advance(1000);
  assert.deepEqual(at, [1000, 2000, 3000]);
  page.hidden = true;
  for (let i = 0; i < 5; i++) await advance(1000);
  assert.equal(at.length, 3, "refreshed unseen");
  page.show();
  await advance(0);
  assert.deepEqual(at.slice(3), [8000], "did not catch up");
  await advance(1000);
  assert.deepEqual(at.slice(4), [9000]);
  schedule.every(0);
  await advance(10_000);
  assert.equal(at.length, 5, "refreshed though off");
  schedule.stop();
  mock.timers.reset();
});

test("a slow refresh is not overtaken by the next", async () => {
  mock.timers.enable({ apis: ["setTimeout", "Date"], now: 0 });
  fakeDocument();
  let running = 0;
  let most = 0;
  const release: (() => void)[] = [];
  const schedule = new Schedule(() => new Promise((resolve) => {
    most = Math.max(most, ++running);
    release.push(() => { running--; resolve(); });
  }));
  schedule.every(1000);
  for (let i = 0; i < 4; i++) await advance(1000);
  assert.equal(release.length, 1);
  release.pop()!();
  await advance(0);
  await advance(1000);
  assert.equal(most, 1);
  assert.equal(release.length, 1, "the next one came");
  schedule.stop();
  release.pop()!();
  mock.timers.reset();
});
