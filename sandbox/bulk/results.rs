//! The three result sets of an ingest job: every uploaded row is in exactly one of them.

use super::job::{Ingest, Job, Work};
use super::outcome::Outcome;
use super::upload::Upload;
use csv::StringRecord;

/// First version that says which record a refused row was about (Get Job Failed Record Results).
pub const FAILED_IDS_SINCE: u16 = 53;

/// Rows that were written, behind the id of their record and whether it was made.
pub fn successful(job: &Job) -> String {
    set(job, "sf__Created", |outcome| match outcome {
        Outcome::Done { id, created } => Some((id.to_string(), created.to_string())),
        Outcome::Failed { .. } => None,
    })
}

/// Rows that were refused, behind the id of their record, if they had one, and the reason.
pub fn failed(job: &Job) -> String {
    set(job, "sf__Error", |outcome| match outcome {
        Outcome::Done { .. } => None,
        Outcome::Failed { id, error } => {
            let id = id.filter(|_| job.version >= FAILED_IDS_SINCE);
            let id = id.map(|id| id.to_string()).unwrap_or_default();
            Some((id, error.to_string()))
        }
    })
}

/// Rows that nobody looked at, as they were uploaded.
pub fn unprocessed(job: &Job) -> String {
    let Some(upload) = upload(job) else {
        return String::new();
    };
    let rest = String::from_utf8_lossy(upload.unprocessed());
    let eol = match upload.header_text().is_empty() {
        true => "",
        false => job.dialect.line_ending.text(),
    };
    format!("{}{eol}{rest}", upload.header_text())
}

fn upload(job: &Job) -> Option<&Upload> {
    match &job.work {
        Work::Ingest(Ingest { upload, .. }) => upload.as_ref(),
        Work::Query(_) => None,
    }
}

/// The rows for which there is an id and a note. The header of the upload is kept letter by letter, quotes included;
/// values are all in quotes.
fn set(job: &Job, noted: &str, note: impl Fn(&Outcome) -> Option<(String, String)>) -> String {
    let (dialect, eol) = (job.dialect, job.dialect.line_ending.text());
    let between = char::from(dialect.delimiter.byte());
    let mut head = format!("\"sf__Id\"{between}\"{noted}\"");
    let Some(upload) = upload(job) else {
        return head + eol;
    };
    if !upload.header_text().is_empty() {
        head.push(between);
        head.push_str(upload.header_text());
    }
    head.push_str(eol);
    let width = upload.header(dialect).len();
    let mut writer = dialect.writer(head.into_bytes());
    for (row, outcome) in upload.looked_at(dialect) {
        if let Some((id, note)) = note(outcome) {
            // A vector takes every byte.
            let _ = writer.write_record(line(&id, &note, &row, width));
        }
    }
    let bytes = writer.into_inner().unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Short rows are filled up, and what goes beyond the header is left out.
fn line<'r>(
    id: &'r str,
    note: &'r str,
    row: &'r StringRecord,
    width: usize,
) -> impl Iterator<Item = &'r str> {
    let values = (0..width).map(|at| row.get(at).unwrap_or_default());
    [id, note].into_iter().chain(values)
}
