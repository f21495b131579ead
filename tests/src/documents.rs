//! The code in the documents: it compiles and runs as their doctests.

/// The README.
#[doc = include_str!("../../README.md")]
#[derive(Debug)]
pub struct Readme;

/// The page on revocation.
#[doc = include_str!("../../docs/revocation.md")]
#[derive(Debug)]
pub struct Revocation;
