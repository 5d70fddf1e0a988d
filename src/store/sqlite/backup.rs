//! A copy of a store in use, as of one moment.

use std::path::Path;

use cpq_domain::{Code, Error, Result};
use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};

use super::failure::failure;
use super::open::{self, File};

/// Copies the store into a new file, which only its owner can read, and looks the copy over before it gets its name.
/// Returns its bytes. Writers are not held up: the copy is made from one snapshot.
///
/// [`Code::RequestInvalid`] when there is a file already: a backup never replaces another.
pub(crate) fn backup(file: &File, to: &Path) -> Result<u64> {
    if to.exists() {
        let message = format!("the file {} is there already; nothing was written", to.display());
        return Err(Error::new(Code::RequestInvalid, message).next("name a file that is not there yet"));
    }
    let beside = to.with_added_extension("part");
    let made = copy(file, &beside).and_then(|()| {
        let named = std::fs::rename(&beside, to).and_then(|()| std::fs::metadata(to));
        named.map(|found| found.len()).map_err(|cause| refused(to, cause))
    });
    if made.is_err() {
        // What cannot be removed says by its name that it is not whole.
        let _ = std::fs::remove_file(&beside);
    }
    made
}

fn copy(file: &File, beside: &Path) -> Result<()> {
    let place = beside.display().to_string();
    let told = |cause| failure(&place, "to take the backup", cause);
    // What a broken-off backup left behind is no backup.
    let _ = std::fs::remove_file(beside);
    open::create(beside)?;
    let source = file.connection()?;
    let run = || {
        let mut target = Connection::open_with_flags(beside, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        // All pages in one step, or every commit of somebody else would start it over.
        let step = Backup::new(&source, &mut target)?.step(-1)?;
        // A copy has one file, whole as it is; it gets its log when it is opened as a store.
        target.pragma_update_and_check(None, "journal_mode", "DELETE", |_| Ok(()))?;
        let found: String = target.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        Ok((step, found))
    };
    match run().map_err(told)? {
        (StepResult::Done, found) if found == "ok" => Ok(()),
        (StepResult::Done, found) => {
            let message = format!(
                "the store {} is damaged, and so is its copy: {found}",
                file.place()
            );
            Err(Error::new(Code::StoreUnavailable, message)
                .next("keep your older backups; see `cpq store check`"))
        }
        _ => Err(Error::new(
            Code::StoreUnavailable,
            format!("the store {} is locked; no backup was taken", file.place()),
        )),
    }
}

fn refused(to: &Path, cause: std::io::Error) -> Error {
    let message = format!("the backup {} cannot be given its name: {cause}", to.display());
    Error::new(Code::StoreUnavailable, message)
}
