//! The lines of an opportunity: what the org needs before they can be written, and the key that each one carries.
//!
//! Source: Object Reference, "OpportunityLineItem": the product is given once, by a price book entry, and there is no
//! other way to find a line again than a key of our own.

use std::sync::Arc;

use cpq_domain::Result;
use cpq_domain::adapter::{Mapped, Mapping};
use cpq_domain::id::{LineKey, QuoteId};
use cpq_domain::value::Shape;

use super::config::Config;
use super::fields::{Field, Rows};
use super::layout::{MISSING, Org};
use super::soql::Path;

/// The object of the lines.
pub(crate) const OBJECT: &str = "OpportunityLineItem";
/// Name of the field with the product.
pub(crate) const SKU: &str = "line.sku";
/// Between the quote's root id and the line's key; neither can hold it.
const SEPARATOR: char = '.';

/// Where lines are written.
#[derive(Debug)]
pub(crate) struct Lines {
    /// External id of a line.
    pub(crate) key: Path,
    /// Characters that it holds, where the org said so.
    key_chars: Option<usize>,
    /// The field of a price book entry that names the product as `line.sku` does.
    pub(crate) product: Path,
}

/// Begins what is warned of where there are no lines.
pub(super) const NOT_SYNCED: &str = "lines are not synced";
/// Begins what is warned of where lines cannot be written.
pub(super) const ONLY_READ: &str = "lines are only read";

impl Lines {
    /// The place for lines; where they can only be read, a warning says what is missing.
    pub(super) fn find(
        config: &Config,
        org: &Org,
        fields: &[Field],
        mapping: &mut Mapping,
    ) -> Result<Option<Arc<Lines>>> {
        if !org.has_object(OBJECT) {
            mapping.warnings.push(format!("{NOT_SYNCED}: {OBJECT} {MISSING}"));
            return Ok(None);
        }
        let found = Lines::in_org(config, org, fields)?;
        if let Err(why) = &found {
            mapping.warnings.push(format!("{ONLY_READ}: {why}"));
            let lines = fields.iter().filter(|field| field.rows == Rows::Line);
            for name in lines.map(|field| &field.name) {
                mapping
                    .fields
                    .entry(name.clone())
                    .and_modify(|mapped| mapped.writable = false);
            }
        }
        let lines = found.ok().map(Arc::new);
        // A product is no field that is set, but part of what a line is.
        mapping
            .fields
            .entry(SKU.into())
            .and_modify(|mapped| mapped.writable = lines.is_some());
        let mapped = Mapped {
            path: OBJECT.to_owned(),
            writable: lines.is_some(),
            shape: Shape::default(),
        };
        mapping.fields.insert("line.exists".into(), mapped);
        Ok(lines)
    }

    fn in_org(config: &Config, org: &Org, fields: &[Field]) -> Result<Result<Lines, String>> {
        let key = Path::new(&config.line_key_field)?;
        if let Some(why) = org.0.and_then(|_| why_not(org, &key)) {
            return Ok(Err(why));
        }
        let sku = fields.iter().find(|field| field.name.as_str() == SKU);
        let of_product =
            |path: &&Path| path.as_str() == "ProductCode" || path.relationship() == Some("Product2");
        let Some(product) = sku.map(|field| &field.path).filter(of_product).cloned() else {
            return Ok(Err(format!(
                "{SKU} is not read from the product, so no price book entry can be found by it"
            )));
        };
        let described = org.field(OBJECT, key.as_str());
        Ok(Ok(Lines {
            key_chars: described
                .map(|field| field.length as usize)
                .filter(|length| *length > 0),
            key,
            product,
        }))
    }

    /// The key of a line in the org. Lines of two quotes may have the same key in their CPQ, but not here.
    ///
    /// # Errors
    /// How much does not fit.
    pub(crate) fn key_of(&self, quote: &QuoteId, line: &LineKey) -> Result<String, String> {
        let key = format!("{quote}{SEPARATOR}{line}");
        match self.key_chars {
            Some(most) if key.len() > most => {
                let field = &self.key;
                Err(format!(
                    "its key {key} has {} characters, and {OBJECT}.{field} holds {most}",
                    key.len()
                ))
            }
            _ => Ok(key),
        }
    }
}

/// The line's own key in what the org holds.
pub(crate) fn own_key(held: &str) -> &str {
    held.rsplit(SEPARATOR).next().unwrap_or(held)
}

/// What stands in the way of writing lines.
fn why_not(org: &Org, key: &Path) -> Option<String> {
    let Some(described) = org.field(OBJECT, key.as_str()) else {
        return Some(format!(
            "{OBJECT}.{key} {MISSING}; create it as Text(120), External ID, Unique, to have the lines of approved quotes written"
        ));
    };
    if !(described.external_id && described.unique) {
        return Some(format!(
            "{OBJECT}.{key} must be a unique external id, or a repeated write would make a second line"
        ));
    }
    let locked = [key.as_str(), "OpportunityId", "PricebookEntryId"]
        .into_iter()
        .find(|field| !org.createable(OBJECT, field))?;
    Some(format!("our user may not create {OBJECT} records with {locked}"))
}
