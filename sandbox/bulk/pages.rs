//! What comes in pages: the list of jobs, and the results of a query job.

use super::answer::{Answer, Ask};
use super::book::Book;
use super::classic::job::ClassicJob;
use super::extract::Rows;
use super::ingest::{known, not_finished};
use super::job::{Detail, Job, State, Work};
use super::limits::{LIST_PAGE, RESULT_PAGES};
use super::properties::invalid;
use crate::org::{ApiError, Id};
use crate::state::lock;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use http::StatusCode;
use serde_json::{Value as Json, json};
use std::sync::Arc;

/// Last version whose locators are plain numbers (Get Results for a Query Job, older guides).
const PLAIN_LOCATORS_UNTIL: u16 = 48;

/// Where a page of results begins, and how many rows it has when the request does not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Locator {
    row: usize,
    rows: Option<usize>,
}

/// `GET` of all jobs (Get Information About All Jobs). The locator names the last job of the page before.
pub fn list(ask: &Ask<'_>, ingest: bool) -> Result<Answer, ApiError> {
    let wanted = Wanted::of(ask, ingest)?;
    let after = ask.parameter("queryLocator").map(job_before).transpose()?;
    let book = lock(&ask.sandbox.bulk.book);
    let mut jobs = wanted.jobs(&book, after);
    let more = jobs.len() > LIST_PAGE;
    jobs.truncate(LIST_PAGE);
    let next = jobs.last().filter(|_| more).map(|last| {
        let kind = if ingest { "ingest" } else { "query" };
        let text = last.id().to_string();
        let locator = Id::parse(&format!("01g{}", &text[3..15])).unwrap_or(last.id());
        format!(
            "/services/data/{}/jobs/{kind}?queryLocator={locator}-{LIST_PAGE}",
            ask.version.text
        )
    });
    let records: Vec<Json> = jobs.iter().map(Listed::to_json).collect();
    Ok(Answer::Json(
        json!({"done": !more, "records": records, "nextRecordsUrl": next}),
    ))
}

/// Which jobs a list has.
struct Wanted {
    /// Those of the Bulk API 2.0 that ingest, or those that query.
    newer: Option<bool>,
    /// Those of the older API, whatever they do (Get Information About All Query Jobs, jobType).
    classic: bool,
    /// Of these only those that are serial, or those that are not. Newer ones never are.
    serial: Option<bool>,
}

/// A job of either API.
enum Listed<'b> {
    Newer(&'b Job),
    Classic(&'b ClassicJob),
}

impl Wanted {
    fn of(ask: &Ask<'_>, ingest: bool) -> Result<Self, ApiError> {
        let is = |name: &str, value: &str| {
            ask.parameter(name)
                .is_some_and(|given| given.eq_ignore_ascii_case(value))
        };
        let (newer, classic) = match ask.parameter("jobType") {
            None => (Some(ingest), true),
            Some("V2Ingest") => (Some(true), false),
            Some("V2Query") => (Some(false), false),
            Some("Classic") => (None, true),
            Some("BigObjectIngest") => (None, false),
            Some(other) => return Err(invalid(other, "jobType")),
        };
        let (serial, parallel) = (is("concurrencyMode", "serial"), is("concurrencyMode", "parallel"));
        // Only jobs of the older API can be cut by primary key, and none is here.
        let any = !is("isPkChunkingEnabled", "true");
        Ok(Self {
            newer: newer.filter(|_| any && !serial),
            classic: classic && any,
            serial: (serial || parallel).then_some(serial),
        })
    }

    /// The jobs after this one, in the order of their making, whichever API made them.
    fn jobs<'b>(&self, book: &'b Book, after: Option<Id>) -> Vec<Listed<'b>> {
        let newer = book
            .after(after)
            .filter(|job| self.newer == Some(job.is_ingest()));
        let classic = book.classic_after(after).filter(|job| {
            self.classic
                && self
                    .serial
                    .is_none_or(|serial| serial == (job.concurrency == "Serial"))
        });
        let mut jobs: Vec<_> = newer.map(Listed::Newer).collect();
        jobs.extend(classic.map(Listed::Classic));
        jobs.sort_by_key(Listed::id);
        jobs
    }
}

impl Listed<'_> {
    fn id(&self) -> Id {
        match self {
            Self::Newer(job) => job.id,
            Self::Classic(job) => job.id,
        }
    }

    fn to_json(&self) -> Json {
        match self {
            Self::Newer(job) => job.to_json(Detail::Listed),
            Self::Classic(job) => job.listed(),
        }
    }
}

fn job_before(locator: &str) -> Result<Id, ApiError> {
    let id = locator
        .split('-')
        .next()
        .and_then(Id::parse)
        .map(|id| id.to_string());
    let id = id.filter(|text| text.starts_with("01g"));
    id.and_then(|text| Id::parse(&format!("750{}", &text[3..15])))
        .ok_or_else(bad_locator)
}

/// `GET …/results` (Get Results for a Query Job).
pub fn results(ask: &Ask<'_>, id: &str) -> Result<Answer, ApiError> {
    let (id, rows) = finished(ask, id)?;
    let start = match ask.parameter("locator") {
        Some(text) if !text.is_empty() => {
            Locator::parse(text, id, ask.version.number).ok_or_else(bad_locator)?
        }
        _ => Locator { row: 0, rows: None },
    };
    let asked = ask.parameter("maxRecords").filter(|text| !text.is_empty());
    let asked = asked.map(|text| {
        text.parse()
            .ok()
            .filter(|most| *most > 0)
            .ok_or_else(|| invalid(text, "maxRecords"))
    });
    let most = asked
        .transpose()?
        .or(start.rows)
        .unwrap_or_else(|| page_rows(ask));
    if start.row > rows.count() {
        return Err(bad_locator());
    }
    let end = start.row.saturating_add(most).min(rows.count());
    let next = Locator { row: end, rows: None };
    let next = match end < rows.count() {
        true => next.text(id, ask.version.number),
        // Clients look for this very word.
        false => "null".to_owned(),
    };
    let headers = vec![
        ("sforce-locator", next),
        ("sforce-numberofrecords", (end - start.row).to_string()),
    ];
    Ok(Answer::Csv(rows.page(start.row, end), headers))
}

/// `GET …/resultPages`: up to five pages that can be fetched at once (Get Parallel Results for a Query Job).
pub fn result_pages(ask: &Ask<'_>, id: &str) -> Result<Answer, ApiError> {
    let (id, rows) = finished(ask, id)?;
    let start = match ask.parameter("locator") {
        Some(text) => Locator::parse(text, id, ask.version.number).ok_or_else(bad_locator)?,
        None => Locator { row: 0, rows: None },
    };
    let size = start.rows.unwrap_or_else(|| page_rows(ask));
    let begins: Vec<usize> = (start.row..rows.count().max(1))
        .step_by(size)
        .take(RESULT_PAGES + 1)
        .collect();
    let base = format!("/services/data/{}/jobs/query/{id}", ask.version.text);
    let locator = |row: usize| {
        let rows = Some(size);
        Locator { row, rows }.text(id, ask.version.number)
    };
    let pages: Vec<Json> = begins
        .iter()
        .take(RESULT_PAGES)
        .map(|row| json!({"resultUrl": format!("{base}/results?locator={}", locator(*row))}))
        .collect();
    let next = begins
        .get(RESULT_PAGES)
        .map(|row| format!("{base}/resultPages?locator={}", locator(*row)));
    Ok(Answer::Json(
        json!({"resultPages": pages, "nextRecordsUrl": next, "done": next.is_none()}),
    ))
}

/// Rows of a page whose size nobody chose.
fn page_rows(ask: &Ask<'_>) -> usize {
    ask.sandbox.settings().bulk_page_records.max(1)
}

/// The rows of a finished job, for requests of the version that it was made with.
fn finished(ask: &Ask<'_>, id: &str) -> Result<(Id, Arc<Rows>), ApiError> {
    let id = known(ask, id, false)?;
    let book = lock(&ask.sandbox.bulk.book);
    let job = book.job(id).ok_or_else(ApiError::not_found)?;
    if job.version != ask.version.number {
        let message = format!(
            "InvalidVersion : The job was created with version {}.0, its results are for requests of that version",
            job.version
        );
        return Err(ApiError {
            status: StatusCode::CONFLICT,
            ..ApiError::bad("INVALIDVERSION", message)
        });
    }
    match &job.work {
        Work::Query(extract) if job.state == State::JobComplete => Ok((id, extract.rows.clone())),
        _ => Err(not_finished(job.state)),
    }
}

fn bad_locator() -> ApiError {
    ApiError::bad("INVALID_QUERY_LOCATOR", "invalid query locator")
}

impl Locator {
    /// `0:{job}:{row}` or `0:{job}:{row}:{rows}` in base64, as recordings have it; the row alone in old versions.
    fn text(self, id: Id, version: u16) -> String {
        let id = id.to_string();
        match self.rows {
            None if version <= PLAIN_LOCATORS_UNTIL => self.row.to_string(),
            None => BASE64_URL_SAFE_NO_PAD.encode(format!("0:{}:{}", &id[..15], self.row)),
            Some(rows) => BASE64_URL_SAFE_NO_PAD.encode(format!("0:{}:{}:{rows}", &id[..15], self.row)),
        }
    }

    fn parse(text: &str, id: Id, version: u16) -> Option<Self> {
        if version <= PLAIN_LOCATORS_UNTIL {
            return text.parse().ok().map(|row| Self { row, rows: None });
        }
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?;
        let text = std::str::from_utf8(&bytes).ok()?;
        let mut parts = text.split(':');
        let of_job = parts.next() == Some("0") && parts.next().and_then(Id::parse) == Some(id);
        let row = parts.next()?.parse().ok()?;
        let rows = match parts.next() {
            Some(rows) => Some(rows.parse().ok().filter(|rows| *rows > 0)?),
            None => None,
        };
        of_job.then_some(Self { row, rows })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locators_belong_to_their_job_and_say_null_of_nothing_else() {
        let (id, other) = (Id::new(*b"750", 1), Id::new(*b"750", 2));
        for locator in [
            Locator { row: 9, rows: None },
            Locator {
                row: 0,
                rows: Some(5),
            },
        ] {
            let text = locator.text(id, 68);
            assert_eq!(Locator::parse(&text, id, 68), Some(locator));
            assert_eq!(Locator::parse(&text, other, 68), None);
        }
        let plain = Locator { row: 9, rows: None };
        assert_eq!(plain.text(id, 48), "9");
        assert_eq!(Locator::parse("9", id, 48), Some(plain));
        for bad in ["null", "", "-1", "%", "MDow", "9"] {
            assert_eq!(Locator::parse(bad, id, 68), None, "{bad}");
        }
    }
}
