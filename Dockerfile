# One image with the three programs: stele, stele-log, stele-witness. compose.yaml runs a log, four witnesses
# and a monitor from it; docs/containers.md says how. Keys are made in volumes, never here.
FROM node:20-slim AS build
WORKDIR /build/src
COPY package.json package-lock.json ./
RUN npm ci --include=dev --no-audit --no-fund
COPY . .
# What a release hands out, and of its dependencies what the lockfile names.
RUN node tools/build.mjs \
  && npm pack --silent \
  && mkdir ../app \
  && tar -xzf stele-*.tgz -C ../app --strip-components=1 \
  && cp package-lock.json ../app/ \
  && npm ci --prefix ../app --omit=dev --no-audit --no-fund \
  && mkdir ../bin \
  && chmod 0755 ../app/dist/*/main.js \
  && ln -s /opt/stele/dist/cli/main.js ../bin/stele \
  && ln -s /opt/stele/dist/log-server/main.js ../bin/stele-log \
  && ln -s /opt/stele/dist/witness/main.js ../bin/stele-witness

FROM node:20-slim
# Copies that a check works on lie beside what they are of, where they take no space: the root is read-only.
ENV NODE_ENV=production HOME=/data TMPDIR=/data
COPY --from=build /build/app /opt/stele
COPY --from=build /build/bin /usr/local/bin
# A volume that is mounted here takes over whose it is: the programs run as nobody else.
RUN install -d -m 0700 -o 1000 -g 1000 /data
VOLUME /data
WORKDIR /data
USER 1000:1000
EXPOSE 7380 7381
CMD ["stele", "--help"]
