import { membersOf, type XmlValue } from './soap-value.js';
import type { QName } from './xml-tree.js';

/** What a fault says, the same for both versions of SOAP. */
export interface SoapFault {
  /** Without prefixes; finer codes behind dots, also those that SOAP 1.2 has as subcodes: `Client`, `Sender.Unknown`. */
  readonly code: string;
  /** The code and its subcodes with their namespaces, from the coarsest on. */
  readonly codes: readonly QName[];
  readonly message: string;
  /** The fault's detail; null: it has none. */
  readonly detail: XmlValue;
}

/** Collects what of a fault is not in its texts alone: the namespaces of its codes, and the languages of its reasons. */
export class FaultReader {
  readonly #codes: QName[] = [];
  readonly #reasons: { readonly language: string; readonly text: string }[] = [];

  /** @param name a code as it is written @param resolve what its prefix stands for, where it stands */
  addCode(name: string, resolve: (prefix: string) => string | undefined): void {
    const text = name.trim();
    const colon = text.indexOf(':');
    const namespace = resolve(text.slice(0, Math.max(0, colon))) ?? '';
    this.#codes.push({ namespace, local: text.slice(colon + 1) });
  }

  addReason(language: string, text: string): void {
    this.#reasons.push({ language: language.toLowerCase(), text });
  }

  /** @param value the fault's element */
  fault(value: XmlValue): SoapFault {
    const { faultstring, detail, Detail } = membersOf(value);
    const reason = this.#reasons.find(({ language }) => /^en(-|$)/.test(language)) ?? this.#reasons[0];
    const told = reason?.text ?? faultstring;
    return {
      code: this.#codes.map(({ local }) => local).join('.'),
      codes: this.#codes,
      message: typeof told === 'string' ? told.trim() : '',
      detail: detail ?? Detail ?? null,
    };
  }
}
