# The gateway on glibc (the embedded Postgres and its libraries need it), as an ordinary user.
# Targets: `gateway` (default) is the product alone; `demo` also holds the demo's sources.

FROM node:22-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts
COPY . .
RUN npm run build

FROM build AS demo
RUN mkdir -p /data && chown node:node /data
USER node
ENV TIDEGATE_DATA=/data
VOLUME /data

FROM build AS production
RUN npm prune --omit=dev --ignore-scripts

FROM node:22-bookworm-slim AS gateway
WORKDIR /app
ENV NODE_ENV=production HOST=0.0.0.0 TIDEGATE_DATA=/data
COPY --from=production /app/node_modules ./node_modules
COPY --from=production /app/dist ./dist
COPY --from=production /app/prisma/migrations ./prisma/migrations
COPY --from=production /app/package.json /app/schema.graphql /app/LICENSE ./
RUN mkdir -p /data && chown node:node /data
USER node
VOLUME /data
EXPOSE 4000
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:4000/readyz').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "dist/src/cli/main.js"]
CMD ["start"]
