import { existsSync } from 'node:fs';
import path from 'node:path';
import { chromium, type Browser, type Page } from 'playwright-core';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome'];

/**
 * Tests of a page: left out, with a line that says so, where the machine has no browser.
 *
 * @param file whose tests these are, for that line
 */
export function describeInBrowser(file: string, what: string, tests: () => void): void {
  if (findChromium() !== null) return describe(what, tests);
  console.warn(`${file} is left out: none of ${NAMES.join(', ')} is in PATH; on Debian "apt-get install chromium"`);
  describe.skip(what, tests);
}

/** The machine's own Chromium, which may reach this machine only. */
export async function openBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: findChromium() ?? '',
    // Every other name does not exist: what a page asks of the internet fails at once, on every machine alike.
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-background-networking',
      '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost',
    ],
  });
}

function findChromium(): string | null {
  const folders = (process.env['PATH'] ?? '').split(path.delimiter).filter((folder) => folder !== '');
  const files = folders.flatMap((folder) => NAMES.map((name) => path.join(folder, name)));
  return files.find((file) => existsSync(file)) ?? null;
}

/** A page, with what it said went wrong, and every address that it asked outside of its own. */
export interface WatchedPage {
  readonly page: Page;
  readonly complaints: string[];
  readonly strangers: string[];
}

/** @param origin whose pages it shows @param beside in the same browser as this page, which shares its stores; absent: in one of its own */
export async function openPage(browser: Browser, origin: string, beside?: Page): Promise<WatchedPage> {
  const context = beside?.context() ?? (await browser.newContext({ viewport: { width: 1400, height: 850 } }));
  const page = await context.newPage();
  const complaints: string[] = [];
  const strangers: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text());
  });
  page.on('pageerror', (fault) => complaints.push(fault.message));
  page.on('request', (request) => {
    if (!request.url().startsWith(origin) && !request.url().startsWith('data:')) strangers.push(request.url());
  });
  return { page, complaints, strangers };
}

/** Keeps a picture of the page in the folder that TIDEGATE_PICTURES names, for whoever asked for one. */
export async function picture(page: Page, name: string): Promise<void> {
  const folder = process.env['TIDEGATE_PICTURES'];
  if (folder !== undefined) await page.screenshot({ path: `${folder}/${name}.png`, fullPage: true });
}
