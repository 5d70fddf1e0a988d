//! What lies in the state directory besides the store: who runs, where, and the command line's own token.

use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use cpq_domain::Result;
use cpq_domain::error::{Code, Error};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// A process of ours that listens somewhere.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Listening {
    /// Base URL.
    pub url: String,
    /// Process id.
    pub pid: u32,
}

/// File of the running service.
pub const SERVICE: &str = "service.json";
/// File of the running sandbox.
pub const SANDBOX: &str = "sandbox.json";
/// File with the command line's own API token.
pub const CLI_TOKEN: &str = "cli.token";

/// Reads a JSON file of the state directory; `None` if it is not there or not readable as such.
pub fn load<T: DeserializeOwned>(dir: &Path, name: &str) -> Option<T> {
    serde_json::from_str(&std::fs::read_to_string(dir.join(name)).ok()?).ok()
}

/// Writes a file of the state directory that only its owner can read, whole or not at all.
pub fn save(dir: &Path, name: &str, text: &str) -> Result<PathBuf> {
    let path = dir.join(name);
    let written = || -> std::io::Result<()> {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir)?;
        let beside = dir.join(format!(".{name}.{}", std::process::id()));
        let mut file = std::fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&beside)?;
        std::io::Write::write_all(&mut file, text.as_bytes())?;
        std::fs::rename(&beside, &path)
    };
    written().map_err(|error| {
        let message = format!("cannot write {}: {error}", path.display());
        Error::new(Code::StoreUnavailable, message)
            .next("check the disk and the rights on the state directory")
    })?;
    Ok(path)
}

/// Removes a file of the state directory, if it is there.
pub fn remove(dir: &Path, name: &str) {
    // Not being there is what we want; anything else shows at the next write.
    let _ = std::fs::remove_file(dir.join(name));
}
