# syntax=docker/dockerfile:1

# Debian 13 carries librdkafka 2.8, so nothing besides Herald is built here.
FROM debian:trixie-slim AS build
WORKDIR /src
# The slow part first, and by itself: it is done again only when tools/setup changes.
COPY tools/setup tools/lib.sh tools/
RUN tools/setup
COPY . .
RUN cmake --preset release -DHERALD_TESTS=OFF -DHERALD_BENCH=OFF \
 && cmake --build --preset release --target herald
# The packages that own the libraries the program is linked to, for the next stage to install.
RUN ldd build/release/herald | awk '$2 == "=>" && $3 ~ /^\// { print $3 }' | xargs -n 1 realpath \
  | xargs dpkg-query -S | cut -d: -f1 | sort -u > /runtime-packages \
 && grep -q rocksdb /runtime-packages

FROM debian:trixie-slim
# curl is there for health checks: which port to ask is a flag, so the check itself belongs to whoever
# starts the container (docker-compose.yml has one).
RUN --mount=type=bind,from=build,source=/runtime-packages,target=/tmp/runtime-packages \
    apt-get update \
 && xargs -a /tmp/runtime-packages apt-get install -y --no-install-recommends ca-certificates curl \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --uid 10001 --home-dir /var/lib/herald --create-home herald
COPY --from=build /src/build/release/herald /usr/local/bin/herald
COPY LICENSE examples/users.ndjson /usr/local/share/herald/
USER herald
# Rows, positions and the instance's id: a container that comes back with it replays next to nothing.
VOLUME /var/lib/herald
EXPOSE 8080
# SIGTERM, Docker's default, is Herald's clean stop; it takes up to 10 s, which is Docker's patience.
ENTRYPOINT ["herald"]
CMD ["run", "--help"]
