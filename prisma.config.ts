import { defineConfig } from 'prisma/config';

/** For Prisma's own tools; the gateway migrates by itself at start. */
export default defineConfig({
  schema: 'prisma/schema.prisma',
  migrations: { path: 'prisma/migrations' },
  datasource: { url: process.env['DATABASE_URL'] ?? 'postgresql://localhost/tidegate' },
});
