//! Which canonical fields of an opportunity a changed record touches.

use std::collections::BTreeSet;

use cpq_domain::view::FieldName;

use super::super::fields::{Field, Rows};
use super::super::layout::{Layout, foreign_key};

/// The canonical fields behind these fields of an object. A reference that points elsewhere touches all that is read
/// over it.
pub(super) fn touched(layout: &Layout, object: &str, names: &[String]) -> Vec<FieldName> {
    let named = |field: &str| names.iter().any(|name| name.eq_ignore_ascii_case(field));
    of(layout, |field| {
        let key = field.path.relationship().map(foreign_key);
        match key {
            None => is_row(layout, field, object) && named(field.path.field()),
            Some(key) => {
                let elsewhere = is_row(layout, field, object) && named(&key);
                elsewhere || (is(field.object.as_str(), object) && named(field.path.field()))
            }
        }
    })
}

/// All canonical fields that are read from records of an object, or over them.
pub(super) fn all(layout: &Layout, object: &str) -> Vec<FieldName> {
    of(layout, |field| {
        is_row(layout, field, object) || is(field.object.as_str(), object)
    })
}

fn of(layout: &Layout, touches: impl Fn(&Field) -> bool) -> Vec<FieldName> {
    let fields = layout.fields.iter().filter(|field| touches(field));
    let names: BTreeSet<FieldName> = fields.map(|field| field.name.clone()).collect();
    names.into_iter().collect()
}

fn is_row(layout: &Layout, field: &Field, object: &str) -> bool {
    match (field.rows, &layout.quotes) {
        (Rows::Quote, Some(quotes)) => is(quotes.object.as_str(), object),
        (rows, _) => is(rows.object(), object),
    }
}

fn is(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
}

#[cfg(test)]
mod tests {
    use super::super::super::{Config, fields};
    use super::*;

    fn names(found: Vec<FieldName>) -> Vec<String> {
        found.iter().map(|name| name.as_str().to_owned()).collect()
    }

    #[test]
    fn a_field_is_found_on_its_row_behind_its_reference_and_over_it() {
        let config = Config {
            quote_object: "Offer__c".into(),
            ..Config::new(cpq_domain::id::ConnectionName::new("crm").expect("a name"))
        };
        let layout =
            Layout::new(&config, &fields::load(&config).expect("it loads"), None).expect("it lays out");
        let touched = |object: &str, fields: &[&str]| {
            let fields: Vec<String> = fields.iter().map(|field| (*field).to_owned()).collect();
            names(touched(&layout, object, &fields))
        };
        assert_eq!(
            touched("Opportunity", &["Amount", "LastModifiedDate"]),
            ["opportunity.amount"]
        );
        assert_eq!(touched("Opportunity", &["OwnerId"]), ["opportunity.owner"]);
        assert_eq!(
            touched("Account", &["BillingCity", "Name"]),
            ["account.billing_city", "account.name"]
        );
        assert!(touched("Opportunity", &["AccountId"]).contains(&"account.tax_id".to_owned()));
        assert_eq!(touched("Contact", &["Email"]), ["contact.email"]);
        assert_eq!(touched("Offer__c", &["Status"]), ["quote_record.status"]);
        assert_eq!(touched("Quote", &["Status"]), Vec::<String>::new());
        let contact = names(all(&layout, "OpportunityContactRole"));
        assert!(
            contact.iter().all(|name| name.starts_with("contact.")) && contact.len() == 7,
            "{contact:?}"
        );
        assert!(names(all(&layout, "Offer__c")).contains(&"quote_record.key".to_owned()));
    }
}
