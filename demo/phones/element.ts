/** An element of the page, with its attributes and what is in it; texts are texts, never markup. */
export function element<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Readonly<Record<string, string>> = {},
  ...children: readonly (Node | string)[]
): HTMLElementTagNameMap[Tag] {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/** Sets a text where it is another one, so that a screen reader is told of what changed and of nothing else. */
export function setText(place: HTMLElement, text: string): void {
  if (place.textContent !== text) place.textContent = text;
}

/**
 * Brings the children of a list into this order. What stays is not touched, so that it keeps the focus and what is being typed into it;
 * where one with the focus has to move, the focus goes with it.
 */
export function arrange(list: HTMLElement, wanted: readonly HTMLElement[]): void {
  const focused = document.activeElement;
  for (const child of [...list.children]) if (!wanted.includes(child as HTMLElement)) child.remove();
  wanted.forEach((child, at) => {
    if (list.children[at] !== child) list.insertBefore(child, list.children[at] ?? null);
  });
  if (focused instanceof HTMLElement && list.contains(focused) && document.activeElement !== focused) focused.focus();
}

/** The time of day, to the second. */
export function timeOf(ms: number): string {
  return new Date(ms).toLocaleTimeString('en-GB');
}
