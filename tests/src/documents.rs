//! The code in the documents: it compiles and runs as their doctests.

/// The README.
#[doc = include_str!("../../README.md")]
#[derive(Debug)]
pub struct Readme;

/// The page about the attack suite.
#[doc = include_str!("../../docs/attack-suite.md")]
#[derive(Debug)]
pub struct AttackSuite;
