import { GraphQLError, GraphQLScalarType, Kind, valueFromASTUntyped, type ValueNode } from 'graphql';
import { describe } from '../core/field.js';

/**
 * A scalar that is a text in JSON. Only that it is a text is checked here: what the text says is checked where it is read,
 * so that one bad value of a pushed change costs that change and not the whole request (R8).
 */
function textScalar(name: string, description: string): GraphQLScalarType<string, string> {
  return new GraphQLScalarType<string, string>({
    name,
    description,
    serialize: (value) => value as string,
    parseValue(value) {
      if (typeof value === 'string') return value;
      throw new GraphQLError(`${name} expects a text, got ${describe(value)}`);
    },
    parseLiteral(node) {
      if (node.kind === Kind.STRING) return node.value;
      throw new GraphQLError(`${name} expects a text, like "…"`, { nodes: node });
    },
  });
}

/** A scalar that is any JSON value of a kind. */
function jsonScalar(
  name: string,
  description: string,
  expected: string,
  fits: (value: unknown) => boolean,
): GraphQLScalarType {
  const parseValue = (value: unknown): unknown => {
    if (fits(value)) return value;
    throw new GraphQLError(`${name} expects ${expected}, got ${describe(value)}`);
  };
  return new GraphQLScalarType({
    name,
    description,
    serialize: (value) => value,
    parseValue,
    parseLiteral(node, variables) {
      refuseInexact(node);
      return parseValue(valueFromASTUntyped(node, variables));
    },
  });
}

/** Whole numbers that a double cannot hold would be rounded in silence. */
function refuseInexact(node: ValueNode): void {
  if (node.kind === Kind.INT && BigInt(node.value) !== BigInt(Number(node.value))) {
    throw new GraphQLError(`expected a number that a double holds exactly, got ${node.value}: send it as text`, {
      nodes: node,
    });
  }
  if (node.kind === Kind.LIST) node.values.forEach(refuseInexact);
  if (node.kind === Kind.OBJECT) node.fields.forEach((field) => refuseInexact(field.value));
}

const isObject = (value: unknown): boolean => typeof value === 'object' && value !== null && !Array.isArray(value);

export const CheckpointScalar = textScalar(
  'Checkpoint',
  "A device's place in the feed: opaque and signed. Keep the last one together with the records that came with it.",
);
export const VersionScalar = textScalar(
  'Version',
  "An opaque token of a record's state. Send it back as `baseVersion` of an edit that was made from this state.",
);
export const DateTimeScalar = textScalar(
  'DateTime',
  'A time with zone as ISO 8601 text. The gateway sends UTC with milliseconds, like "2026-01-31T12:00:00.000Z".',
);
export const JSONObjectScalar = jsonScalar(
  'JSONObject',
  'A JSON object: fields by name. Longs and decimals are texts, dates and times ISO 8601 texts.',
  'a JSON object',
  isObject,
);

/** Scalars that only fields of collections use; they are part of every schema. */
export const FIELD_SCALARS: readonly GraphQLScalarType[] = [
  textScalar('Date', 'A calendar day as text, like "2026-01-31".'),
  textScalar('Long', 'A whole number of 64 bits as text, like "9007199254740993".'),
  textScalar('Decimal', 'A decimal number as text, digit for digit as the source has it, like "12.50".'),
  jsonScalar('JSON', 'Any JSON value.', 'a JSON value', () => true),
];
