//! Price book entries: which record of the opportunity's price book stands for a product.
//!
//! Source: Object Reference, "PricebookEntry": one for each price book, product and currency. All products of a write
//! are looked up in one query, and found ones are remembered, since price books change rarely.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};

use cpq_domain::adapter::{Call, CrmWrite};
use cpq_domain::id::{LineKey, RecordId};
use cpq_domain::value::Value;
use cpq_domain::view::{Fields, LineChange};
use cpq_domain::{Code, Error, Result};

use super::layout::Layout;
use super::lines::{OBJECT, SKU};
use super::query;
use super::rest::Rest;
use super::soql::{Literal, Path};
use crate::json::Node;
use crate::limits::{ENTRIES_KEPT, SOQL_BYTES};

/// A product in a price book and a currency.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Product {
    book: RecordId,
    currency: String,
    /// In small letters, as Salesforce compares text.
    sku: String,
}

/// The entries that were found so far.
#[derive(Default)]
pub(super) struct Entries(Mutex<HashMap<Product, RecordId>>);

/// The entries of one write, by line.
pub(super) type Found = HashMap<LineKey, RecordId>;

impl Entries {
    /// The entries of all lines that the write makes. No call where it makes none, or all are known.
    ///
    /// # Errors
    /// [`Code::CrmRejected`] for an opportunity without a price book and a product that is not in it,
    /// [`Code::CrmAmbiguous`] for one that is there twice. Nothing was written.
    pub(super) async fn find(
        &self,
        rest: &Rest,
        call: &Call,
        layout: &Layout,
        write: &CrmWrite,
    ) -> Result<Found> {
        // Where lines are only read, the write is refused for that.
        let Some(lines) = &layout.lines else {
            return Ok(Found::new());
        };
        let asked = asked(rest, write)?;
        let unknown: BTreeSet<&Product> = {
            let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            asked
                .iter()
                .map(|(_, product)| product)
                .filter(|product| !known.contains_key(*product))
                .collect()
        };
        if !unknown.is_empty() {
            let found = ask(
                rest,
                call,
                layout.currency_field.is_some(),
                &lines.product,
                &unknown,
            )
            .await?;
            let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if known.len() + found.len() > ENTRIES_KEPT {
                known.clear();
            }
            known.extend(found);
        }
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = |(key, product): (LineKey, Product)| match known.get(&product) {
            Some(id) => Ok((key, id.clone())),
            None => Err(missing(rest, write, &key, &product)),
        };
        asked.into_iter().map(entry).collect()
    }

    /// Forgets what was found, after a write that it may have broken.
    pub(super) fn forget(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// Whether the write makes this line, instead of changing one that is there. A line cannot change its product.
pub(super) fn is_new(write: &CrmWrite, key: &LineKey, put: &Fields) -> bool {
    let record = write.lines.get(key).and_then(|line| line.record.as_ref());
    record.is_none() || put.contains_key(SKU)
}

fn asked(rest: &Rest, write: &CrmWrite) -> Result<Vec<(LineKey, Product)>> {
    let mut asked = Vec::new();
    for (key, change) in &write.patch.lines {
        let LineChange::Put(put) = change else { continue };
        if !is_new(write, key, put) {
            continue;
        }
        let book = write
            .quote_record
            .as_ref()
            .and_then(|record| record.price_book.clone());
        let Some(book) = book else {
            let why =
                "the opportunity has no price book; choose one, then the products of the quote can be added";
            return Err(refusal(rest, key, why).next("choose a price book on the opportunity"));
        };
        let sku = sku_of(write, key).unwrap_or_default().to_lowercase();
        if sku.is_empty() {
            return Err(refusal(
                rest,
                key,
                "it has no product code, and every line in Salesforce has a product",
            ));
        }
        let currency = currency_of(write, key);
        asked.push((key.clone(), Product { book, currency, sku }));
    }
    Ok(asked)
}

fn sku_of<'a>(write: &'a CrmWrite, key: &LineKey) -> Option<&'a str> {
    write.lines.get(key)?.fields.get(SKU).and_then(Value::as_text)
}

fn currency_of(write: &CrmWrite, key: &LineKey) -> String {
    let fields = write
        .lines
        .get(key)
        .into_iter()
        .flat_map(|line| line.fields.values());
    let mut currencies = fields.filter_map(|value| match value {
        Value::Money(money) => Some(money.currency.clone()),
        _ => None,
    });
    currencies.next().unwrap_or_default()
}

async fn ask(
    rest: &Rest,
    call: &Call,
    has_currencies: bool,
    product: &Path,
    unknown: &BTreeSet<&Product>,
) -> Result<HashMap<Product, RecordId>> {
    let mut found: HashMap<Product, RecordId> = HashMap::new();
    let all: Vec<&Product> = unknown.iter().copied().collect();
    let mut rest_of = all.as_slice();
    while let Some(first) = rest_of.first() {
        let fits = fitting(rest_of);
        let (some, others) = rest_of.split_at(fits);
        rest_of = others;
        let skus: Vec<String> = some.iter().map(|one| Literal(&one.sku).to_string()).collect();
        let currency = match has_currencies {
            true => format!(" AND CurrencyIsoCode = {}", Literal(&first.currency)),
            false => String::new(),
        };
        let soql = format!(
            "SELECT Id, {product} FROM PricebookEntry WHERE Pricebook2Id = {} AND IsActive = TRUE{currency} AND {product} IN ({})",
            Literal(first.book.as_str()),
            skus.join(", ")
        );
        for row in query::rows(rest, &[call], &soql, "").await? {
            let Some((sku, id)) = entry(&row, product) else {
                continue;
            };
            let known = Product {
                sku,
                ..(*first).clone()
            };
            if let Some(other) = found.insert(known.clone(), id.clone()) {
                return Err(twice(rest, &known, [other, id]));
            }
        }
    }
    Ok(found)
}

/// How many of the products fit into one query: those of the first one's price book and currency, as long as the text
/// is not too long.
fn fitting(products: &[&Product]) -> usize {
    let mut bytes = 0;
    let fits = |product: &&&Product| {
        bytes += product.sku.len() * 2 + 4;
        bytes <= SOQL_BYTES
            && (&product.book, &product.currency) == (&products[0].book, &products[0].currency)
    };
    products.iter().take_while(fits).count().max(1)
}

fn entry(row: &Node, product: &Path) -> Option<(String, RecordId)> {
    let sku = row.at(product.segments()).and_then(Node::text)?.to_lowercase();
    let id = row.get("Id").and_then(Node::text)?;
    Some((sku, RecordId::new(id).ok()?))
}

fn missing(rest: &Rest, write: &CrmWrite, key: &LineKey, product: &Product) -> Error {
    let Product { book, currency, sku } = product;
    let sku = sku_of(write, key).unwrap_or(sku);
    let why = format!("the price book {book} has no active entry for the product {sku} in {currency}");
    refusal(rest, key, &why)
        .fact("sku", sku)
        .fact("priceBook", book.as_str())
        .next("add the product to the opportunity's price book, or take the line out of the quote")
}

fn twice(rest: &Rest, product: &Product, ids: [RecordId; 2]) -> Error {
    let Product { book, sku, .. } = product;
    let message = format!(
        "the price book {book} has several active entries for the product {sku}; nothing was written"
    );
    Error::new(Code::CrmAmbiguous, message)
        .connection(rest.connection())
        .object("PricebookEntry")
        .fact("records", ids.map(String::from).to_vec())
}

fn refusal(rest: &Rest, key: &LineKey, why: &str) -> Error {
    Error::new(
        Code::CrmRejected,
        format!("line {key} cannot be written: {why}; nothing was written"),
    )
    .connection(rest.connection())
    .object(OBJECT)
    .record(key.as_str())
    .field(SKU)
}
