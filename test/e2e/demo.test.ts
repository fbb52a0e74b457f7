import type { Browser, Locator, Page } from 'playwright-core';
import { whenOf, type Visit } from '../../demo/phones/visit.js';
import { startDemoClinic, type DemoClinic } from '../scenario/demo-clinic.js';
import { until } from '../support/until.js';
import { describeInBrowser, openBrowser, openPage, picture, type WatchedPage } from './browser.js';

let browser: Browser;
let clinic: DemoClinic;
let watched: WatchedPage;
let page: Page;

beforeAll(async () => {
  clinic = await startDemoClinic();
});
afterAll(async () => {
  await clinic.end();
  clinic.removeFiles();
});

const nadia = (): Locator => page.getByRole('region', { name: 'Nadia’s phone' });
const omar = (): Locator => page.getByRole('region', { name: 'Omar’s phone' });
const office = (): Locator => page.getByRole('region', { name: 'Back office' });

/** A visit by its title, which is the same everywhere: time, patient, kind. */
const visit = (place: Locator, title: string): Locator =>
  place.getByRole('listitem').filter({ has: place.page().getByRole('heading', { name: title, exact: true }) });
const titleOf = async (place: Locator, at: number): Promise<string> =>
  place.getByRole('listitem').nth(at).getByRole('heading').innerText();

const focused = async (): Promise<unknown> => page.evaluate('document.activeElement.textContent');
const airplane = (phone: Locator): Locator => phone.getByRole('button', { name: 'Airplane mode' });

async function write(card: Locator, notes: string): Promise<void> {
  await card.getByLabel('Notes').fill(notes);
  await card.getByRole('button', { name: 'Save' }).click();
}

/** The visit as the clinic's own system has it. */
async function atTheClinic(notes: string): Promise<Readonly<Record<string, unknown>> | undefined> {
  return (await clinic.list('visits')).find((row) => row['notes'] === notes);
}

describeInBrowser('demo.test.ts', 'two phones and the back office', () => {
  beforeAll(async () => {
    browser = await openBrowser();
  });
  afterAll(async () => browser?.close());

  beforeEach(async () => {
    watched = await openPage(browser, clinic.url);
    ({ page } = watched);
    await page.goto(`${clinic.url}/demo`);
    for (const phone of [nadia(), omar()]) await phone.getByText(/^online · synced .* nothing waits$/).waitFor();
  });

  afterEach(async () => {
    await page.close();
    expect({ complaints: watched.complaints, strangers: watched.strangers }).toEqual({ complaints: [], strangers: [] });
  });

  test('an edit made offline waits on its phone, and is merged with what the office changed meanwhile', async () => {
    const title = await titleOf(nadia(), 0);
    const card = visit(nadia(), title);
    await airplane(nadia()).click();
    await write(card, 'Ring twice.');
    await card.getByText('waits on this phone').waitFor();
    await nadia()
      .getByText(/^airplane mode · synced .* 1 waiting$/)
      .waitFor();
    const row = visit(office(), title);
    await row.getByLabel('Status').selectOption('underway');
    await row.getByRole('button', { name: 'Save' }).click();
    await office()
      .getByText(/^saved in the clinic’s system/)
      .waitFor();
    await picture(page, 'demo-offline');
    expect(await card.getByLabel('Status').inputValue()).toBe('planned');

    await airplane(nadia()).click();
    await nadia()
      .getByText(/^online .* nothing waits$/)
      .waitFor();
    await until(
      'both edits stand on the phone',
      async () => (await card.getByLabel('Status').inputValue()) === 'underway',
    );
    expect(await card.getByLabel('Notes').inputValue()).toBe('Ring twice.');
    expect(await atTheClinic('Ring twice.')).toMatchObject({ status: 'underway' });
  });

  test('where both changed the same, its nurse is shown both and chooses', async () => {
    const title = await titleOf(nadia(), 1);
    const card = visit(nadia(), title);
    await airplane(nadia()).click();
    await write(card, 'Bring the red bag.');
    await write(visit(office(), title), 'Bring the blue bag.');
    await until('the clinic has it', async () => (await atTheClinic('Bring the blue bag.')) !== undefined);
    await airplane(nadia()).click();
    await card.getByText('You and the clinic changed the same.').waitFor();
    await card.getByText('notes · yours: “Bring the red bag.” · the clinic’s: “Bring the blue bag.”').waitFor();
    const shown = card.getByLabel('Notes');
    await until('the clinic’s stands', async () => (await shown.inputValue()) === 'Bring the blue bag.');
    await picture(page, 'demo-conflict');
    // Whoever decides by keyboard is led there, and is not moved by what else comes.
    await nadia().getByRole('button', { name: 'One edit needs you: show it' }).press('Enter');
    expect(await focused()).toBe(title);
    const keepMine = card.getByRole('button', { name: 'Keep mine' });
    await keepMine.focus();
    const otherTitle = await titleOf(nadia(), 0);
    const other = visit(nadia(), otherTitle);
    const isOther = ({ plannedAt, routeId }: Visit): boolean =>
      routeId === 'R-01' && otherTitle.startsWith(`${whenOf(plannedAt)} · `);
    const { id } = ((await clinic.list('visits')) as unknown as (Visit & { id: string })[]).find(isOther) ?? { id: '' };
    await fetch(`${clinic.url}/demo/office/visits/${id}`, {
      method: 'PATCH',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ status: 'done' }),
    });
    await until('the other visit came', async () => (await other.getByLabel('Status').inputValue()) === 'done');
    expect(await focused()).toBe('Keep mine');
    await keepMine.press('Enter');
    await until('the clinic has hers', async () => (await atTheClinic('Bring the red bag.')) !== undefined);
    await until('nothing is left to choose', async () => (await card.getByText('You and the clinic').count()) === 0);
    expect(await focused()).toBe(title);
  });

  test('R4: a visit given to the other route leaves one phone and comes to the other, by a hint', async () => {
    const title = await titleOf(omar(), 0);
    const row = visit(office(), title);
    await row.getByLabel('Route').selectOption('R-01');
    await row.getByRole('button', { name: 'Save' }).click();
    await visit(omar(), title).waitFor({ state: 'detached' });
    // Its patient is still one of the other route, whose name is not hers to see.
    const [when = ''] = title.split(' · ');
    await nadia()
      .getByRole('heading', { name: new RegExp(`^${when} · P-`) })
      .waitFor();
    await nadia()
      .getByText(/^hint: .*visits/)
      .waitFor();
    await omar()
      .getByText(/^hint: .*visits/)
      .waitFor();
  });

  test('an edit made offline outlives the page', async () => {
    const title = await titleOf(omar(), 1);
    await airplane(omar()).click();
    await write(visit(omar(), title), 'The dog is friendly.');
    await visit(omar(), title).getByText('waits on this phone').waitFor();
    await page.reload();
    await until('the clinic has it', async () => (await atTheClinic('The dog is friendly.')) !== undefined);
    expect(await visit(omar(), title).getByLabel('Notes').inputValue()).toBe('The dog is friendly.');
  });

  test('two tabs share a phone: what one of them edits the other shows, and sends after that one was closed', async () => {
    const other = await openPage(browser, clinic.url, page);
    await other.page.goto(`${clinic.url}/demo`);
    const beside = other.page.getByRole('region', { name: 'Nadia’s phone' });
    await beside.getByText(/^online · synced .* nothing waits$/).waitFor();
    const title = await titleOf(nadia(), 3);
    for (const phone of [nadia(), beside]) await airplane(phone).click();
    await write(visit(nadia(), title), 'Of the first tab.');
    await visit(beside, title).getByText('waits on this phone').waitFor();
    await page.close();
    await airplane(beside).click();
    await until('the clinic has it', async () => (await atTheClinic('Of the first tab.')) !== undefined);
    await beside.getByText(/^online .* nothing waits$/).waitFor();
    expect([other.complaints, other.strangers]).toEqual([[], []]);
    await other.page.close();
  });

  test('is used by keyboard alone, and names its fields for screen readers', async () => {
    const plane = airplane(nadia());
    await plane.focus();
    await page.keyboard.press('Space');
    expect(await plane.getAttribute('aria-pressed')).toBe('true');
    await page.keyboard.press('Tab');
    expect(await page.evaluate(`document.activeElement.labels[0].textContent`)).toBe('Status');
    await page.keyboard.press('Tab');
    expect(await page.evaluate(`document.activeElement.labels[0].textContent`)).toBe('Notes');
    await page.keyboard.press('Control+a');
    await page.keyboard.type('Typed.');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await nadia().getByText('waits on this phone').waitFor();
    await plane.focus();
    await page.keyboard.press('Space');
    await nadia()
      .getByText(/^online .* nothing waits$/)
      .waitFor();
    const unnamed = await page.evaluate(
      `[...document.querySelectorAll('select, textarea, input')].filter((field) => field.labels.length === 0).length`,
    );
    expect(unnamed).toBe(0);
  });

  test('what somebody types is not overwritten by what comes', async () => {
    const title = await titleOf(nadia(), 2);
    const card = visit(nadia(), title);
    await card.getByLabel('Notes').fill('half a sent');
    const row = visit(office(), title);
    await row.getByLabel('Status').selectOption('missed');
    await row.getByRole('button', { name: 'Save' }).click();
    await until('the phone has it', async () => (await card.getByLabel('Status').inputValue()) === 'missed');
    expect(await card.getByLabel('Notes').inputValue()).toBe('half a sent');
  });

  test('is dark where the machine is, and fits a phone', async () => {
    await page.emulateMedia({ colorScheme: 'dark' });
    await picture(page, 'demo-dark');
    await page.setViewportSize({ width: 390, height: 844 });
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(390);
    await page.getByRole('link', { name: 'Back office' }).click();
    expect(await office().evaluate((panel) => panel.getBoundingClientRect().top < 400)).toBe(true);
    await picture(page, 'demo-phone');
  });
});

test('serves its own modules and the client’s, and nothing else of what is built', async () => {
  const status = async (path: string): Promise<number> => (await fetch(`${clinic.url}/demo/modules/${path}`)).status;
  expect(await status('demo/phones/main.js')).toBe(200);
  expect(
    await Promise.all(
      ['src/cli/main.js', 'src/client/../server/app.js', 'src/client/none.js', 'package.json'].map(status),
    ),
  ).toEqual([404, 404, 404, 404]);
});
