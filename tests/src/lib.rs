//! Tests across the crates live in `tests/`.
