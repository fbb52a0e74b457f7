import path from 'node:path';

/** A link of a page to something of this project. */
export interface PageLink {
  readonly file: string;
  readonly link: string;
}

/** Texts of pages by path from the top of the project. */
export type Pages = ReadonlyMap<string, string>;

/** Links that lead nowhere: to a file that is not there, or to a heading that the page does not have. */
export function deadLinks(pages: Pages, exists: (file: string) => boolean): readonly PageLink[] {
  return [...pages].flatMap(([file, text]) =>
    linksOf(text)
      .filter((link) => !leadsSomewhere(pages, exists, file, link))
      .map((link) => ({ file, link })),
  );
}

function leadsSomewhere(pages: Pages, exists: (file: string) => boolean, file: string, link: string): boolean {
  const [target = '', heading] = link.split('#');
  const page = target === '' ? file : path.posix.join(path.posix.dirname(file), decodeURIComponent(target));
  if (!exists(page)) return false;
  if (heading === undefined) return true;
  const text = pages.get(page);
  return text !== undefined && headingAnchors(text).includes(heading);
}

/** Links of a page that stay within the project; those to the web, and what stands in code, are not ours to follow. */
function linksOf(text: string): readonly string[] {
  const prose = text.replaceAll(/^(```|~~~)[^]*?^\1/gm, '').replaceAll(/`[^`\n]*`/g, '');
  return [...prose.matchAll(/\]\(([^)\s]+)(?:\s+"[^"]*")?\)/g)]
    .map((match) => match[1] ?? '')
    .filter((link) => !/^[a-z][a-z0-9+.-]*:/i.test(link));
}

/** The anchors that a page's headings get: lower case, punctuation dropped, blanks as hyphens. */
function headingAnchors(text: string): readonly string[] {
  return [...text.matchAll(/^#{1,6} +(.+?) *$/gm)].map((match) =>
    (match[1] ?? '')
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

/** The rows of every table of a page as cells, without headings and rules. */
export function tableRows(text: string): readonly (readonly string[])[] {
  const lines = text.split('\n');
  return lines
    .filter((line, at) => line.startsWith('|') && !isRuler(line) && !isRuler(lines[at + 1] ?? ''))
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
}

function isRuler(line: string): boolean {
  return /^\|[\s:|-]+\|$/.test(line);
}
