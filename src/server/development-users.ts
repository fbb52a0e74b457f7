import { z } from 'zod';

/** Users of development mode by their names: what each may see, as a session has it. */
export const DEVELOPMENT_USERS = z.record(
  z
    .string()
    .regex(/^[A-Za-z0-9._-]{1,64}$/, 'expected a name of 1 to 64 characters of A-Z, a-z, 0-9, ".", "_" and "-"'),
  z.strictObject({
    /** As a session has them. */
    scopes: z.union([z.literal('every'), z.array(z.string())]),
    writes: z.array(z.string()).exactOptional(),
    roles: z.array(z.string()).exactOptional(),
    isOperator: z.boolean().exactOptional(),
  }),
);

export type DevelopmentUsers = Readonly<z.output<typeof DEVELOPMENT_USERS>>;
