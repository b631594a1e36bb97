import assert from "node:assert/strict";
import { test } from "node:test";
import { Schedule } from "../src/schedule.ts";
import { Clock } from "./clock.ts";

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

test("a schedule refreshes while the page is seen, waits while it is not, and catches up", async () => {
  const clock = new Clock().install();
  const page = fakeDocument();
  const at: number[] = [];
  const schedule = new Schedule(async () => { at.push(Date.now()); });
  schedule.every(1000);
  for (let i = 0; i < 3; i++) await clock.advance(1000);
  assert.deepEqual(at, [1000, 2000, 3000]);
  page.hidden = true;
  for (let i = 0; i < 5; i++) await clock.advance(1000);
  assert.equal(at.length, 3, "refreshed unseen");
  page.show();
  await clock.advance(0);
  assert.deepEqual(at.slice(3), [8000], "did not catch up");
  await clock.advance(1000);
  assert.deepEqual(at.slice(4), [9000]);
  schedule.every(0);
  await clock.advance(10_000);
  assert.equal(at.length, 5, "refreshed though off");
  schedule.stop();
  clock.restore();
});

test("a slow refresh is not overtaken by the next", async () => {
  const clock = new Clock().install();
  fakeDocument();
  let running = 0;
  let most = 0;
  const release: (() => void)[] = [];
  const schedule = new Schedule(() => new Promise((resolve) => {
    most = Math.max(most, ++running);
    release.push(() => { running--; resolve(); });
  }));
  schedule.every(1000);
  for (let i = 0; i < 4; i++) await clock.advance(1000);
  assert.equal(release.length, 1);
  release.pop()!();
  await clock.advance(0);
  await clock.advance(1000);
  assert.equal(most, 1);
  assert.equal(release.length, 1, "the next one came");
  schedule.stop();
  release.pop()!();
  clock.restore();
});
