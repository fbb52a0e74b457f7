import { randomUUID } from 'node:crypto';
import { seededChance } from '../support/seeded-chance.js';
import type { Fault, FaultMode } from '../support/fault-proxy.js';
import type { ClientUnderTest, Replica } from './client-under-test.js';
import type { RecordFields } from './round-system.js';
import type { RoundWorld } from './round-world.js';

const STEPS = 24;
/** Visits of the day that the office made before it began. */
const VISITS = 6;

/** What may happen, and how often beside the others. The rare ones take their time. */
const WEIGHTS = {
  create: 2,
  note: 5,
  minutes: 3,
  remove: 1,
  officeNote: 3,
  officeMinutes: 2,
  officeRemove: 1,
  officeMove: 1,
  sync: 8,
  fault: 4,
  pass: 4,
  double: 1,
  down: 1,
  up: 2,
  read: 1,
  expire: 0.5,
  newEpoch: 0.25,
  kill: 0.15,
} as const;
type Happening = keyof typeof WEIGHTS;

const FAULTS: readonly Fault[] = [
  { kind: 'resetBefore' },
  { kind: 'resetAfter' },
  { kind: 'truncateRequest', bytes: 200 },
  { kind: 'truncateAnswer', bytes: 300 },
];

/**
 * A day of a nurse and the back office, drawn by a seed: edits on both sides, and everything that happens between them. In the end all is
 * well again, and the replica equals the system; the system's journal has nothing twice, and of each visit the nurse's last note unless the app
 * was told that it was refused, or the office wrote one, too.
 *
 * @returns what happened, in order
 * @throws Error what was broken, with that
 */
export async function liveDay(world: RoundWorld, client: ClientUnderTest, seed: number): Promise<readonly string[]> {
  const day = new RandomDay(world, await world.open(client), seed);
  try {
    await day.live();
    await day.end();
    return day.told;
  } catch (thrown) {
    throw new Error(`seed ${seed}: ${String(thrown)}\n  ${day.told.join('\n  ')}`, { cause: thrown });
  } finally {
    await day.close();
  }
}

class RandomDay {
  readonly told: string[] = [];
  private readonly world: RoundWorld;
  private readonly replica: Replica;
  private readonly seed: number;
  private readonly chance: () => number;
  /** Visits of this day. */
  private readonly ids: string[] = [];
  /** The nurse's last note of each visit that she did not remove. */
  private readonly lastNotes = new Map<string, string>();
  /** Visits whose notes the office wrote, too: where a client sends several fields together, the note of a MERGED one falls untold. */
  private readonly contested = new Set<string>();
  private readonly begunAt: number;
  private values = 0;

  constructor(world: RoundWorld, replica: Replica, seed: number) {
    this.world = world;
    this.replica = replica;
    this.seed = seed;
    this.chance = seededChance(seed);
    this.begunAt = world.system.journal.length;
  }

  async live(): Promise<void> {
    for (let at = 1; at <= VISITS; at++) {
      const id = `day-${this.seed}-${this.begunAt}-${at}`;
      this.ids.push(id);
      this.world.system.edit('visits', id, { route: 'north', status: 'planned', note: this.value('first') });
    }
    await this.world.untilEqual(this.replica);
    for (let step = 0; step < STEPS; step++) await this.take(this.draw());
  }

  async end(): Promise<void> {
    this.told.push('all is well');
    await this.heal();
    // After a restore nobody may be able to tell what became of an edit: it is an operator's.
    await this.world.untilEqual(this.replica, () => this.world.refuseParked());
    const done = this.world.system.journal.slice(this.begunAt);
    const bodies = done.filter(({ method }) => method !== 'DELETE').map(({ id, body }) => JSON.stringify([id, body]));
    const twice = bodies.find((body, at) => bodies.indexOf(body) !== at);
    if (twice !== undefined) throw new Error(`twice in the journal: ${twice}`);
    const refused = this.replica.refusals();
    const lost = [...this.lastNotes].filter(
      ([id, note]) =>
        !done.some((write) => write.id === id && write.body['note'] === note) &&
        !refused.includes(id) &&
        !this.contested.has(id),
    );
    // A refusal of which nobody could say any more which record it was may be of one of them.
    const nameless = refused.filter((id) => !this.ids.includes(id)).length;
    if (lost.length > nameless) throw new Error(`lost: ${JSON.stringify(lost)}; refused: ${refused.join()}`);
  }

  /** What the day leaves is out of the way of the next: on another route. */
  async close(): Promise<void> {
    await this.heal();
    await this.replica.close();
    for (const id of this.world.system.records('visits', 'north').keys())
      if (this.ids.includes(id)) this.world.system.edit('visits', id, { route: 'south' });
  }

  private async heal(): Promise<void> {
    this.world.system.isDown = false;
    this.world.doublesPushes = false;
    await this.world.proxy.set({ kind: 'pass' });
  }

  private draw(): Happening {
    const all = Object.entries(WEIGHTS) as readonly [Happening, number][];
    let left = this.chance() * all.reduce((sum, [, weight]) => sum + weight, 0);
    return all.find(([, weight]) => (left -= weight) < 0)?.[0] ?? 'sync';
  }

  private async take(what: Happening): Promise<void> {
    const { world, replica } = this;
    const shown = [...(await replica.all('visits')).keys()].filter((id) => this.ids.includes(id)).sort();
    const mine = this.pick(shown);
    const theirs = this.pick([...world.system.records('visits', 'north').keys()].filter((id) => this.ids.includes(id)));
    switch (what) {
      case 'create':
        return this.create();
      case 'note':
      case 'minutes':
        return mine === undefined ? undefined : this.edit(mine, what);
      case 'remove':
        if (mine === undefined) return;
        this.told.push(`the nurse removes ${mine}`);
        this.lastNotes.delete(mine);
        return replica.remove('visits', mine);
      case 'officeNote':
        return this.office(theirs, { note: this.value('office') });
      case 'officeMinutes':
        return this.office(theirs, { minutes: 100_000 + ++this.values });
      case 'officeMove':
        return this.office(theirs, { route: 'south' });
      case 'officeRemove':
        if (theirs === undefined) return;
        this.told.push(`the office removes ${theirs}`);
        return world.system.remove('visits', theirs);
      default:
        this.told.push(what);
        return this.happen(what);
    }
  }

  private async happen(
    what: Exclude<
      Happening,
      'create' | 'note' | 'minutes' | 'remove' | 'officeNote' | 'officeMinutes' | 'officeMove' | 'officeRemove'
    >,
  ): Promise<void> {
    const { world, replica } = this;
    switch (what) {
      case 'sync':
        await replica.sync().catch((thrown: unknown) => this.told.push(`  ${String(thrown).slice(0, 200)}`));
        return;
      case 'fault':
        return world.proxy.set(this.drawFault());
      case 'pass':
        return world.proxy.set({ kind: 'pass' });
      case 'double':
        world.doublesPushes = !world.doublesPushes;
        return;
      case 'down':
      case 'up':
        world.system.isDown = what === 'down';
        return;
      case 'read':
        return world.system.isDown ? undefined : world.untilRead();
      case 'expire':
        return world.expire();
      case 'newEpoch':
        world.system.isDown = false;
        return world.newEpoch();
      case 'kill':
        await world.kill();
        return world.restart();
    }
  }

  private async create(): Promise<void> {
    const id = randomUUID();
    const note = this.value('made');
    this.ids.push(id);
    this.lastNotes.set(id, note);
    this.told.push(`the nurse makes ${id} ${note}`);
    await this.replica.create('visits', id, { route: 'north', status: 'planned', note });
  }

  private async edit(id: string, what: 'note' | 'minutes'): Promise<void> {
    const fields: RecordFields = what === 'note' ? { note: this.value('nurse') } : { minutes: ++this.values };
    if (what === 'note') this.lastNotes.set(id, String(fields['note']));
    this.told.push(`the nurse edits ${id} ${JSON.stringify(fields)}`);
    await this.replica.edit('visits', id, fields);
  }

  private office(id: string | undefined, fields: RecordFields): void {
    if (id === undefined) return;
    if ('note' in fields) this.contested.add(id);
    this.told.push(`the office edits ${id} ${JSON.stringify(fields)}`);
    this.world.system.edit('visits', id, fields);
  }

  private drawFault(): FaultMode {
    const isSteady = this.chance() < 0.6;
    if (isSteady) return this.chance() < 0.4 ? { kind: 'refuse' } : (this.pick(FAULTS) as Fault);
    return () => (this.chance() < 0.5 ? (this.pick(FAULTS) as Fault) : { kind: 'pass' });
  }

  private pick<Item>(items: readonly Item[]): Item | undefined {
    return items[Math.floor(this.chance() * items.length)];
  }

  /** Written once in all days. */
  private value(what: string): string {
    return `${what} ${this.seed}-${this.begunAt}-${++this.values}`;
  }
}
