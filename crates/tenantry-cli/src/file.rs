//! Files that are named on the command line.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use crate::failure::Failure;

/// The longest file that is read, in bytes: keys and secrets are far below.
const MAX: u64 = 64 * 1024;

/// Reads a text of at most 64 KiB.
pub(crate) fn read_short(file: &Path) -> Result<String, Failure> {
    let read = || -> io::Result<String> { limited(File::open(file)?) };
    read().map_err(|error| Failure::told(format!("{} cannot be read: {error}", file.display())))
}

/// Reads all that `source` gives, which must be a text of at most 64 KiB.
pub(crate) fn limited(source: impl Read) -> io::Result<String> {
    let mut text = String::new();
    source.take(MAX + 1).read_to_string(&mut text)?;
    if u64::try_from(text.len()).unwrap_or(u64::MAX) > MAX {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is longer than 64 KiB"));
    }
    Ok(text)
}
