/** The names, streets and sentences that the clinic's records are made of. */

export const WOMENS_NAMES = words(`
  Anna Anneliese Ayşe Barbara Birgit Brigitte Christa Claudia Dorothea Edith Elfriede Elisabeth Elke Emma Erika
  Eva Fatma Franziska Friederike Gabriele Gerda Gertrud Gisela Hannelore Hedwig Heike Helga Hildegard Ilse Ingrid
  Irina Irmgard Jadwiga Johanna Karin Katharina Käthe Lieselotte Magdalena Margarete Maria Marlies Martha Monika
  Petra Renate Rosemarie Ruth Sabine Sieglinde Sophie Susanne Ursula Waltraud Wilhelmine
`);

export const MENS_NAMES = words(`
  Achim Albert Alfred Andreas Antonio Bernd Bernhard Dieter Dimitri Eberhard Erich Ernst Ferdinand Frank Franz
  Friedrich Fritz Georg Gerhard Günter Hans Hartmut Heinrich Heinz Helmut Herbert Hermann Horst Joachim Johann
  Jürgen Karl Klaus Konrad Kurt Lothar Ludwig Manfred Martin Mehmet Michael Norbert Otto Paul Peter Rainer
  Reinhold Rolf Rudolf Siegfried Stefan Theodor Werner Wilhelm Wolfgang
`);

export const SURNAMES = words(`
  Albrecht Arnold Bauer Becker Bergmann Böhm Brandt Braun Busch Demir Dietrich Engel Fischer Frank Franke Fuchs
  Graf Groß Günther Haas Hahn Hartmann Heinrich Herrmann Hoffmann Hofmann Horn Huber Jäger Jansen Kaiser Keller
  Klein Koch Köhler König Kowalski Kraus Krause Krüger Kühn Lang Lehmann Lorenz Ludwig Maier Martin Mayer Meyer
  Möller Müller Nowak Otto Petrov Pfeiffer Pohl Richter Romano Roth Sauer Schäfer Schmidt Schmitt Schneider Scholz
  Schreiber Schröder Schubert Schulz Schumacher Schwarz Seidel Simon Sommer Stein Vogel Vogt Wagner Walter Weber
  Weiß Werner Winkler Winter Wolf Yılmaz Ziegler Zimmermann
`);

export const STREETS = names(`
  Ahornweg, Am Bahnhof, Am Mühlgraben, An der Kirche, Bachstraße, Bahnhofstraße, Bergstraße, Birkenweg,
  Brunnenstraße, Buchenweg, Dorfstraße, Eichenweg, Elisabethstraße, Frankfurter Straße, Friedhofsweg,
  Gartenstraße, Goethestraße, Hauptstraße, Hinter den Gärten, Kasseler Straße, Kirchstraße, Lahnstraße,
  Lindenweg, Marburger Straße, Marktplatz, Mühlenweg, Neue Straße, Oberdorf, Ringstraße, Rosenweg,
  Schillerstraße, Schulstraße, Sonnenhang, Steinweg, Talstraße, Untergasse, Waldstraße, Wiesenweg,
  Zum Sportplatz
`);

export const ALLERGIES = names(`penicillin, latex, iodine, adhesive plaster, ibuprofen, wool wax, nuts, bee stings`);

/** The rounds that the nurses drive, with the towns and villages of each. */
export const ROUNDS: readonly { readonly id: string; readonly name: string; readonly places: readonly string[] }[] = [
  { id: 'R-01', name: 'Marburg, old town', places: ['Marburg an der Lahn'] },
  { id: 'R-02', name: 'Marburg north and Cölbe', places: ['Marburg an der Lahn', 'Cölbe'] },
  { id: 'R-03', name: 'Wetter and Burgwald', places: ['Wetter', 'Münchhausen', 'Rosenthal', 'Battenberg'] },
  { id: 'R-04', name: 'Wohra valley', places: ['Rauschenberg', 'Gemünden an der Wohra'] },
  { id: 'R-05', name: 'Stadtallendorf', places: ['Stadtallendorf', 'Niederklein', 'Neustadt (Hessen)', 'Kirtorf'] },
  { id: 'R-06', name: 'Kirchhain and Amöneburg', places: ['Kirchhain', 'Amöneburg', 'Homberg'] },
  { id: 'R-07', name: 'Lahn valley south', places: ['Fronhausen', 'Lollar', 'Staufenberg', 'Lohra'] },
  { id: 'R-08', name: 'Gladenbach and Biedenkopf', places: ['Gladenbach', 'Bad Endbach', 'Breidenbach', 'Biedenkopf'] },
];

/** What the clinic does on a visit: how often, how long, at what price, with which supplies, and what is noted. */
export interface Treatment {
  readonly weight: number;
  readonly minutes: readonly number[];
  readonly price: string;
  readonly supplies: readonly string[];
  readonly planned: readonly string[];
  readonly done: readonly string[];
}

export const TREATMENTS = {
  woundCare: {
    weight: 20,
    minutes: [30, 40, 45],
    price: '38.50',
    supplies: ['WND-003', 'WND-011', 'WND-056', 'FIX-002', 'CLN-009'],
    planned: [
      'Wound on the left heel: renew the foam dressing, take a photo.',
      'Leg ulcer, right: clean, renew the dressing, compression afterwards.',
      'Surgical wound on the abdomen: check the edges, stitches come out next week.',
    ],
    done: [
      'Wound clean, edges pink, 2 cm smaller than last week. Foam dressing renewed.',
      'Some exudate, no smell, no fever. Dressing renewed, doctor told by phone.',
      'Healing well. From next week every third day is enough.',
      'Skin around the wound red and sore: barrier film applied, adhesive changed.',
    ],
  },
  medication: {
    weight: 22,
    minutes: [10, 15, 20],
    price: '12.40',
    supplies: ['GLV-013'],
    planned: [
      'Fill the weekly pill box, check the new prescription.',
      'Hand out the evening tablets, watch that they are taken.',
      'New blood thinner: explain it to the daughter as well.',
    ],
    done: [
      'Pill box filled for seven days, prescription for next week requested.',
      'Tablets taken in my presence.',
      'Two tablets of Monday left over: talked about it, told the doctor.',
    ],
  },
  injection: {
    weight: 12,
    minutes: [10, 15],
    price: '14.80',
    supplies: ['INJ-001', 'CLN-004', 'DIA-004', 'GLV-003'],
    planned: [
      'Insulin before breakfast, measure blood sugar first.',
      'Heparin injection, change the side.',
      'Vitamin B12, every fourth week.',
    ],
    done: [
      'Blood sugar 142 mg/dl, insulin given as prescribed.',
      'Heparin given on the left, no bruise.',
      'Blood sugar 88 mg/dl: breakfast first, insulin reduced after a call to the doctor.',
    ],
  },
  bloodPressure: {
    weight: 12,
    minutes: [10, 15],
    price: '9.60',
    supplies: [],
    planned: [
      'Measure on both arms, write it into the booklet.',
      'New tablets since Monday: measure sitting and standing.',
    ],
    done: [
      'Stable since last week.',
      'Slightly high, measured again after ten minutes of rest.',
      'Dizzy when standing up: doctor informed, dose halved from tomorrow.',
    ],
  },
  catheterCare: {
    weight: 7,
    minutes: [30, 40],
    price: '31.20',
    supplies: ['URO-003', 'URO-006', 'URO-008', 'GLV-008'],
    planned: ['Change the catheter, size 16.', 'Catheter care, change the bag.'],
    done: [
      'Catheter changed without problems, urine clear.',
      'Bag changed. Drinks too little: asked the family to keep a list.',
    ],
  },
  personalCare: {
    weight: 17,
    minutes: [30, 45, 60],
    price: '27.90',
    supplies: ['INC-006', 'GLV-003', 'CLN-011', 'CLN-014'],
    planned: [
      'Help with washing and dressing. Key is with the neighbour on the ground floor.',
      'Shower day, bring the shower stool in.',
      'Wash in bed, two people needed.',
    ],
    done: [
      'Washed and dressed, good mood, ate a whole roll.',
      'Refused the shower today, washed at the basin.',
      'Skin on the back intact, heels free.',
    ],
  },
  physiotherapy: {
    weight: 6,
    minutes: [30, 45],
    price: '42.00',
    supplies: [],
    planned: [
      'Walk with the frame, stairs up to the first floor.',
      'Breathing exercises and mobilisation of the right shoulder.',
    ],
    done: ['Walked 40 m with the frame, needs one break.', 'Shoulder up to 90 degrees without pain.'],
  },
  assessment: {
    weight: 4,
    minutes: [60, 75],
    price: '55.00',
    supplies: ['DIA-011'],
    planned: ['First visit: home, falls, nutrition, what the family can do.', 'Half-yearly talk about the care level.'],
    done: [
      'Loose rugs in the hall taken away, grab bar at the bath applied for.',
      'Care level reviewed, application for level 3 sent.',
      'Weight 3 kg down since spring: nutrition plan started.',
    ],
  },
} as const satisfies Readonly<Record<string, Treatment>>;
export type VisitKind = keyof typeof TREATMENTS;
export const VISIT_KINDS = Object.keys(TREATMENTS) as readonly VisitKind[];

/** What happens that should not, and how it is told. */
export const INCIDENTS = {
  fall: [
    'Found sitting beside the bed, no injury seen.',
    'Slipped in the bathroom, bruise on the left hip; physician informed.',
  ],
  medicationError: [
    'Evening dose given at noon; physician called, blood pressure watched.',
    'Pill box filled for the wrong week.',
  ],
  pressureInjury: [
    'Redness over the sacrum that does not blanch, 3 cm.',
    'Blister on the right heel after the hospital stay.',
  ],
  accessProblem: [
    'Key box empty, waited half an hour for the daughter.',
    'House door locked from inside, fire brigade called.',
  ],
  aggression: ['Pushed the hand away and shouted during wound care.', 'The dog bit into the trouser leg.'],
} as const satisfies Readonly<Record<string, readonly string[]>>;
export const INCIDENT_KINDS = Object.keys(INCIDENTS) as readonly (keyof typeof INCIDENTS)[];

export const CANCELLATIONS: readonly string[] = [
  'In hospital since last night.',
  'Family takes over this week.',
  'Nobody opened; reached the son by phone.',
  'Called off by the patient, comes to the practice instead.',
];

function words(text: string): readonly string[] {
  return text.trim().split(/\s+/);
}

function names(text: string): readonly string[] {
  return text.trim().split(/,\s+/);
}
