//! The code in the documents: it compiles and runs as their doctests.

/// The README.
#[doc = include_str!("../../README.md")]
#[derive(Debug)]
pub struct Readme;

/// `docs/streams.md`.
#[doc = include_str!("../../docs/streams.md")]
#[derive(Debug)]
pub struct Streams;

/// Browsers on other origins.
#[doc = include_str!("../../docs/cors.md")]
#[derive(Debug)]
pub struct Cors;

/// OpenAPI documents.
#[doc = include_str!("../../docs/openapi.md")]
#[derive(Debug)]
pub struct Openapi;
/// The page on revocation.
#[doc = include_str!("../../docs/revocation.md")]
#[derive(Debug)]
pub struct Revocation;
/// The page about the directory.
#[doc = include_str!("../../docs/directory.md")]
#[derive(Debug)]
pub struct Directory;
/// The page about figures.
#[doc = include_str!("../../docs/metrics.md")]
#[derive(Debug)]
pub struct Metrics;
/// The page about the attack suite.
#[doc = include_str!("../../docs/attack-suite.md")]
#[derive(Debug)]
pub struct AttackSuite;
