//! What the server reports, in the words of the house, and whether the same may be tried again.

use cpq_domain::{Code, Error};
use tokio_postgres::error::SqlState;

/// What a failure means for the job that met it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Another transaction was in the way; nothing was kept. Once more, and it decides anew.
    Met,
    /// The connection is gone, or the server does not take any now.
    Lost,
    /// It would fail again.
    Final,
}

/// A failure of the store named `place`, while it was `doing` something.
pub(super) fn failure(place: &str, doing: &str, cause: &tokio_postgres::Error) -> (Error, Kind) {
    let Some(state) = cause.code() else {
        return no_answer(place, doing, cause);
    };
    let (kind, why, next) = reason(state);
    let code = match why {
        "" => Code::Internal,
        _ => Code::StoreUnavailable,
    };
    let message = match why {
        "" => format!("the store {place} refused {doing}"),
        why => format!("the store {place} failed {doing}: {why}"),
    };
    let mut error = Error::new(code, message);
    if let Some(next) = next {
        error = error.next(next);
    }
    (error.cause(plain(cause)), kind)
}

/// The server said nothing: a connection that broke, or never came about, or an answer that we cannot read.
fn no_answer(place: &str, doing: &str, cause: &tokio_postgres::Error) -> (Error, Kind) {
    let text = chain(cause);
    let broken = cause.is_closed() || is_io(cause) || text.contains("timed out") || text.contains("timeout");
    if broken {
        let message = format!("the store {place} failed {doing}: the server cannot be reached");
        let error = Error::new(Code::StoreUnavailable, message)
            .next("start the PostgreSQL server, or look at its log");
        return (error.cause(text), Kind::Lost);
    }
    let message = format!("the store {place} failed {doing}");
    (Error::new(Code::Internal, message).cause(text), Kind::Final)
}

fn is_io(cause: &(dyn std::error::Error + 'static)) -> bool {
    cause.is::<std::io::Error>() || cause.source().is_some_and(is_io)
}

/// Every cause in one line. tokio-postgres keeps values out of these.
fn chain(cause: &(dyn std::error::Error + 'static)) -> String {
    match cause.source() {
        Some(source) => format!("{cause}: {}", chain(source)),
        None => cause.to_string(),
    }
}

/// The server's words without its details, which may hold values.
fn plain(cause: &tokio_postgres::Error) -> String {
    match cause.as_db_error() {
        Some(error) => format!("{} (SQLSTATE {})", error.message(), error.code().code()),
        None => cause.to_string(),
    }
}

type Reason = (Kind, &'static str, Option<&'static str>);

/// By SQLSTATE; PostgreSQL, Appendix A.
fn reason(state: &SqlState) -> Reason {
    let met = "other transactions were in the way again and again";
    match state.code() {
        "40001" | "40P01" | "55P03" => (Kind::Met, met, None),
        // Two jobs wanted to be the first; the second one finds the first one's row when it looks again.
        "23505" => (Kind::Met, "", None),
        "25006" => (Kind::Lost, "the server only reads; it may be a standby", None),
        "53100" => (
            Kind::Final,
            "the server's disk is full",
            Some("free some space there"),
        ),
        "53300" => (
            Kind::Lost,
            "the server has no connection left",
            Some("raise max_connections, or run fewer nodes"),
        ),
        "57014" => (
            Kind::Final,
            "a statement took too long",
            Some("look at the load of the server"),
        ),
        "57P01" | "57P02" | "57P03" => (Kind::Lost, "the server is stopping or starting", None),
        "28000" | "28P01" => (
            Kind::Final,
            "the server refuses this user",
            Some("check user, password and pg_hba.conf"),
        ),
        "3D000" => (
            Kind::Final,
            "there is no such database",
            Some("create it with createdb"),
        ),
        "3F000" => (
            Kind::Final,
            "there is no such schema",
            Some("create it, or change search_path"),
        ),
        "42501" => (
            Kind::Final,
            "this user may not do that",
            Some("make it the owner of the database or schema"),
        ),
        code if code.starts_with("08") => (Kind::Lost, "the connection broke", None),
        _ => (Kind::Final, "", None),
    }
}
