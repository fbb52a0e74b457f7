import { element, setText } from './element.js';
import { openOffice } from './office.js';
import { openPhone, type Nurse } from './phone.js';

/** The demo's two nurses; the office between them. */
const NURSES: readonly Nurse[] = [
  { user: 'nadia', name: 'Nadia’s phone', route: 'route R-01' },
  { user: 'omar', name: 'Omar’s phone', route: 'route R-02' },
];

const place = document.getElementById('places') as HTMLElement;
try {
  const phones = await Promise.all(
    NURSES.map((nurse) =>
      openPhone(nurse, (count) =>
        setText(linkTo(nurse), count === 0 ? nurse.name : `${nurse.name} (${count} to decide)`),
      ),
    ),
  );
  place.replaceChildren(...phones, openOffice());
} catch (fault) {
  place.replaceChildren(element('p', { role: 'alert' }, `This browser cannot hold the phones: ${String(fault)}`));
}

/** In the page's list of places, which a small screen always shows. */
function linkTo({ user }: Nurse): HTMLElement {
  return document.querySelector(`nav a[href="#${user}"]`) as HTMLElement;
}
