import type { RxCollection } from 'rxdb';
import type { MarkedDocument } from './mark.js';

/**
 * The states that came last of documents that were pushed. RxDB skips what is pulled while a push of the same document ends, and its
 * checkpoint passes it: without a second look such a document would stay as the push left it until its record moves again.
 */
export interface LatestStates {
  /** The answer to a push of this change: from now on, until it is here. */
  watch(document: MarkedDocument, changeId: string): void;
  /** Documents of a page, in order. */
  see(documents: readonly MarkedDocument[]): void;
  /** What came and is not here, besides these. */
  missed(besides: readonly MarkedDocument[]): Promise<readonly MarkedDocument[]>;
}

export function createLatestStates<Doc>(collection: RxCollection<Doc>): LatestStates {
  const primary = collection.schema.primaryPath;
  const watched = new Map<string, { readonly changeId: string; readonly document: MarkedDocument }>();
  const idOf = (document: MarkedDocument): string => String(document[primary]);

  return {
    watch: (document, changeId) => void watched.set(idOf(document), { changeId, document }),
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
      for (const [id, { changeId, document }] of watched) {
        if (coming.has(id)) continue;
        const mark = (here.get(id)?.toJSON() as MarkedDocument | undefined)?.tidegate;
        const isHere = mark === undefined || mark.version === document.tidegate?.version;
        // Another edit, or a removal, is pushed, and its answer has the record as it then stands.
        const isEdited = mark?.changeId !== undefined && mark.changeId !== changeId;
        if (isHere || isEdited) watched.delete(id);
        else missed.push(document);
      }
      return missed;
    },
  };
}
