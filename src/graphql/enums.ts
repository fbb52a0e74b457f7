import { registerEnumType } from 'type-graphql';
import { RESET_REASONS } from '../core/checkpoint.js';
import { POLICIES } from '../core/collection.js';
import { FIELD_TYPES } from '../core/field.js';

/** An enum object whose keys are its values, as TypeGraphQL wants it. */
function named<T extends string>(values: readonly T[]): Readonly<Record<T, T>> {
  return Object.fromEntries(values.map((value) => [value, value])) as Record<T, T>;
}

export const ChangeKindEnum = named(['UPSERT', 'DELETE', 'REVOKE']);
export const ResetReasonEnum = named(RESET_REASONS);
export const DeviceStateEnum = named(['ACTIVE', 'EVICTED', 'REVOKED']);
export const PushKindEnum = named(['UPSERT', 'DELETE']);
export const PushStatusEnum = named(['APPLIED', 'MERGED', 'CONFLICT', 'REJECTED', 'ACCEPTED', 'PARKED']);
export const OpenStateEnum = named(['PENDING', 'SENT', 'IN_DOUBT', 'PARKED']);
export const SourceCallKindEnum = named(['create', 'update', 'delete']);
export const PlatformEnum = named(['ANDROID', 'IOS', 'WEB']);
export const CollectionStateEnum = named(['PRIMING', 'READY', 'HELD']);
export const StorageEnum = named(['snapshot', 'metadataOnly']);
export const PolicyEnum = named(POLICIES);
export const FieldTypeEnum = named(FIELD_TYPES);

registerEnumType(ChangeKindEnum, {
  name: 'ChangeKind',
  description: 'What became of a record.',
  valuesConfig: {
    UPSERT: { description: 'The record is as this change says: put it in, or over what you hold.' },
    DELETE: { description: 'The record is gone at its source: remove it.' },
    REVOKE: { description: 'The record still exists but is no longer yours: remove it, without calling it deleted.' },
  },
});
registerEnumType(ResetReasonEnum, {
  name: 'ResetReason',
  description: 'Why a pull begins again.',
  valuesConfig: {
    NEW_EPOCH: { description: 'The feed was rebuilt, or restored from a backup.' },
    EXPIRED: { description: 'The checkpoint is older than what is kept.' },
    OTHER_USER: { description: "It is another user's: wipe what is here before you show anything." },
    DEVICE_EVICTED: {
      description:
        'The device was silent for too long. Take a new device id: pushes under this one are refused for ever.',
    },
  },
});
registerEnumType(DeviceStateEnum, {
  name: 'DeviceState',
  description: 'How a device stands.',
  valuesConfig: {
    ACTIVE: { description: 'It may come in.' },
    EVICTED: { description: 'Silent for too long: it may pull, and pushes under another id only.' },
    REVOKED: { description: 'An operator took its rights away, for ever.' },
  },
});
registerEnumType(PushKindEnum, {
  name: 'PushKind',
  description: 'What a device did to a record.',
  valuesConfig: {
    UPSERT: { description: 'Created it, or changed the fields that are sent.' },
    DELETE: { description: 'Deleted it.' },
  },
});
registerEnumType(PushStatusEnum, {
  name: 'PushStatus',
  description: 'The fate of a pushed change. APPLIED, MERGED, CONFLICT and REJECTED are final.',
  valuesConfig: {
    APPLIED: { description: 'Final: the source holds it.' },
    MERGED: { description: 'Final: the source holds the fields that did not conflict.' },
    CONFLICT: { description: 'Final: made from a version that is no longer current, and refused by the policy.' },
    REJECTED: { description: 'Final: the gateway or the source refused it; `error` says why.' },
    ACCEPTED: {
      description: 'Safe in the gateway and on its way. Keep the change until its receipt comes in a pull.',
    },
    PARKED: { description: 'An operator must settle it; a final receipt follows.' },
  },
});
registerEnumType(OpenStateEnum, {
  name: 'OpenState',
  description: 'How far an accepted change is that is not settled yet.',
  valuesConfig: {
    PENDING: { description: 'It waits for its turn, or for its source.' },
    SENT: { description: 'A call of it is under way.' },
    IN_DOUBT: { description: 'A call of it may have taken effect; the gateway is finding out.' },
    PARKED: { description: 'The gateway cannot find out, and an operator must decide.' },
  },
});
registerEnumType(SourceCallKindEnum, { name: 'SourceCallKind', description: 'What a source was asked to do.' });
registerEnumType(PlatformEnum, { name: 'Platform', description: 'Where an app runs.' });
registerEnumType(CollectionStateEnum, {
  name: 'CollectionState',
  description: 'How far a collection is.',
  valuesConfig: {
    PRIMING: { description: 'The first ingest has not come to its end: pulls are right, but not complete yet.' },
    READY: { description: 'All records of the source are here.' },
    HELD: { description: 'So many deletions came at once that an operator must look first; they are held back.' },
  },
});
registerEnumType(StorageEnum, {
  name: 'Storage',
  description: 'What the gateway keeps of a collection.',
  valuesConfig: {
    snapshot: { description: 'Whole records, so that pulls work while the source is down.' },
    metadataOnly: { description: 'No field value: bodies are read live.' },
  },
});
registerEnumType(PolicyEnum, {
  name: 'Policy',
  description: 'How a conflict is settled: when a change was made from a version that is no longer current.',
  valuesConfig: {
    sourceWins: { description: 'The pushed change is refused.' },
    deviceWins: { description: 'The pushed change is applied.' },
    newestWins: { description: "The later edit wins; the device's clock is corrected and clamped." },
    mergeFields: { description: 'Fields that do not conflict are applied, the others are left as they are.' },
    ask: { description: 'The pushed change goes back to its device, with everything that it made on top of it.' },
  },
});
registerEnumType(FieldTypeEnum, {
  name: 'FieldType',
  description: 'The type of a field; long and decimal are texts in JSON, date and dateTime ISO 8601 texts.',
});
