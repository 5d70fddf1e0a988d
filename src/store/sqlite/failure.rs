//! What SQLite reports, in the words of the house.

use cpq_domain::{Code, Error};
use rusqlite::ErrorCode;

/// A failure of the store named `place`, while it was `doing` something.
pub(super) fn failure(place: &str, doing: &str, cause: rusqlite::Error) -> Error {
    let Some((why, next)) = cause.sqlite_error_code().and_then(reason) else {
        let message = format!("the store {place} refused {doing}");
        return Error::new(Code::Internal, message).cause(cause);
    };
    let mut error = Error::new(
        Code::StoreUnavailable,
        format!("the store {place} failed {doing}: {why}"),
    );
    if let Some(next) = next {
        error = error.next(next);
    }
    error.cause(cause)
}

/// Why, and what to do, for failures that lie outside the program.
fn reason(code: ErrorCode) -> Option<(&'static str, Option<&'static str>)> {
    let damaged = Some("restore a backup (docs/store.md); the damaged file was not changed");
    let found = match code {
        ErrorCode::DiskFull => (
            "the disk is full",
            Some("free some space; the store then works again by itself"),
        ),
        ErrorCode::SystemIoFailure => ("the disk reported an error", None),
        ErrorCode::CannotOpen => ("the file cannot be opened", None),
        ErrorCode::PermissionDenied | ErrorCode::ReadOnly => ("this user may not write it", None),
        ErrorCode::DatabaseCorrupt => ("the file is damaged", damaged),
        ErrorCode::NotADatabase => (
            "the file is not a store",
            Some("name another file; this one was not changed"),
        ),
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => (
            "another process kept it locked",
            Some("stop the other process, or wait for it"),
        ),
        ErrorCode::FileLockingProtocolFailed => {
            ("the file system cannot lock files", Some("use a local disk"))
        }
        ErrorCode::OutOfMemory => ("there is no memory left", None),
        _ => return None,
    };
    Some(found)
}
