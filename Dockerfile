# weir without the demonstration, as a user of its own.
FROM rust:1.95-bookworm AS build
WORKDIR /build
COPY Cargo.toml Cargo.lock ./
COPY benches benches
COPY src src
RUN cargo build --release --locked --no-default-features

FROM debian:bookworm-slim
# curl asks /ready for the health check of docker-compose.yml.
RUN apt-get update \
    && apt-get install -y --no-install-recommends curl \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /var/lib/weir --shell /usr/sbin/nologin weir \
    && install -d -o weir -g weir -m 700 /var/lib/weir
COPY --from=build /build/target/release/weir /usr/local/bin/weir
USER weir
VOLUME /var/lib/weir
ENTRYPOINT ["weir"]
CMD ["run", "--config", "/etc/weir/weir.toml"]
