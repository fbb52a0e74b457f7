import type { Browser, Page } from 'playwright-core';
import { closeClinics, serveClinic, type ServingClinic } from '../server/serving-clinic.js';
import { describeInBrowser, openBrowser, openPage, picture } from './browser.js';

let browser: Browser;
let clinic: ServingClinic;
let page: Page;
let complaints: string[];
let strangers: string[];

beforeAll(async () => {
  browser = await openBrowser();
});
afterAll(async () => browser?.close());

beforeEach(async () => {
  clinic = await serveClinic();
  await clinic.show('visit-1', { notes: 'first', status: 'PLANNED' });
  await clinic.show('visit-2', { notes: 'second', status: 'DONE' });
  ({ page, complaints, strangers } = await openPage(browser, clinic.url));
});

afterEach(async () => {
  await page.close();
  await closeClinics();
});

const shown = async (): Promise<{ data: { pull: { changes: { id: string }[]; checkpoint: string } } }> =>
  JSON.parse(await page.locator('#result').innerText());
const idsShown = async (): Promise<string[]> => (await shown()).data.pull.changes.map(({ id }) => id);

describeInBrowser('explorer.test.ts', 'the explorer', () => {
  beforeEach(async () => {
    await page.goto(`${clinic.url}/explorer`);
  });

  afterEach(() => {
    expect(complaints).toEqual([]);
    expect(strangers).toEqual([]);
  });

  test('pulls with Ctrl-Enter, and again from the last checkpoint brings only what changed since', async () => {
    const again = page.getByRole('button', { name: 'Pull again from the last checkpoint' });
    expect(await again.isDisabled()).toBe(true);
    await page.getByLabel('Query').press('Control+Enter');
    await page.getByText(/^200 · \d+ ms/).waitFor();
    expect(await idsShown()).toEqual(['visit-1', 'visit-2']);
    const { checkpoint } = (await shown()).data.pull;

    await clinic.show('visit-3', { notes: 'third' });
    await again.click();
    await page.getByText('visit-3').waitFor();
    expect(await idsShown()).toEqual(['visit-3']);
    expect(JSON.parse(await page.getByLabel('Variables').inputValue())).toMatchObject({ since: checkpoint });
    await picture(page, 'explorer');
  });

  test('listens for hints and stops', async () => {
    await page.getByRole('button', { name: 'Listen for hints' }).click();
    await page.getByText('listening: pull when a hint comes').waitFor();
    while (clinic.hub.listening() === 0) await new Promise((resolve) => setImmediate(resolve));
    await clinic.show('visit-1', { notes: 'changed' });
    await page.getByText(/Z {1,2}visits$/).waitFor();
    await page.getByRole('button', { name: 'Stop listening' }).click();
    await page.getByText(/^closed \(1000/).waitFor();
    while (clinic.sockets.count() > 0) await new Promise((resolve) => setImmediate(resolve));
  });

  test('sends the device id, and shows what is wrong with it', async () => {
    await page.getByLabel('Device').fill('no device');
    await page.getByRole('button', { name: 'Run' }).click();
    await page.getByText(/^400 · /).waitFor();
    expect(await page.locator('#result').innerText()).toContain('Tidegate-Device: expected 1 to 128 characters');
    await page.getByRole('button', { name: 'Listen for hints' }).click();
    await page.getByText(/^closed \(4400, BAD_REQUEST/).waitFor();
    complaints = complaints.filter((text) => !/status of 400/.test(text));
  });

  test('shows the schema, finds a type and inserts a field at the cursor', async () => {
    const schema = page.getByRole('navigation', { name: 'Schema' });
    await schema.locator('summary', { hasText: /^VisitInput / }).waitFor();
    await page.getByRole('searchbox', { name: /^Schema/ }).fill('collectioninfo');
    expect(await schema.locator('details:visible > summary').allInnerTexts()).toEqual([
      expect.stringContaining('CollectionInfo'),
    ]);
    await schema.locator('details:visible > summary').click();
    await page.getByLabel('Query').fill('{ collections { name } }');
    await page
      .getByLabel('Query')
      .evaluate((area) =>
        (area as unknown as { setSelectionRange(a: number, b: number): void }).setSelectionRange(16, 16),
      );
    await schema.getByRole('button', { name: 'recordCount' }).click();
    expect(await page.getByLabel('Query').inputValue()).toBe('{ collections { recordCount\nname } }');
    await page.keyboard.press('Control+Enter');
    await page.getByText(/^200 · /).waitFor();
  });

  test('says where its input is no JSON, and sends nothing', async () => {
    await page.getByLabel('Variables').fill('{ "since": ');
    await page.getByRole('button', { name: 'Run' }).click();
    await page.getByText(/^Variables: /).waitFor();
    expect(await page.locator('#result').innerText()).toBe('');
    expect(await page.getByLabel('Variables').evaluate((area) => area.matches(':focus'))).toBe(true);
  });

  test('shows hostile texts of records as texts', async () => {
    await clinic.show('visit-1', { notes: '</script><img src=x onerror=alert(1)>' });
    await page.getByRole('button', { name: 'Run' }).click();
    await page.getByText('onerror=alert(1)').waitFor();
    expect(await page.locator('#result img').count()).toBe(0);
  });

  test('is dark where the machine is, and fits a phone', async () => {
    const back = (): Promise<string> => page.evaluate(`getComputedStyle(document.body).backgroundColor`);
    const light = await back();
    await page.emulateMedia({ colorScheme: 'dark' });
    expect(await back()).not.toBe(light);
    await picture(page, 'explorer-dark');
    await page.setViewportSize({ width: 390, height: 844 });
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(390);
    await picture(page, 'explorer-phone');
  });
});

describeInBrowser('explorer.test.ts', 'the landing page', () => {
  test('without the internet says so, explains itself and leads to the explorer', async () => {
    await page.goto(clinic.url);
    await page.getByText(/^Apollo Sandbox is not available: it comes from the internet/).waitFor();
    expect(await page.getByRole('table').innerText()).toMatch(/visits\s+Visit\s+clinic/);
    await picture(page, 'landing');
    expect(strangers.map((address) => new URL(address).host)).toEqual(['embeddable-sandbox.cdn.apollographql.com']);
    await page.getByRole('link', { name: 'open it' }).click();
    await page.getByLabel('Query').waitFor();
  });

  test('with the internet starts the Sandbox with our addresses, within its policy', async () => {
    await page.route('https://embeddable-sandbox.cdn.apollographql.com/**', (route) =>
      route.fulfill({
        contentType: 'text/javascript',
        body: `window.EmbeddedSandbox = function (options) {
          window.given = options;
          var frame = document.createElement('iframe');
          frame.src = 'https://sandbox.embed.apollographql.com/sandbox/explorer';
          document.querySelector(options.target).appendChild(frame);
        };`,
      }),
    );
    await page.route('https://sandbox.embed.apollographql.com/**', (route) =>
      route.fulfill({ contentType: 'text/html', body: '<p>the Sandbox</p>' }),
    );
    await page.goto(clinic.url);
    await page.frameLocator('#sandbox iframe').getByText('the Sandbox').waitFor();
    expect(await page.evaluate('window.given')).toMatchObject({
      initialEndpoint: `${clinic.url}/graphql`,
      initialSubscriptionEndpoint: clinic.webSocketUrl,
      allowDynamicStyles: false,
      runTelemetry: false,
    });
    expect(await page.getByRole('status').innerText()).toMatch(/^Loaded from the internet/);
    expect(complaints).toEqual([]);
  });

  test('shows lines that work when they are pasted', async () => {
    await page.goto(clinic.url);
    const line = (await page.locator('pre', { hasText: 'curl' }).first().innerText()).replaceAll('\\\n', ' ');
    const body = /-d '(.*)'/.exec(line)?.[1] ?? '';
    const [url = ''] = /http\S+/.exec(line) ?? [];
    const answer = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
    expect(await answer.json()).toMatchObject({ data: { pull: { hasMore: false } } });
  });
});
