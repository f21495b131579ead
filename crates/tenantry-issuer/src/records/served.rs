//! What the server was started with.

use crate::issuer_name::IssuerName;

/// What the server of a database was started with last.
///
/// Commands that work on the same database have to judge by the same settings, also where the
/// issuer's name was an option of the server's command line.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Served {
    /// The issuer of its tokens.
    pub issuer: IssuerName,
    /// The issuer that its file names, where an option may have come before it. `None`: there was no
    /// file, so every other setting has its default.
    pub file_issuer: Option<IssuerName>,
}
