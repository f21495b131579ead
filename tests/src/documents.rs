//! The code in the documents: it compiles and runs as their doctests.

/// The README.
#[doc = include_str!("../../README.md")]
#[derive(Debug)]
pub struct Readme;

/// The page about the directory.
#[doc = include_str!("../../docs/directory.md")]
#[derive(Debug)]
pub struct Directory;
