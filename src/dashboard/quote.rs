//! A quote of the embedded CPQ: what it says, its lines and its totals. It is changed by `cpq quote`, or the API.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use cpq_domain::quote::{Discount, Line, Quote};

use crate::doors::At;
use crate::fields;
use crate::house::House;
use crate::page::{self, Failed, Frame};
use crate::when;

#[derive(Template)]
#[template(path = "quote.html")]
struct Page {
    frame: Frame,
    quote: Quote,
    opportunity: String,
    status: String,
    until: String,
    discount: String,
    changed: String,
    lines: Vec<Row>,
}

/// A line.
struct Row {
    sku: String,
    name: String,
    quantity: String,
    unit: String,
    discount: String,
    net: String,
    optional: bool,
}

/// The page.
pub(crate) async fn page(
    State(house): State<House>,
    At(visitor): At,
    Path(id): Path<String>,
) -> Result<Response, Failed> {
    let path = format!("/api/v1/quotes/{}", page::encoded(&id));
    let quote: Quote = house.ask(&visitor, &path).await?;
    let of = &quote.opportunity;
    Ok(page::show(&Page {
        frame: Frame::new(&visitor, "syncs", format!("Quote {}", quote.number)),
        opportunity: of.number.as_ref().map_or(of.id.to_string(), ToString::to_string),
        status: fields::word(&quote.status),
        until: quote
            .valid_until
            .map_or_else(|| "—".to_owned(), |date| date.to_string()),
        discount: discount(quote.header_discount.as_ref()),
        changed: when::moment(&quote.updated_at),
        lines: quote.lines.iter().map(row).collect(),
        quote,
    }))
}

fn row(line: &Line) -> Row {
    Row {
        sku: line.sku.clone(),
        name: line.name.clone(),
        quantity: line.quantity.to_string(),
        unit: line.list_unit.to_string(),
        discount: discount(line.discount.as_ref()),
        net: line.totals.net.to_string(),
        optional: line.optional,
    }
}

fn discount(of: Option<&Discount>) -> String {
    match of {
        None => "—".to_owned(),
        Some(Discount::Percent(percent)) => format!("{percent} %"),
        Some(Discount::Amount(amount)) => amount.to_string(),
    }
}
