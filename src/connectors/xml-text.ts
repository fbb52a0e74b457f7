/** Everything outside the characters of XML 1.0, half a surrogate pair included. */
const NOT_IN_XML = /[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/u;
const ESCAPES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '\r': '&#13;' };

/** The first character that XML 1.0 cannot carry, as its code; null: it can carry the text. */
export function unsendableIn(text: string): number | null {
  const found = NOT_IN_XML.exec(text);
  return found === null ? null : (found[0].codePointAt(0) ?? 0);
}

/** A text as an element has it. Every reader makes a line feed of a bare carriage return: that one is written as a reference. */
export function elementText(text: string): string {
  return text.replace(/[&<>\r]/g, (character) => ESCAPES[character] ?? character);
}

/** A text as an attribute in double quotes has it. */
export function attributeText(text: string): string {
  return text.replace(/[&<>"]/g, (character) => (character === '"' ? '&quot;' : (ESCAPES[character] ?? character)));
}
