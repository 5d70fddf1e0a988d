//! Which canonical field lives where: `fields.toml`, with the connection's own entries on top.

use std::sync::Arc;

use cpq_domain::view::FieldName;
use cpq_domain::{Code, Error, Result};

use super::config::Config;
use super::convert::{Rules, Stored};
use super::soql::Path;

mod check;
mod entry;
mod fault;

pub(crate) use cpq_domain::kind::Kind;
use entry::{Entry, Reader};
pub use fault::Fault;

/// Name of the field that holds the key of the quote's own record.
pub(crate) const RECORD_KEY: &str = "quote_record.key";
/// Name of the field that holds its name.
pub(crate) const RECORD_NAME: &str = "quote_record.name";

/// The embedded entries.
pub const DEFAULTS: &str = include_str!("fields.toml");

/// From which rows a field is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rows {
    Opportunity,
    ContactRole,
    Line,
    Quote,
}

impl Rows {
    /// The object of the rows in the mapping file; in the org, that of the quotes may have another name.
    pub(crate) fn object(self) -> &'static str {
        match self {
            Rows::Opportunity => "Opportunity",
            Rows::ContactRole => "OpportunityContactRole",
            Rows::Line => "OpportunityLineItem",
            Rows::Quote => "Quote",
        }
    }
}

/// One field.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    pub(crate) name: FieldName,
    pub(crate) rows: Rows,
    pub(crate) object: Path,
    pub(crate) path: Path,
    pub(crate) kind: Kind,
    pub(crate) writable: bool,
    /// What its entry says about its values.
    pub(crate) rules: Arc<Rules>,
    /// What the org says about it.
    pub(crate) stored: Stored,
    /// Line of its entry in the connection's own file.
    pub(crate) line: Option<usize>,
}

impl Field {
    /// The columns that it is read from: its own, and those that its expressions look at.
    pub(crate) fn columns(&self) -> impl Iterator<Item = Path> + '_ {
        // They were checked when the mapping was loaded.
        let others = self.rules.reads().filter_map(|path| Path::new(path).ok());
        [self.path.clone()].into_iter().chain(others)
    }
}

/// The fields of a connection.
///
/// # Errors
/// [`Code::ConfigInvalid`] with every mistake in the extra entries, each with its line.
pub(crate) fn load(config: &Config) -> Result<Vec<Field>> {
    read(config).unwrap_or_else(|faults| Err(refusal(&config.fields_file, &faults)))
}

/// Everything that is wrong with the connection's own entries.
pub(crate) fn faults(config: &Config) -> Vec<Fault> {
    read(config).err().unwrap_or_default()
}

fn refusal(file: &str, faults: &[Fault]) -> Error {
    let told: Vec<String> = faults.iter().map(Fault::to_string).collect();
    let message = format!(
        "the field mapping {file} is wrong in {} places\n{}",
        faults.len(),
        told.join("\n")
    );
    Error::new(Code::ConfigInvalid, message)
        .field("crm.fields_file")
        .next("correct them, and look again with `cpq mapping check`")
}

/// Of the outer results the first is about the file, the second about settings beside it.
fn read(config: &Config) -> Result<Result<Vec<Field>>, Vec<Fault>> {
    let mut entries = built_in();
    let mut reader = Reader {
        file: &config.fields_file,
        text: config.fields.as_deref().unwrap_or_default(),
        faults: Vec::new(),
    };
    for over in reader.entries() {
        match entries
            .iter_mut()
            .find(|entry| entry.name.value == over.name.value)
        {
            Some(entry) => entry.lay_over(over),
            None => entries.push(over),
        }
    }
    let kept = entries.iter().filter(|entry| !entry.off);
    let fields: Vec<Field> = kept
        .filter_map(|entry| check::field(entry, &mut reader))
        .collect();
    let mut faults = reader.faults;
    if !faults.is_empty() {
        faults.sort_by_key(|fault| (fault.line, fault.column));
        return Err(faults);
    }
    let placed = fields.into_iter().map(|field| match field.rows {
        Rows::Quote if config.quote_object.is_empty() => Ok(None),
        Rows::Quote => in_org(config, field).map(Some),
        _ => Ok(Some(field)),
    });
    Ok(placed.filter_map(Result::transpose).collect())
}

fn built_in() -> Vec<Entry> {
    let mut reader = Reader {
        file: "built in",
        text: DEFAULTS,
        faults: Vec::new(),
    };
    let mut entries = reader.entries();
    entries.iter_mut().for_each(Entry::unplace);
    entries
}

/// A field of the quotes under the names that the org has for their object and its key.
fn in_org(config: &Config, mut field: Field) -> Result<Field> {
    if field.path.relationship().is_none() {
        field.object = Path::new(&config.quote_object)?;
    }
    if field.name.as_str() == RECORD_KEY {
        field.path = Path::new(&config.quote_key_field)?;
    }
    Ok(field)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(extra: Option<&str>) -> Result<Vec<Field>> {
        super::load(&Config {
            fields: extra.map(str::to_owned),
            ..config()
        })
    }

    fn config() -> Config {
        Config::new(cpq_domain::id::ConnectionName::new("crm").expect("a name"))
    }

    #[test]
    fn the_quotes_go_by_the_names_of_the_org_or_not_at_all() {
        let own = Config {
            quote_object: "Offer__c".into(),
            quote_key_field: "Key__c".into(),
            ..config()
        };
        let fields = super::load(&own).expect("it loads");
        let quotes = fields.iter().filter(|field| field.rows == Rows::Quote);
        let places: Vec<String> = quotes
            .map(|field| format!("{}.{}", field.object, field.path))
            .collect();
        let expected = [
            "Offer__c.Key__c",
            "Offer__c.Name",
            "Offer__c.ExpirationDate",
            "Offer__c.Status",
            "Offer__c.CPQ_Sync_State__c",
        ];
        assert_eq!(places, expected);

        let off = Config {
            quote_object: String::new(),
            ..config()
        };
        let fields = super::load(&off).expect("it loads");
        assert!(fields.iter().all(|field| field.rows != Rows::Quote));
    }

    #[test]
    fn the_embedded_file_is_right() {
        let fields = load(None).expect("it loads");
        assert!(fields.len() > 45, "{}", fields.len());
        let writable: Vec<&str> = fields
            .iter()
            .filter(|f| f.writable)
            .map(|f| f.name.as_str())
            .collect();
        assert_eq!(
            writable,
            [
                "quote.number",
                "quote.status",
                "quote.revision",
                "quote.net_total",
                "quote.discount_percent",
                "quote.valid_until",
                "quote_record.key",
                "quote_record.name",
                "quote_record.expiration_date",
                "quote_record.status",
                "quote_record.sync_state",
                "line.quantity",
                "line.list_unit",
                "line.discount_percent",
                "line.service_start",
                "line.sequence",
                "line.net_total"
            ]
        );
    }

    #[test]
    fn a_connection_may_move_add_and_take_out_fields() {
        let extra = "
            [[field]]
            name = 'quote.number'
            path = 'Quote_No__c'
            [[field]]
            name = 'opportunity.region'
            object = 'Opportunity'
            path = 'Region__c'
            type = 'choice'
            [[field]]
            name = 'opportunity.description'
            off = true
        ";
        let fields = load(Some(extra)).expect("it loads");
        let path = |name: &str| {
            fields
                .iter()
                .find(|f| f.name.as_str() == name)
                .map(|f| f.path.as_str())
        };
        assert_eq!(path("quote.number"), Some("Quote_No__c"));
        assert_eq!(path("opportunity.region"), Some("Region__c"));
        assert_eq!(path("opportunity.description"), None);
    }

    #[test]
    fn an_entry_that_makes_no_sense_is_refused() {
        for bad in [
            "[[field]]\nname='quote.x'\nobject='Opportunity'\npath='X; DROP'\ntype='text'",
            "[[field]]\nname='line.name'\nwritable=true",
            "[[field]]\nname='account.name'\nwritable=true",
            "[[field]]\nname='account.name'\npath='Name'",
            "[[field]]\nname='quote.x'\nobject='Opportunity'",
            "[[field]]\nname='x'\nobject='Opportunity'\npath='X'\ntype='text'",
            "[[field]]\nname='quote.number'\ntpye='text'",
        ] {
            assert_eq!(load(Some(bad)).expect_err(bad).code, Code::ConfigInvalid, "{bad}");
        }
    }
}
