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

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(extended: std::ffi::c_int) -> Error {
        let cause = rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(extended), None);
        failure("cpq.db", "to write", cause)
    }

    /// What lies outside the program passes once somebody looks after it; the rest is a defect of ours, and trying
    /// again would not help.
    #[test]
    fn every_result_code_has_its_class() {
        use rusqlite::ffi::*;
        let outside = [
            SQLITE_FULL,
            SQLITE_IOERR,
            SQLITE_IOERR_FSYNC,
            SQLITE_CANTOPEN,
            SQLITE_PERM,
            SQLITE_READONLY,
            SQLITE_CORRUPT,
            SQLITE_NOTADB,
            SQLITE_BUSY,
            SQLITE_BUSY_SNAPSHOT,
            SQLITE_LOCKED,
            SQLITE_PROTOCOL,
            SQLITE_NOMEM,
        ];
        for code in outside {
            let error = failed(code);
            assert_eq!(error.code, Code::StoreUnavailable, "{code}");
            assert!(
                error.class().passes_with_time() && error.message.contains("cpq.db"),
                "{error}"
            );
        }
        for code in [
            SQLITE_ERROR,
            SQLITE_CONSTRAINT_UNIQUE,
            SQLITE_MISUSE,
            SQLITE_TOOBIG,
            SQLITE_RANGE,
            SQLITE_MISMATCH,
        ] {
            let error = failed(code);
            assert_eq!(error.code, Code::Internal, "{code}");
            assert!(!error.class().passes_with_time());
        }
    }
}
