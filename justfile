# Commands for people. CI calls the same ones (see .ci/run).

# Everything that has to pass.
ci:
    bash .ci/run

# The quick checks.
check:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --all-features -- --deny warnings

test:
    cargo test --workspace --all-features

# One suite over every implementation.
conformance:
    cargo test --package reedbed-tests --test conformance

# What touches atomics, under all interleavings.
models:
    RUSTFLAGS="--cfg reedbed_loom" CARGO_TARGET_DIR=target/models cargo test --package reedbed --lib --release loom_

# What the parts of a call cost, and what memory costs.
bench:
    cargo bench --package reedbed --features internals

# Workers that are killed in every phase of a call; `just chaos --kills 10000`, `just chaos --seconds 86400`.
chaos *arguments:
    cargo chaos {{arguments}}

# A million calls, after which nothing has grown.
soak *arguments:
    cargo soak {{arguments}}

# Every decoder ten million times (nightly, cargo-fuzz), and mutants that must be found.
fuzz:
    tests/fuzz/run fuzz
    tests/fuzz/run mutants

# What address, thread or valgrind see.
sanitize with:
    tests/sanitize {{with}}

# Instructions, allocations and system calls of a call (valgrind, strace); `just instructions lent`.
instructions *calls:
    tests/instructions {{calls}}

# What one thing takes of another's time: `just ratios spawn`, `sandbox`, `inline`, `copy` or `cores`.
ratios *arguments:
    cargo ratios {{arguments}}

# The segmentation pipeline on the bundled image, into target/demo.
demo *arguments:
    cargo demo {{arguments}}

doc:
    cargo doc --workspace --all-features --no-deps --open

# Accept what the compiler now says of the macro's UI tests, after reading it.
bless:
    TRYBUILD=overwrite cargo test --package reedbed-tests --test ui --all-features
    REEDBED_BLESS=1 cargo test --package reedbed-macros
