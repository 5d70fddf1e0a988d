//! The sealing keys on disk: one line per key, `cpq-key-1 <id> <base64>`, the newest last, readable by the owner only.

use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cpq_domain::world::World;
use cpq_domain::{Code, Error, Result};
use zeroize::Zeroizing;

use crate::limits::KEY_FILE_BYTES;
use crate::seal::SealingKey;

const PREFIX: &str = "cpq-key-1";

/// Reads the keys, oldest first; writes a file with one fresh key if there is none.
pub(crate) fn read_or_create(path: &Path, world: &dyn World) -> Result<Vec<SealingKey>> {
    let _lock = lock(path)?;
    if !path.exists() {
        write(path, &[SealingKey::random(world)])?;
    }
    read(path)
}

/// Changes the keys atomically: whoever reads meanwhile sees all of the old or all of the new file.
pub(crate) fn change(path: &Path, edit: impl FnOnce(&mut Vec<SealingKey>)) -> Result<Vec<SealingKey>> {
    let _lock = lock(path)?;
    let mut keys = read(path)?;
    edit(&mut keys);
    write(path, &keys)?;
    Ok(keys)
}

/// Reads the keys, oldest first.
pub(crate) fn read(path: &Path) -> Result<Vec<SealingKey>> {
    let file = File::open(path).map_err(|cause| unusable(path, "cannot be read", cause))?;
    refuse_shared(path, &file)?;
    let mut text = Zeroizing::new(String::with_capacity(4096));
    file.take(KEY_FILE_BYTES)
        .read_to_string(&mut text)
        .map_err(|cause| unusable(path, "cannot be read", cause))?;
    let lines = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    let keys: Option<Vec<_>> = lines.map(parse).collect();
    keys.filter(|keys| !keys.is_empty()).ok_or_else(|| {
        Error::new(
            Code::ConfigInvalid,
            format!("the sealing key file {} is empty or malformed", path.display()),
        )
        .next("put the file back from its backup; without it the connections must be connected again")
    })
}

fn parse(line: &str) -> Option<SealingKey> {
    let mut words = line.split_ascii_whitespace();
    let (prefix, id, key) = (words.next()?, words.next()?, words.next()?);
    let key = SealingKey::parse(key)?;
    (prefix == PREFIX && key.id.to_string() == id && words.next().is_none()).then_some(key)
}

/// Writes next to the file, flushes, then renames: a crash leaves the old file or the new one.
fn write(path: &Path, keys: &[SealingKey]) -> Result<()> {
    let mut text = Zeroizing::new(String::with_capacity(4096));
    text.push_str(
        "# Sealing keys of cpq. Whoever has this file and the database has the tokens. Newest last.\n",
    );
    for key in keys {
        let base64 = Zeroizing::new(STANDARD.encode(key.bytes.as_ref()));
        writeln!(text, "{PREFIX} {} {}", key.id, *base64).expect("writing to a string cannot fail");
    }
    let fresh = beside(path, "new");
    let stored = store(&fresh, path, text.as_bytes());
    stored.map_err(|cause| unusable(path, "cannot be written", cause))
}

fn store(fresh: &Path, path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    // A leftover of a crash may have other rights; ours must be new.
    if fresh.exists() {
        std::fs::remove_file(fresh)?;
    }
    let mut file = private(OpenOptions::new().write(true).create_new(true)).open(fresh)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(fresh, path)?;
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

/// One process at a time may create or change the file. The lock ends with the returned file.
fn lock(path: &Path) -> Result<File> {
    let locked = || {
        let file = private(OpenOptions::new().write(true).create(true).truncate(false))
            .open(beside(path, "lock"))?;
        file.lock()?;
        Ok(file)
    };
    locked().map_err(|cause: std::io::Error| unusable(path, "cannot be locked", cause))
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    PathBuf::from(name)
}

#[cfg(unix)]
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600)
}

#[cfg(not(unix))]
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

#[cfg(unix)]
fn refuse_shared(path: &Path, file: &File) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let metadata = file
        .metadata()
        .map_err(|cause| unusable(path, "cannot be read", cause))?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 == 0 {
        return Ok(());
    }
    let message = format!(
        "the sealing key file {} is open to others (mode {mode:03o})",
        path.display()
    );
    Err(Error::new(Code::ConfigInvalid, message).next(format!(
        "run `chmod 600 {}`; if others could log in here, rotate the key",
        path.display()
    )))
}

#[cfg(not(unix))]
fn refuse_shared(_path: &Path, _file: &File) -> Result<()> {
    Ok(())
}

fn unusable(path: &Path, what: &str, cause: std::io::Error) -> Error {
    Error::new(
        Code::StoreUnavailable,
        format!("the sealing key file {} {what}: {cause}", path.display()),
    )
    .cause(cause)
}
