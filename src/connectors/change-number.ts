import type { SourceKey } from '../core/change.js';
import { kindOf } from '../core/field.js';
import type { Duration } from './duration.js';
import { CallFault } from './fault.js';
import type { Operation } from './transport.js';

/**
 * What a source tells about its filter by a number that grows with each change. Numbers are given out before their transactions end, so
 * that a lower one may show itself after a higher one: `gap`, `longestTransaction`, or both say how late.
 */
export interface ChangeNumberFacts {
  readonly kind: 'number';
  /** The parameter (REST) or argument (SOAP) that takes the number. */
  readonly param: string;
  /** The row's member with the number of its last change; every row has one. */
  readonly member: string;
  /** Does the filter give records of that very number? */
  readonly inclusive: boolean;
  /** A change may become visible after one whose number is higher by so much at most. Absent: 0. */
  readonly gap?: number;
  /** A change may become visible this long after its number was given out. Absent: at once. */
  readonly longestTransaction?: Duration;
  /** How numbers are written: `digits` (default), `hex` like 0x00000000000007D1, `base64` of eight bytes; up to 2^64. */
  readonly form?: NumberForm;
  /** Puts the written number into what the parameter takes, like a query. Default: the number itself. */
  readonly render?: (number: string) => string;
}

export type NumberForm = 'digits' | 'hex' | 'base64';

/** Changes are found by a number that grows with each of them: an SQL rowversion, a change number, a sequence. */
export function changeNumber<Op extends Operation>(
  facts: Omit<ChangeNumberFacts, 'kind'> & { readonly list?: Op },
): ChangeNumberFacts & { readonly list?: Op } {
  return { kind: 'number', ...facts };
}

/** Numbers to and from a source's texts. */
export interface ChangeNumbers {
  /** What the parameter takes, so that everything from this number on comes. */
  argument(from: bigint): string;
  /** @throws CallFault badAnswer - the row has no number that can be read exactly */
  of(row: unknown): bigint;
}

const HIGHEST = 2n ** 64n - 1n;

const READ: { readonly [form in NumberForm]: (text: string) => bigint | null } = {
  digits: (text) => (/^\d{1,20}$/.test(text) ? BigInt(text) : null),
  hex: (text) => (/^(0x)?[0-9a-f]{1,16}$/i.test(text) ? BigInt(`0x${text.replace(/^0x/i, '')}`) : null),
  base64: (text) => (/^[A-Za-z0-9+/]{11}=$/.test(text) ? Buffer.from(text, 'base64').readBigUInt64BE() : null),
};

const WRITE: { readonly [form in NumberForm]: (number: bigint) => string } = {
  digits: String,
  hex: (number) => `0x${number.toString(16).toUpperCase().padStart(16, '0')}`,
  base64(number) {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64BE(number);
    return bytes.toString('base64');
  },
};

export function compileChangeNumber({ member, inclusive, form = 'digits', render }: ChangeNumberFacts): ChangeNumbers {
  return {
    argument(from) {
      const given = inclusive ? from : from - 1n;
      const text = WRITE[form](given < 0n ? 0n : given > HIGHEST ? HIGHEST : given);
      return render === undefined ? text : render(text);
    },
    of(row) {
      const value = typeof row === 'object' && row !== null ? (row as Readonly<Record<string, unknown>>)[member] : row;
      const isExact = typeof value === 'string' || (typeof value === 'number' && Number.isSafeInteger(value));
      const number = isExact ? READ[form](String(value).trim()) : null;
      if (number !== null && number <= HIGHEST) return number;
      const wanted = typeof value === 'number' ? 'digits as a text, since JSON does not keep such a number' : form;
      throw new CallFault(
        'badAnswer',
        `expected each row to have its number of change in ${member}, as ${wanted}, got ${kindOf(value)}`,
        {
          sourceIsSick: false,
        },
      );
    },
  };
}

/** A record that had one of the highest numbers when it was last looked at. */
export interface Anchor {
  readonly number: bigint;
  readonly key: SourceKey;
}

/** Our place in a source's numbers. */
export interface NumberPlace {
  /** All changes up to this number have been read; -1: none. */
  readonly settled: bigint;
  /** The highest ones that were seen, highest first: where they are gone, the source is not what it was. */
  readonly anchors: readonly Anchor[];
}

export function writePlace({ settled, anchors }: NumberPlace, member: string): string {
  return JSON.stringify({
    v: 1,
    by: member,
    settled: String(settled),
    anchors: anchors.map(({ number, key }) => [String(number), key]),
  });
}

/** Null for what is not ours: an older form, another fact, another member. */
export function readPlace(text: string, member: string): NumberPlace | null {
  try {
    const found = JSON.parse(text) as {
      readonly v?: unknown;
      readonly by?: unknown;
      readonly settled: string;
      readonly anchors: readonly (readonly [string, SourceKey])[];
    };
    if (found.v !== 1 || found.by !== member) return null;
    const anchors = found.anchors.map(([number, key]) => ({ number: BigInt(number), key }));
    return { settled: BigInt(found.settled), anchors };
  } catch {
    return null;
  }
}
