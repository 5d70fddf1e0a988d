//! Syncs that failed for good: by cause, and one by one.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use cpq_api::{DeadLetterGroups, DeadLetterPage, DeadLetterReport};
use cpq_domain::dead_letter::{DeadLetter, LetterGroup, LetterState};
use serde::Deserialize;
use serde_json::json;

use crate::asked::{Form, Query};
use crate::doors::At;
use crate::house::House;
use crate::page::{self, Failed, Frame};
use crate::{fields, when};

#[derive(Template)]
#[template(path = "letters.html")]
struct Letters {
    frame: Frame,
    groups: Vec<LetterGroup>,
    total: u64,
}

/// The page of causes.
pub(crate) async fn page(State(house): State<House>, At(visitor): At) -> Result<Response, Failed> {
    let found: DeadLetterGroups = house.ask(&visitor, "/api/v1/dead-letters/groups").await?;
    Ok(page::show(&Letters {
        frame: Frame::new(&visitor, "letters", "Dead letters"),
        total: found.groups.iter().map(|group| group.count).sum(),
        groups: found.groups,
    }))
}

/// Which letters to list.
#[derive(Default, Deserialize)]
pub(crate) struct Search {
    #[serde(default)]
    signature: String,
    #[serde(default)]
    state: String,
    #[serde(default)]
    opportunity: String,
    #[serde(default)]
    before: String,
}

#[derive(Template)]
#[template(path = "letter_list.html")]
struct List {
    frame: Frame,
    search: Search,
    rows: Vec<Row>,
    next: Option<String>,
}

struct Row {
    correlation: String,
    opportunity: String,
    state: String,
    mark: &'static str,
    code: String,
    cause: String,
    died: String,
    tries: u64,
}

/// The list of letters.
pub(crate) async fn list(
    State(house): State<House>,
    At(visitor): At,
    Query(search): Query<Search>,
) -> Result<Response, Failed> {
    let asked = |path: &str, before: &str| {
        let pairs = [
            ("signature", search.signature.as_str()),
            ("state", &search.state),
            ("opportunity", search.opportunity.trim()),
            ("before", before),
        ];
        page::query(path, &pairs)
    };
    let found: DeadLetterPage = house
        .ask(&visitor, &asked("/api/v1/dead-letters", &search.before))
        .await?;
    let next = found
        .next
        .map(|next| asked("/dead-letters/list", &next.to_string()));
    Ok(page::show(&List {
        frame: Frame::new(&visitor, "letters", "Dead letters one by one"),
        rows: found.letters.iter().map(row).collect(),
        next,
        search,
    }))
}

fn row(letter: &DeadLetter) -> Row {
    Row {
        correlation: letter.correlation.to_string(),
        opportunity: letter.opportunity.to_string(),
        state: fields::word(&letter.state),
        mark: if letter.state == LetterState::Open {
            "bad"
        } else {
            "calm"
        },
        code: letter.signature.code.to_string(),
        cause: letter.signature.cause.clone(),
        died: when::moment(&letter.died_at),
        tries: letter.tries.into(),
    }
}

#[derive(Template)]
#[template(path = "letter.html")]
struct One {
    frame: Frame,
    row: Row,
    open: bool,
    retry: &'static str,
    next: String,
    accepted: String,
    closed: Option<String>,
}

/// One letter.
pub(crate) async fn one(
    State(house): State<House>,
    At(visitor): At,
    Path(id): Path<String>,
) -> Result<Response, Failed> {
    let path = format!("/api/v1/dead-letters/{}", page::encoded(&id));
    let DeadLetterReport { letter, .. } = house.ask(&visitor, &path).await?;
    let closed = letter
        .closed
        .as_ref()
        .map(|closed| format!("{} by {}: {}", when::moment(&closed.at), closed.by, closed.reason));
    Ok(page::show(&One {
        frame: Frame::new(&visitor, "letters", format!("Dead letter {}", letter.correlation)),
        row: row(&letter),
        open: letter.state == LetterState::Open,
        retry: letter.retry.words(),
        next: letter.next.clone(),
        accepted: when::moment(&letter.accepted_at),
        closed,
    }))
}

/// What the form of a letter sends.
#[derive(Deserialize)]
pub(crate) struct Discard {
    #[serde(default)]
    reason: String,
}

/// Gives a letter up.
pub(crate) async fn discard(
    State(house): State<House>,
    At(visitor): At,
    Path(id): Path<String>,
    Form(discard): Form<Discard>,
) -> Result<Response, Failed> {
    let here = format!("/dead-letters/{}", page::encoded(&id));
    let body = json!({ "reason": discard.reason.trim() });
    let _: serde_json::Value = house
        .order(&visitor, &format!("/api/v1{here}/discard"), &body)
        .await?;
    Ok(Redirect::to(&here).into_response())
}
