//! The state directory: who can get at it, the sealing key, and whether the disk has room.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use super::finding::{Check, Group, size};
use crate::app::{KEY_VARIABLE, keyring};
use crate::cli::place;
use crate::config::Config;
use crate::world::RealWorld;

const HERE: Group = Group::StateDirectory;
/// Free space below which nothing can be relied on: the write-ahead log alone grows to that much.
const SCARCE: u64 = 64 * 1024 * 1024;
/// Free space below which somebody should know.
const LOW: u64 = 1024 * 1024 * 1024;

/// The checks.
pub fn examine(config: &Config) -> Vec<Check> {
    let mut checks = modes(&config.state_dir);
    checks.push(key(config));
    checks.push(files(config));
    checks.push(disk(&config.state_dir));
    checks
}

/// Whether others can look into the directory.
pub fn modes(dir: &Path) -> Vec<Check> {
    let name = "directory";
    let place = dir.display();
    let metadata = match std::fs::metadata(dir) {
        Ok(metadata) if metadata.is_dir() => metadata,
        Ok(_) => {
            let found = format!("{place} is no directory");
            return vec![Check::fail(
                HERE,
                name,
                found,
                "name another one with --state-dir",
            )];
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let found = format!("{place} is not there yet; the first command that needs it makes it");
            return vec![Check::warn(
                HERE,
                name,
                found,
                "run `cpq auth connect-crm`, or name the directory of an installation with --state-dir",
            )];
        }
        Err(error) => {
            let fix =
                format!("let the user of this command read {place}, or run it as the user of `cpq serve`");
            return vec![Check::fail(
                HERE,
                name,
                format!("{place} cannot be looked at: {error}"),
                fix,
            )];
        }
    };
    let mode = metadata.permissions().mode() & 0o777;
    let told = format!("{place} has mode {mode:03o}");
    let fix = format!("run `chmod 700 {place}`");
    let check = match (mode & 0o022, mode & 0o077) {
        (0, 0) if rustix::fs::access(dir, rustix::fs::Access::WRITE_OK).is_err() => Check::fail(
            HERE,
            name,
            format!(
                "{told}, belongs to user {}, and this user may not write to it",
                metadata.uid()
            ),
            "run cpq as the user that owns the directory",
        ),
        (0, 0) => Check::ok(HERE, name, told),
        (0, _) => Check::warn(HERE, name, format!("{told}: others may look into it"), fix),
        _ => Check::fail(
            HERE,
            name,
            format!("{told}: others may change what is in it"),
            fix,
        ),
    };
    vec![check]
}

/// The key that seals tokens at rest.
fn key(config: &Config) -> Check {
    let name = "sealing key";
    let is_named = std::env::var(KEY_VARIABLE).is_ok_and(|value| !value.is_empty());
    let file = config.in_state_dir(&config.sealing.key_file);
    if !is_named && !file.exists() {
        // Reading would make one.
        let found = format!("{} is not there yet; the first login makes it", file.display());
        return Check::warn(
            HERE,
            name,
            found,
            "run `cpq auth connect-crm`, or put the key back from its backup",
        );
    }
    match keyring(config, &RealWorld::new()) {
        Err(error) => Check::failed(HERE, name, &error),
        Ok(_) if is_named => Check::ok(HERE, name, format!("from the variable {KEY_VARIABLE}")),
        Ok(keys) => {
            let newest = keys.key_ids().last().map_or(String::new(), ToString::to_string);
            Check::ok(
                HERE,
                name,
                format!(
                    "{} can be read by its owner only, newest key {newest}",
                    file.display()
                ),
            )
        }
    }
}

/// Files that hold what others must not read.
fn files(config: &Config) -> Check {
    let store = config.in_state_dir(&config.store.file);
    let token = config.state_dir.join(place::CLI_TOKEN);
    let open = [store, token]
        .into_iter()
        .filter(|file| std::fs::metadata(file).is_ok_and(|file| file.permissions().mode() & 0o077 != 0));
    let open: Vec<String> = open.map(|file| file.display().to_string()).collect();
    match open.is_empty() {
        true => Check::ok(
            HERE,
            "files",
            "store and token of the command line can be read by their owner only",
        ),
        false => Check::fail(
            HERE,
            "files",
            format!("others may read {}", open.join(" and ")),
            format!(
                "run `chmod 600 {}`; if others could log in here, revoke the token with `cpq token revoke`",
                open.join(" ")
            ),
        ),
    }
}

fn disk(dir: &Path) -> Check {
    let name = "disk";
    let existing = dir.ancestors().find(|dir| dir.exists()).unwrap_or(Path::new("."));
    let Ok(found) = rustix::fs::statvfs(existing) else {
        return Check::skipped(
            HERE,
            name,
            format!("the file system of {} does not tell", dir.display()),
        );
    };
    let (free, all) = (found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize);
    let told = format!("{} free of {}", size(free), size(all));
    let fix = "make room, or move the state directory: writes are refused when the disk is full, and nothing is lost";
    match free {
        0..SCARCE => Check::fail(HERE, name, told, fix),
        SCARCE..LOW => Check::warn(HERE, name, told, fix),
        _ => Check::ok(HERE, name, told),
    }
}
