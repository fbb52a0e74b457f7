/** One product of the store room, in one or more sizes. */
export interface Product {
  readonly name: string;
  readonly unit: SupplyUnit;
  readonly price: string;
  readonly sizes: readonly string[];
}

export const SUPPLY_UNITS = ['piece', 'pair', 'pack', 'box', 'bottle', 'roll', 'tube'] as const;
export type SupplyUnit = (typeof SUPPLY_UNITS)[number];

export const SUPPLY_CATEGORIES = [
  'woundCare',
  'fixation',
  'injection',
  'infusion',
  'gloves',
  'hygiene',
  'incontinence',
  'urology',
  'diagnostics',
  'respiratory',
  'nutrition',
  'protection',
  'mobility',
] as const;
export type SupplyCategory = (typeof SUPPLY_CATEGORIES)[number];

/** The first letters of the keys of a category. */
export const LETTERS: Readonly<Record<SupplyCategory, string>> = {
  woundCare: 'WND',
  fixation: 'FIX',
  injection: 'INJ',
  infusion: 'INF',
  gloves: 'GLV',
  hygiene: 'CLN',
  incontinence: 'INC',
  urology: 'URO',
  diagnostics: 'DIA',
  respiratory: 'RSP',
  nutrition: 'NUT',
  protection: 'PRO',
  mobility: 'MOB',
};

const SQUARES = ['5 x 5 cm', '7.5 x 7.5 cm', '10 x 10 cm', '15 x 15 cm', '10 x 20 cm'];
const WIDTHS = ['4 cm x 5 m', '6 cm x 5 m', '8 cm x 5 m', '10 cm x 5 m', '12 cm x 5 m'];
const HANDS = ['XS', 'S', 'M', 'L', 'XL'];
const BODIES = ['S', 'M', 'L', 'XL'];
const FRENCH = ['CH 12', 'CH 14', 'CH 16', 'CH 18', 'CH 20'];
const MASKS = ['child', 'S', 'M', 'L'];

function product(name: string, unit: SupplyUnit, price: string, sizes: readonly string[] = ['']): Product {
  return { name, unit, price, sizes };
}

export const PRODUCTS: Readonly<Record<SupplyCategory, readonly Product[]>> = {
  woundCare: [
    product('Gauze compress, sterile, 8-ply', 'pack', '1.35', SQUARES),
    product('Non-woven compress, unsterile', 'pack', '2.10', SQUARES.slice(0, 3)),
    product('Foam dressing with silicone border', 'piece', '6.80', SQUARES),
    product('Foam dressing, heel', 'piece', '9.40', ['small', 'large']),
    product('Hydrocolloid dressing', 'piece', '4.25', SQUARES),
    product('Calcium alginate dressing', 'piece', '3.90', SQUARES.slice(0, 4)),
    product('Hydrofibre dressing with silver', 'piece', '8.75', SQUARES.slice(0, 4)),
    product('Hydrogel for dry wounds', 'tube', '5.60', ['8 g', '15 g', '25 g']),
    product('Wound contact layer, silicone', 'piece', '3.45', SQUARES.slice(0, 4)),
    product('Superabsorbent dressing', 'piece', '4.95', ['10 x 10 cm', '10 x 20 cm', '20 x 20 cm', '20 x 30 cm']),
    product('Activated carbon dressing', 'piece', '5.85', SQUARES.slice(2)),
    product('Adhesive wound dressing, sterile', 'box', '7.90', ['5 x 7.2 cm', '8 x 10 cm', '8 x 15 cm', '10 x 25 cm']),
    product('Wound irrigation solution, polyhexanide', 'bottle', '8.20', ['40 ml', '350 ml', '1000 ml']),
    product('Barrier film spray', 'bottle', '9.95', ['28 ml', '50 ml']),
    product('Wound closure strips', 'pack', '2.60', ['3 x 75 mm', '6 x 75 mm', '12 x 100 mm']),
    product('Suture removal set, sterile', 'piece', '2.15'),
    product('Dressing change set, sterile', 'piece', '1.95', ['standard', 'large']),
    product('Negative pressure canister', 'piece', '38.00', ['300 ml', '800 ml']),
  ],
  fixation: [
    product('Conforming bandage, elastic', 'roll', '0.85', WIDTHS),
    product('Short-stretch compression bandage', 'roll', '4.70', WIDTHS.slice(1)),
    product('Cohesive bandage', 'roll', '2.30', WIDTHS.slice(0, 4)),
    product('Zinc paste bandage', 'roll', '6.15', ['8 cm x 7 m', '10 cm x 7 m']),
    product('Padding bandage, synthetic', 'roll', '1.05', ['6 cm x 3 m', '10 cm x 3 m', '15 cm x 3 m']),
    product('Tubular bandage, cotton', 'roll', '7.80', ['size 1', 'size 2', 'size 3', 'size 5', 'size 7']),
    product('Fixation fleece, self-adhesive', 'roll', '5.45', [
      '5 cm x 10 m',
      '10 cm x 10 m',
      '15 cm x 10 m',
      '20 cm x 10 m',
    ]),
    product('Surgical tape, silk', 'roll', '1.20', ['1.25 cm x 9.2 m', '2.5 cm x 9.2 m', '5 cm x 9.2 m']),
    product('Surgical tape, paper', 'roll', '0.90', ['1.25 cm x 9.2 m', '2.5 cm x 9.2 m']),
    product('Triangular bandage', 'piece', '0.75'),
  ],
  injection: [
    product('Insulin pen needle', 'box', '16.90', ['31 G x 5 mm', '31 G x 6 mm', '31 G x 8 mm', '32 G x 4 mm']),
    product('Syringe, three-part, Luer lock', 'box', '9.80', ['2 ml', '5 ml', '10 ml', '20 ml', '50 ml']),
    product('Insulin syringe U-100 with needle', 'box', '18.40', ['0.5 ml', '1 ml']),
    product('Safety cannula', 'box', '12.60', ['20 G yellow', '21 G green', '23 G blue', '25 G orange', '26 G brown']),
    product('Blunt filling needle', 'box', '7.40', ['18 G']),
    product('Sharps container', 'piece', '2.95', ['0.5 l', '1.5 l', '3 l']),
  ],
  infusion: [
    product('Infusion set, gravity', 'piece', '1.15', ['150 cm', '180 cm']),
    product('Subcutaneous infusion set', 'piece', '3.70', ['24 G', '27 G']),
    product('Peripheral venous catheter', 'box', '44.00', ['18 G', '20 G', '22 G', '24 G']),
    product('Sodium chloride solution 0.9 %', 'bottle', '2.20', ['10 ml', '100 ml', '250 ml', '500 ml', '1000 ml']),
    product('Ringer acetate solution', 'bottle', '2.75', ['500 ml', '1000 ml']),
    product('Glucose solution 5 %', 'bottle', '2.40', ['250 ml', '500 ml']),
    product('Port needle, safety', 'piece', '6.90', ['19 G x 20 mm', '20 G x 15 mm', '20 G x 20 mm']),
    product('Three-way stopcock', 'piece', '0.95'),
  ],
  gloves: [
    product('Examination gloves, nitrile', 'box', '6.50', HANDS),
    product('Surgical gloves, sterile, latex-free', 'pair', '1.60', ['6.0', '6.5', '7.0', '7.5', '8.0', '8.5']),
    product('Examination gloves, vinyl', 'box', '5.20', BODIES),
    product('Household gloves, reusable', 'pair', '2.40', ['S', 'M', 'L']),
  ],
  hygiene: [
    product('Hand disinfectant, alcohol-based', 'bottle', '4.10', ['100 ml', '500 ml', '1000 ml']),
    product('Skin antiseptic spray', 'bottle', '5.30', ['50 ml', '250 ml']),
    product('Surface disinfection wipes', 'pack', '6.75', ['80 wipes', '120 wipes']),
    product('Octenidine wound and mucosa antiseptic', 'bottle', '7.95', ['50 ml', '250 ml', '500 ml']),
    product('Wash gloves, disposable', 'pack', '3.60', ['50 pieces']),
    product('Wet care wipes', 'pack', '2.45', ['80 wipes']),
    product('Skin protection cream', 'tube', '4.80', ['100 ml', '200 ml']),
    product('Zinc oxide paste', 'tube', '3.95', ['100 g']),
    product('Mouth care sticks, lemon and glycerine', 'pack', '2.70', ['75 sticks']),
    product('Shampoo cap, rinse-free', 'piece', '2.95'),
  ],
  incontinence: [
    product('Incontinence briefs, night', 'pack', '13.90', BODIES),
    product('Pull-up pants', 'pack', '12.80', BODIES),
    product('Shaped pads', 'pack', '9.70', ['normal', 'plus', 'super']),
    product('Fixation pants, reusable', 'pack', '4.60', BODIES),
    product('Bed protection pads', 'pack', '8.40', ['40 x 60 cm', '60 x 60 cm', '60 x 90 cm']),
  ],
  urology: [
    product('Foley catheter, silicone', 'piece', '7.60', FRENCH),
    product('Catheter insertion set, sterile', 'piece', '5.90'),
    product('Urine bag, sterile, drainable', 'piece', '3.20', ['1.5 l', '2 l']),
    product('Leg bag', 'piece', '2.85', ['500 ml', '750 ml']),
    product('Intermittent catheter, hydrophilic', 'box', '89.00', ['CH 10', 'CH 12', 'CH 14']),
    product('Condom urinal', 'box', '42.50', ['25 mm', '30 mm', '35 mm']),
    product('Catheter lubricant gel', 'box', '19.80', ['6 ml', '11 ml']),
    product('Ostomy bag, closed, two-piece', 'box', '96.00', ['45 mm', '55 mm', '70 mm']),
    product('Ostomy base plate', 'box', '54.00', ['45 mm', '55 mm', '70 mm']),
  ],
  diagnostics: [
    product('Blood pressure cuff, reusable', 'piece', '18.90', ['17-22 cm', '22-32 cm', '32-42 cm']),
    product('Blood glucose test strips', 'box', '21.50', ['50 strips']),
    product('Lancets, safety', 'box', '11.20', ['28 G', '30 G']),
    product('Urine test strips, 10 parameters', 'box', '14.30', ['100 strips']),
    product('Thermometer covers', 'box', '4.70', ['100 pieces']),
    product('ECG electrodes, adhesive', 'pack', '6.20', ['50 pieces']),
    product('Pulse oximeter, finger', 'piece', '29.90'),
    product('Wound measuring grid', 'pack', '3.30', ['50 sheets']),
  ],
  respiratory: [
    product('Oxygen nasal cannula', 'piece', '1.40', ['adult, 2 m', 'adult, 5 m', 'child, 2 m']),
    product('Oxygen mask', 'piece', '1.90', MASKS),
    product('Nebuliser mask with cup', 'piece', '4.30', ['child', 'adult']),
    product('Suction catheter', 'piece', '0.55', FRENCH.slice(0, 4)),
    product('Tracheostomy dressing, slit', 'pack', '8.60', ['8 x 9 cm', '10 x 10 cm']),
    product('Heat and moisture exchanger', 'piece', '2.65'),
    product('Inhalation solution, saline 0.9 %', 'box', '7.10', ['20 x 2.5 ml', '60 x 2.5 ml']),
  ],
  nutrition: [
    product('Sip feed, high energy', 'pack', '9.90', ['vanilla', 'strawberry', 'chocolate', 'coffee']),
    product('Tube feed, fibre', 'bottle', '6.40', ['500 ml', '1000 ml']),
    product('Feeding tube, PEG', 'piece', '48.00', ['CH 15', 'CH 20']),
    product('Enteral syringe', 'piece', '0.85', ['20 ml', '60 ml']),
    product('Gravity feeding set', 'piece', '2.90'),
    product('Thickening powder', 'pack', '11.80', ['300 g']),
  ],
  protection: [
    product('Surgical mask, type IIR', 'box', '4.90', ['50 pieces']),
    product('Respirator FFP2', 'box', '12.90', ['20 pieces']),
    product('Protective gown, disposable', 'pack', '14.50', ['M', 'L', 'XL']),
    product('Apron, polyethylene', 'roll', '6.10', ['75 x 125 cm']),
    product('Shoe covers', 'pack', '3.80', ['100 pieces']),
    product('Protective goggles', 'piece', '5.70'),
  ],
  mobility: [
    product('Heel protector, fleece', 'pair', '24.50'),
    product('Positioning cushion', 'piece', '32.00', ['40 x 40 cm', '40 x 80 cm', 'half-moon']),
    product('Sliding sheet', 'piece', '27.90', ['70 x 145 cm', '110 x 145 cm']),
    product('Crutch tip, rubber', 'pair', '3.40', ['16 mm', '19 mm', '22 mm']),
    product('Compression stockings, class 2', 'pair', '46.00', ['size I', 'size II', 'size III', 'size IV']),
    product('Anti-thrombosis stockings', 'pair', '11.60', BODIES),
    product('Non-slip socks', 'pair', '5.90', ['36-38', '39-42', '43-46']),
  ],
};

export const SUPPLIERS: readonly string[] = [
  'Lahn Medical Supply',
  'Hessen Klinikbedarf',
  'Sanitätshaus Elisabeth',
  'Nordmed Handel',
  'Rhein-Main Pharma Logistik',
];
