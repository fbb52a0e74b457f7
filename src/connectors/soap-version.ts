/** The two versions of SOAP that are spoken. */
export type SoapVersion = '1.1' | '1.2';

/** What differs between them on the wire. */
export interface SoapDialect {
  readonly version: SoapVersion;
  /** Of the envelope, its parts and its faults. */
  readonly envelope: string;
  /** Of what is encoded: references, arrays. */
  readonly encoding: string;
  readonly mediaType: string;
  /** How a header says that it must be understood. */
  readonly mustUnderstand: string;
}

export const DIALECTS: Readonly<Record<SoapVersion, SoapDialect>> = {
  '1.1': {
    version: '1.1',
    envelope: 'http://schemas.xmlsoap.org/soap/envelope/',
    encoding: 'http://schemas.xmlsoap.org/soap/encoding/',
    mediaType: 'text/xml',
    mustUnderstand: '1',
  },
  '1.2': {
    version: '1.2',
    envelope: 'http://www.w3.org/2003/05/soap-envelope',
    encoding: 'http://www.w3.org/2003/05/soap-encoding',
    mediaType: 'application/soap+xml',
    mustUnderstand: 'true',
  },
};

export const INSTANCE_NAMESPACE = 'http://www.w3.org/2001/XMLSchema-instance';
export const XSD_NAMESPACE = 'http://www.w3.org/2001/XMLSchema';

/** The version of an envelope, by its namespace; null: it is none. */
export function dialectOf(namespace: string): SoapDialect | null {
  return Object.values(DIALECTS).find(({ envelope }) => envelope === namespace) ?? null;
}

/** HTTP headers that say what is asked for: SOAP 1.1 has one of its own for it, 1.2 a parameter of the media type. */
export function requestHeaders({ version, mediaType }: SoapDialect, action: string): Readonly<Record<string, string>> {
  const contentType = `${mediaType}; charset=utf-8`;
  if (version === '1.1') return { accept: mediaType, 'content-type': contentType, soapaction: `"${action}"` };
  const parameter = action === '' ? '' : `; action="${action.replace(/["\\]/g, '\\$&')}"`;
  return { accept: mediaType, 'content-type': `${contentType}${parameter}` };
}
