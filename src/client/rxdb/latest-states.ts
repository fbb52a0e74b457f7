import type { RxCollection } from 'rxdb';
import type { MarkedDocument } from './mark.js';

/**
 * The states that came last of documents that were pushed. RxDB skips what is pulled while a push of the same document is under way or ends,
 * and its checkpoint passes it: without a second look such a document would stay as the push left it until its record moves again.
 */
export interface LatestStates {
  /** A change of the document leaves. */
  sent(id: string, changeId: string): void;
  /** It was answered. @param document what RxDB is told to take; null: nothing, a pull brings the record */
  answered(id: string, document: MarkedDocument | null): void;
  /** Documents of a page, in order. */
  see(documents: readonly MarkedDocument[]): void;
  /** What came and is not here, besides these. */
  missed(besides: readonly MarkedDocument[]): Promise<readonly MarkedDocument[]>;
}

interface Watched {
  readonly changeId: string;
  /** The newest state that is known of it since; null: none. */
  readonly document: MarkedDocument | null;
  readonly isAnswered: boolean;
}

export function createLatestStates<Doc>(collection: RxCollection<Doc>): LatestStates {
  const primary = collection.schema.primaryPath;
  const watched = new Map<string, Watched>();
  const idOf = (document: MarkedDocument): string => String(document[primary]);

  return {
    sent(id, changeId) {
      watched.set(id, { changeId, document: watched.get(id)?.document ?? null, isAnswered: false });
    },
    answered(id, document) {
      const known = watched.get(id);
      if (known !== undefined)
        watched.set(id, { ...known, document: newer(document, known.document), isAnswered: true });
    },
    see(documents) {
      for (const document of documents) {
        const known = watched.get(idOf(document));
        if (known !== undefined) watched.set(idOf(document), { ...known, document });
      }
    },
    async missed(besides) {
      if (watched.size === 0) return [];
      const coming = new Set(besides.map(idOf));
      const here = await collection.findByIds([...watched.keys()]).exec();
      const missed: MarkedDocument[] = [];
      for (const [id, { changeId, document, isAnswered }] of watched) {
        if (coming.has(id) || !isAnswered) continue;
        const held = here.get(id)?.toJSON() as MarkedDocument | undefined;
        if (held === undefined) watched.delete(id);
        if (held === undefined || document === null) continue;
        if (held.tidegate?.version === document.tidegate?.version) watched.delete(id);
        // While another edit waits RxDB would skip it again, and ask for the next page at once.
        else if ((held.tidegate?.changeId ?? changeId) === changeId) missed.push(document);
      }
      return missed;
    },
  };
}

/** The one with the later version. What came while a push was under way can be newer than its answer. */
function newer(answer: MarkedDocument | null, seen: MarkedDocument | null): MarkedDocument | null {
  if (answer === null || seen === null) return answer ?? seen;
  const [[epoch, seq], [seenEpoch, seenSeq]] = [versionOf(answer), versionOf(seen)];
  return epoch === seenEpoch && seq > seenSeq ? answer : seen;
}

function versionOf({ tidegate }: MarkedDocument): readonly [string, number] {
  const [epoch = '', seq = '0'] = (tidegate?.version ?? '').split('.');
  return [epoch, Number(seq)];
}
