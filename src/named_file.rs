//! Files that somebody names, read up to a limit: a device or a log that was named by mistake must not fill the memory.

use std::fs::File;
use std::io::{Error, Read as _, Result};
use std::path::Path;

/// Bytes of a file. A matrix of 5,000 rules is below 1 MiB, and so are all certificate authorities of a system.
const MOST: u64 = 4 * 1024 * 1024;

/// What is in the file.
///
/// # Errors
/// Those of the file; of a kind of its own when it is larger than 4 MiB.
pub fn bytes(path: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MOST + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > MOST {
        true => Err(Error::other("it is larger than 4 MiB")),
        false => Ok(bytes),
    }
}

/// The same, as text.
pub fn text(path: &Path) -> Result<String> {
    String::from_utf8(bytes(path)?).map_err(|_| Error::other("it is no text in UTF-8"))
}
