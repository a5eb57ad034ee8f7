import { existsSync } from 'node:fs';
import { chromium, type Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startBerth, type BerthUnderTest } from '../support/berth.ts';

/** Where Linux distributions and Homebrew put it. */
const PROGRAMS = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome', '/opt/homebrew/bin/chromium'];

let berth: BerthUnderTest;
let browser: Browser;

beforeAll(async () => {
  berth = await startBerth({ models: { small: { simulated: { weightsMiB: 3_000 } }, broken: { simulated: { crashAtPhase: 'weights' } } } });
  browser = await chromium.launch({
    executablePath: PROGRAMS.find((path) => existsSync(path)) ?? 'chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
  });
  await berth.chat('small');
  await berth.chat('broken').catch(() => undefined);
});

afterAll(async () => {
  await browser.close();
  await berth[Symbol.asyncDispose]();
});

test('Bull Board shows the placements of the live queue, with the reasons in a job log, and is read-only', async () => {
  const page = await browser.newPage();
  const errors: string[] = [];
  page.on('pageerror', (error) => errors.push(error.message));
  await page.goto(`${berth.urls[0] ?? ''}/admin/queues/`);
  await page.getByText('placement', { exact: false }).first().click();
  await page.getByText('Completed').first().click();
  await page.getByText('place', { exact: false }).first().waitFor();
  expect(errors).toEqual([]);
  const pause = await fetch(`${berth.urls[0] ?? ''}/admin/queues/api/queues/placement/pause`, { method: 'PUT' });
  expect(pause.status).toBe(405);
  await page.close();
});

test('the front page names the models with their state and the GPU with its memory', async () => {
  const page = await browser.newPage();
  await page.goto(berth.urls[0] ?? '');
  const text = await page.locator('body').innerText();
  for (const word of ['small', 'broken', 'Simulated GPU']) expect(text).toContain(word);
  await page.close();
});
