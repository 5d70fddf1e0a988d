//! Opening a store: only when it is ours, readable and not newer than this program; else nothing is touched.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cpq_domain::{Code, Error, Result};
use rusqlite::backup::Backup;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::damage;
use super::failure::failure;
use super::migrate;
use super::session::Session;
use crate::limits::{BUSY_MS, LOG_BYTES};
use crate::migration::{Migrated, Plan};

/// The oldest library that we open files with: 3.7.0 to 3.51.2 can corrupt a write-ahead log when a checkpoint meets a
/// reset of the log (sqlite.org/wal.html, "The WAL-reset bug").
const OLDEST_SQLITE: i32 = 3_051_003;
/// Pause between two tries to switch to the write-ahead log: SQLite gives up on that lock at once, without its usual
/// wait.
const SWITCH_PAUSE: Duration = Duration::from_millis(20);
/// Tries to switch; together as long as any other wait.
const SWITCH_TRIES: u32 = BUSY_MS as u32 / 20;

/// Held while a file is made and opened. Closing a file drops all locks that this process has on it (POSIX), so no
/// other opening of the same file may be under way.
static OPENING: Mutex<()> = Mutex::new(());

/// A store in a file.
#[derive(Clone)]
pub(crate) struct File {
    path: PathBuf,
    place: Arc<str>,
}

/// Opens the store in a file, making file and directory where they are missing. Blocks.
pub(crate) fn file_at(path: PathBuf) -> Result<(File, Session, Migrated)> {
    let place: Arc<str> = path.display().to_string().into();
    let mut connection = to_write(&path, &place)?;
    let migrated = migrate::run(&mut connection, &place)?;
    Ok((
        File {
            path,
            place: place.clone(),
        },
        Session::new(connection, place),
        migrated,
    ))
}

/// A connection to the file that may write, with its schema as it is. Makes the file where it is missing.
pub(super) fn to_write(path: &Path, place: &str) -> Result<Connection> {
    check_library(rusqlite::version_number())?;
    let _alone = OPENING.lock().unwrap_or_else(PoisonError::into_inner);
    create(path)?;
    damage::refuse(path, place)?;
    let connection = connect(path, place, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    migrate::check(&connection, place)?;
    switch_to_log(&connection).map_err(|cause| failure(place, "to open", cause))?;
    writer_pragmas(&connection).map_err(|cause| failure(place, "to open", cause))?;
    Ok(connection)
}

/// A connection to a file that is there, which has touched nothing yet. It could write, because only such a one can lock
/// the file.
pub(super) fn alone(path: &Path, place: &str) -> Result<Connection> {
    check_library(rusqlite::version_number())?;
    let _alone = OPENING.lock().unwrap_or_else(PoisonError::into_inner);
    damage::refuse(path, place)?;
    connect(path, place, OpenFlags::SQLITE_OPEN_READ_WRITE)
}

/// What opening the file would do to its schema. Makes no file and changes none. Blocks.
pub(crate) fn plan(path: &Path) -> Result<Plan> {
    let place = path.display().to_string();
    if !path.exists() {
        return Ok(Plan::behind(0, migrate::MIGRATIONS));
    }
    let _alone = OPENING.lock().unwrap_or_else(PoisonError::into_inner);
    damage::refuse(path, &place)?;
    let connection = look_at(path).map_err(|cause| failure(&place, "to open", cause))?;
    migrate::plan(&connection, &place)
}

/// The write-ahead log beside a file.
pub(super) fn log_of(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push("-wal");
    path.with_file_name(name)
}

/// Even a connection that only reads makes the files beside a store where they are missing, and leaves them. Without a
/// log there is nothing that it would need them for (sqlite.org/wal.html, "Read-Only Databases").
fn look_at(path: &Path) -> rusqlite::Result<Connection> {
    let connection = match log_of(path).exists() {
        true => Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?,
        false => {
            let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
            Connection::open_with_flags(unchanging(path), flags)?
        }
    };
    pragmas(&connection)?;
    Ok(connection)
}

/// The file as a URI that says that nobody changes it (sqlite.org/uri.html).
fn unchanging(path: &Path) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte);
    let bytes = path.as_os_str().as_encoded_bytes().iter();
    let written = bytes.map(|byte| match plain(*byte) {
        true => char::from(*byte).to_string(),
        false => format!("%{byte:02X}"),
    });
    format!("file:{}?immutable=1", written.collect::<String>())
}

/// What a fresh store in memory holds. Each is a copy of it: tests and simulations open thousands, and would spend a
/// quarter of their time on migrations.
static FRESH: Mutex<Option<(Connection, Migrated)>> = Mutex::new(None);

/// Opens a store that ends with the program.
pub(crate) fn in_memory() -> Result<(Session, Migrated)> {
    let place: Arc<str> = "in memory".into();
    let opening = |cause| failure(&place, "to open", cause);
    let mut connection = Connection::open_in_memory().map_err(opening)?;
    let mut fresh = FRESH.lock().unwrap_or_else(PoisonError::into_inner);
    if fresh.is_none() {
        *fresh = Some(made_fresh(&place)?);
    }
    let (from, migrated) = fresh.as_ref().expect("it was made");
    Backup::new(from, &mut connection)
        .and_then(|copy| copy.step(-1))
        .and_then(|_| pragmas(&connection))
        .map_err(opening)?;
    let migrated = migrated.clone();
    Ok((Session::new(connection, place.clone()), migrated))
}

fn made_fresh(place: &Arc<str>) -> Result<(Connection, Migrated)> {
    let open = || {
        let connection = Connection::open_in_memory()?;
        pragmas(&connection)?;
        Ok(connection)
    };
    let mut connection = open().map_err(|cause| failure(place, "to open", cause))?;
    let migrated = migrate::run(&mut connection, place)?;
    Ok((connection, migrated))
}

impl File {
    /// How errors name it.
    pub(super) fn place(&self) -> &str {
        &self.place
    }

    /// Bytes of the file and of its write-ahead log.
    pub(crate) fn sizes(&self) -> (u64, u64) {
        let bytes = |path: &Path| fs::metadata(path).map_or(0, |file| file.len());
        (bytes(&self.path), bytes(&log_of(&self.path)))
    }

    /// A connection that may write.
    pub(super) fn to_write(&self) -> Result<Connection> {
        to_write(&self.path, &self.place)
    }

    /// A further connection that cannot write.
    pub(super) fn connection(&self) -> Result<Connection> {
        let _alone = OPENING.lock().unwrap_or_else(PoisonError::into_inner);
        connect(&self.path, &self.place, OpenFlags::SQLITE_OPEN_READ_ONLY)
    }

    /// A further connection, for reading only.
    pub(super) fn reader(&self) -> Result<Session> {
        let connection = self.connection()?;
        let mut session = Session::new(connection, self.place.clone());
        session.only_read(true);
        Ok(session)
    }
}

fn connect(path: &Path, place: &str, flags: OpenFlags) -> Result<Connection> {
    let open = || {
        let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        pragmas(&connection)?;
        Ok(connection)
    };
    open().map_err(|cause| failure(place, "to open", cause))
}

/// Settings that touch nothing in the file.
fn pragmas(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(Duration::from_millis(BUSY_MS))?;
    // One plan for each statement, whatever it is bound to. Without this promise SQLite compiled most of our statements
    // anew at each use, in case the values of that one use made another plan better.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "cell_size_check", true)
}

fn writer_pragmas(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "synchronous", "FULL")?;
    // Each job is a savepoint of its group's transaction, and the pages that a job changes are kept as they were until it
    // ends: a few hundred. In a temporary file each of them is two writes; see docs/performance.md for what that cost.
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    // What was deleted is overwritten where that costs no further I/O.
    connection.pragma_update_and_check(None, "secure_delete", "FAST", |_| Ok(()))?;
    connection.pragma_update_and_check(None, "journal_size_limit", LOG_BYTES, |_| Ok(()))
}

fn switch_to_log(connection: &Connection) -> rusqlite::Result<()> {
    for _ in 1..SWITCH_TRIES {
        match connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(())) {
            Err(cause) if cause.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => {
                std::thread::sleep(SWITCH_PAUSE);
            }
            done => return done,
        }
    }
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))
}

fn check_library(version: i32) -> Result<()> {
    if version >= OLDEST_SQLITE {
        return Ok(());
    }
    let message =
        format!("the SQLite library has version {version}; versions before {OLDEST_SQLITE} can lose data");
    Err(Error::new(Code::StoreUnavailable, message).next("build with the bundled library"))
}

/// Makes the directory (0700) and an empty file (0600) where they are missing; leaves alone what is there.
pub(super) fn create(path: &Path) -> Result<()> {
    let refused = |what: &str, cause: std::io::Error| {
        let message = format!(
            "the store {} cannot be made: its {what} is refused",
            path.display()
        );
        Error::new(Code::StoreUnavailable, message).cause(cause)
    };
    if let Some(directory) = path
        .parent()
        .filter(|directory| !directory.as_os_str().is_empty())
    {
        let mut builder = fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder
            .recursive(true)
            .create(directory)
            .map_err(|cause| refused("directory", cause))?;
    }
    let mut options = fs::OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.write(true).create_new(true).open(path) {
        Err(cause) if cause.kind() != ErrorKind::AlreadyExists => Err(refused("file", cause)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_with_the_log_bug_is_refused() {
        assert_eq!(check_library(3_051_002).unwrap_err().code, Code::StoreUnavailable);
        check_library(rusqlite::version_number()).expect("the bundled one is fine");
    }
}
