# One image for every role: all services, and the operator's command. Builds with the classic builder too.
# The tag is that of rust-toolchain.toml.
FROM rust:1.95.0-bookworm AS base
# The image has the toolchain; the other components of rust-toolchain.toml are for developers.
ENV RUSTUP_TOOLCHAIN=1.95.0 SQLX_OFFLINE=true
WORKDIR /src

# The workspace without its code: what decides which dependencies are built.
FROM base AS manifests
COPY . .
RUN mkdir /skeleton \
    && cp -r --parents Cargo.toml Cargo.lock .cargo crates/*/Cargo.toml services/*/Cargo.toml tests/Cargo.toml /skeleton \
    && cd /skeleton \
    && for member in crates/* services/*; do \
           mkdir "$member/src" && touch "$member/src/lib.rs" && echo 'fn main() {}' > "$member/src/main.rs"; \
       done \
    && touch tests/lib.rs

FROM base AS build
COPY --from=manifests /skeleton .
RUN cargo build --release --locked --bins -p auth-service -p profile-service -p comm-service -p operator
COPY . .
# The names of functions stay for backtraces of the services; the operator's command does without.
# Cargo goes by times; those of the checkout are older than those of the skeleton.
RUN find crates services -name '*.rs' -exec touch {} + \
    && cargo build --release --locked --bins -p auth-service -p profile-service -p comm-service -p operator \
    && mkdir /out \
    && cd target/release \
    && strip --strip-debug -o /out/auth-service auth-service \
    && strip --strip-debug -o /out/profile-service profile-service \
    && strip --strip-debug -o /out/comm-service comm-service \
    && strip -o /out/medtrack medtrack

FROM debian:12.12-slim
COPY --from=build /out/ /usr/local/bin/
USER 10001:10001
ENV HTTP_ADDR=0.0.0.0:8000 INTERNAL_ADDR=0.0.0.0:9000
EXPOSE 8000 9000
CMD ["medtrack", "--help"]
