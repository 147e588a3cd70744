# Debian 13 carries librdkafka 2.8, so nothing besides Herald is built here. The tag names the release,
# not a day: a build takes what security updates there are. `tools/try-image` runs these very steps
# without a Docker engine.
FROM debian:trixie-slim AS build
WORKDIR /src
# The slow part first, and by itself: it is done again only when tools/setup changes.
COPY tools/setup tools/lib.sh tools/
RUN tools/setup
COPY . .
RUN cmake --preset release -DHERALD_TESTS=OFF -DHERALD_BENCH=OFF \
 && cmake --build --preset release --target herald \
 && strip build/release/herald
# The packages that own the libraries the program is linked to, for the last stage to install.
RUN ldd build/release/herald | awk '$2 == "=>" && $3 ~ /^\// { print $3 }' | xargs -n 1 realpath \
  | xargs dpkg-query -S | cut -d: -f1 | sort -u > /runtime-packages \
 && grep -q rocksdb /runtime-packages

# What feeds a demo: kcat, and examples/.
FROM debian:trixie-slim AS demo
RUN apt-get update \
 && apt-get install -y --no-install-recommends kcat \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --uid 10001 --create-home demo
WORKDIR /examples
COPY examples/ ./
USER demo
CMD ["./feed", "--help"]

# Herald itself; the last stage is what a plain `docker build` makes.
FROM debian:trixie-slim AS herald
COPY --from=build /runtime-packages /usr/local/share/herald/packages
# curl is there for health checks: which port to ask is a flag, so the check itself belongs to whoever
# starts the container (docker-compose.yml has one).
RUN apt-get update \
 && xargs -a /usr/local/share/herald/packages apt-get install -y --no-install-recommends \
      ca-certificates curl \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --uid 10001 --home-dir /var/lib/herald --create-home herald
COPY --from=build /src/build/release/herald /usr/local/bin/herald
COPY LICENSE examples/users.ndjson /usr/local/share/herald/
USER herald
WORKDIR /var/lib/herald
# Rows, positions and the instance's id: a container that comes back with it replays next to nothing.
# It is all that Herald writes to, so the root file system may be read-only.
VOLUME /var/lib/herald
EXPOSE 8080
# SIGTERM, Docker's default, is Herald's clean stop; it takes up to 10 s, which is Docker's patience.
ENTRYPOINT ["herald"]
CMD ["run", "--help"]
