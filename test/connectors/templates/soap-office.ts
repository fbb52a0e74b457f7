import { answered, faulted, notesWsdl, startNotes } from '../soap/notes-source.js';

interface Note {
  readonly title: string;
  readonly version: number;
  readonly changedAt: string;
}

/** A SOAP 1.1 service, document/literal wrapped, that offers what the templates of SOAP sources take up, over real HTTP. */
export interface SoapOffice {
  readonly url: string;
  put(id: string, title: string): string;
  remove(id: string): void;
  /** Edits that were begun and neither committed nor cancelled. */
  openEdits(): number;
  close(): Promise<void>;
}

const PAGE = 12;
const OPERATIONS = {
  ListNotes: ['from:int', 'size:int', 'changedSince:string'],
  GetNote: ['id:string'],
  CreateNote: ['note:Note'],
  UpdateNote: ['note:Note'],
  DeleteNote: ['id:string', 'version:int'],
  BeginEdit: ['id:string', 'version:int'],
  ChangeNote: ['editId:string', 'note:Note'],
  CommitEdit: ['editId:string'],
  CancelEdit: ['editId:string'],
} as const;
const ANSWERS: Readonly<Record<string, readonly string[]>> = {
  ListNotes: ['notes:Notes', 'total:int'],
  BeginEdit: ['editId:string'],
};

export async function startSoapOffice(): Promise<SoapOffice> {
  const notes = new Map<string, Note>();
  const edits = new Map<string, { readonly id: string; readonly title: string | null }>();
  const server = await startNotes();
  let begun = 0;
  server.wsdl = () => ({ body: officeWsdl() });

  function put(id: string, title: string): string {
    notes.set(id, { title, version: (notes.get(id)?.version ?? 0) + 1, changedAt: new Date().toISOString() });
    return id;
  }

  function xmlOf(id: string): string {
    const note = notes.get(id);
    if (note === undefined) return '';
    const { title, version, changedAt } = note;
    return `<note><id>${id}</id><version>${version}</version><title>${escaped(title)}</title><changedAt>${changedAt}</changedAt></note>`;
  }

  function listed(valueIn: (name: string) => string | undefined): string {
    const since = valueIn('changedSince');
    const found = [...notes.keys()]
      .sort()
      .filter((id) => since === undefined || (notes.get(id)?.changedAt ?? '') > since);
    const from = Number(valueIn('from') ?? 0);
    const size = valueIn('size') === undefined ? found.length : Math.min(PAGE, Number(valueIn('size')));
    const page = found
      .slice(from, from + size)
      .map(xmlOf)
      .join('');
    return `<notes>${page}</notes><total>${found.length}</total>`;
  }

  /** Why a write of this note from this version is not done; null: it may be. */
  function objection(id: string, version: string | undefined, title: string | undefined): string | null {
    const note = notes.get(id);
    if (note === undefined) return fault('NOT_FOUND', 'no such note');
    if (version !== undefined && version !== String(note.version))
      return fault('VERSION_CONFLICT', 'changed meanwhile');
    return title === 'refused' ? fault('INVALID', 'is no title', 'title') : null;
  }

  function answerTo(operation: string, valueIn: (name: string) => string | undefined): string {
    const id = valueIn('id') ?? '';
    const title = valueIn('title');
    const edit = edits.get(valueIn('editId') ?? '');
    switch (operation) {
      case 'ListNotes':
        return listed(valueIn);
      case 'GetNote':
        return xmlOf(id) || fault('NOT_FOUND', 'no such note');
      case 'CreateNote':
        put(id, title ?? '');
        return xmlOf(id);
      case 'UpdateNote': {
        const why = objection(id, valueIn('version'), title);
        if (why === null) put(id, title ?? notes.get(id)?.title ?? '');
        return why ?? xmlOf(id);
      }
      case 'DeleteNote': {
        const why = objection(id, valueIn('version'), undefined);
        if (why === null) notes.delete(id);
        return why ?? '';
      }
      case 'BeginEdit': {
        const why = objection(id, valueIn('version'), undefined);
        if (why !== null) return why;
        begun += 1;
        edits.set(`E-${begun}`, { id, title: null });
        return `<editId>E-${begun}</editId>`;
      }
      default:
        if (edit === undefined) return fault('NOT_FOUND', 'no such edit');
    }
    if (operation === 'ChangeNote') {
      const why = objection(edit.id, undefined, title);
      if (why === null) edits.set(valueIn('editId') ?? '', { ...edit, title: title ?? null });
      return why ?? '';
    }
    edits.delete(valueIn('editId') ?? '');
    if (operation === 'CancelEdit') return '';
    put(edit.id, edit.title ?? notes.get(edit.id)?.title ?? '');
    return xmlOf(edit.id);
  }

  server.answer = ({ body }) => {
    const operation = Object.keys(OPERATIONS).find((name) => new RegExp(`:${name}[ />]`).test(body)) ?? '';
    const valueIn = (name: string): string | undefined => {
      const found = new RegExp(`:${name}>([^<]*)<`).exec(body)?.[1];
      return found === undefined ? undefined : unescaped(found);
    };
    const said = answerTo(operation, valueIn);
    return said.startsWith(FAULT)
      ? { status: 500, body: said.slice(FAULT.length) }
      : { body: answered(operation, said), headers: { date: new Date().toUTCString() } };
  };
  for (let at = 10; at < 10 + PAGE + 4; at += 1) put(`N-${at}`, `note ${at}`);
  return {
    url: `${server.url}/notes`,
    put,
    remove: (id) => void notes.delete(id),
    openEdits: () => edits.size,
    close: () => server.close(),
  };
}

const FAULT = 'fault:';

function fault(code: string, message: string, field = ''): string {
  const named = field === '' ? '' : `<field>${field}</field>`;
  return FAULT + faulted('S:Client', message, `<detail><NoteFault><code>${code}</code>${named}</NoteFault></detail>`);
}

function officeWsdl(): string {
  const element = (text: string): string => {
    const [name = '', type = ''] = text.split(':');
    const isOwn = type === 'Note' || type === 'Notes';
    return `<xsd:element name="${name}" type="${isOwn ? 'tns' : 'xsd'}:${type}" minOccurs="0"/>`;
  };
  const message = (name: string, parts: readonly string[]): string =>
    `<xsd:element name="${name}"><xsd:complexType><xsd:sequence>${parts.map(element).join('')}</xsd:sequence></xsd:complexType></xsd:element>`;
  const types = `<xsd:complexType name="Note"><xsd:sequence>${['id:string', 'version:int', 'title:string', 'changedAt:dateTime'].map(element).join('')}</xsd:sequence></xsd:complexType>
<xsd:complexType name="Notes"><xsd:sequence><xsd:element name="note" type="tns:Note" minOccurs="0" maxOccurs="unbounded"/></xsd:sequence></xsd:complexType>`;
  const messages = Object.entries(OPERATIONS).map(
    ([name, parts]) => message(name, parts) + message(`${name}Response`, ANSWERS[name] ?? ['note:Note']),
  );
  return notesWsdl({ schema: types + messages.join(''), operations: Object.keys(OPERATIONS) });
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}

function unescaped(text: string): string {
  return text.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&quot;', '"').replaceAll('&amp;', '&');
}
