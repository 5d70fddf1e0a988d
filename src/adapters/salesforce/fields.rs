//! Which canonical field lives where: `fields.toml`, with the connection's own entries on top.

use cpq_domain::view::FieldName;
use cpq_domain::{Code, Error, Result};
use serde::Deserialize;

use super::config::Config;
use super::soql::Path;

/// Name of the field that holds the key of the quote's own record.
pub(crate) const RECORD_KEY: &str = "quote_record.key";
/// Name of the field that holds its name.
pub(crate) const RECORD_NAME: &str = "quote_record.name";

/// The embedded entries.
const DEFAULTS: &str = include_str!("fields.toml");

/// How a value is written in the CRM, and what it means to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    Text,
    Choice,
    Choices,
    Flag,
    Number,
    Money,
    Date,
    Instant,
}

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
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    field: Vec<Entry>,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    object: Option<String>,
    path: Option<String>,
    #[serde(rename = "type")]
    kind: Option<Kind>,
    writable: Option<bool>,
    #[serde(default)]
    off: bool,
}

/// The fields of a connection.
///
/// # Errors
/// [`Code::ConfigInvalid`] when the extra entries do not parse or an entry makes no sense.
pub(crate) fn load(config: &Config) -> Result<Vec<Field>> {
    let mut entries = parse(DEFAULTS)?;
    for over in config
        .fields
        .as_deref()
        .map(parse)
        .transpose()?
        .unwrap_or_default()
    {
        match entries.iter_mut().find(|entry| entry.name == over.name) {
            Some(entry) => entry.lay_over(over),
            None => entries.push(over),
        }
    }
    let fields = entries.iter().filter(|entry| !entry.off).map(|entry| {
        let field = field(entry)?;
        match field.rows {
            Rows::Quote if config.quote_object.is_empty() => Ok(None),
            Rows::Quote => in_org(config, field).map(Some),
            _ => Ok(Some(field)),
        }
    });
    fields.filter_map(Result::transpose).collect()
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

fn parse(text: &str) -> Result<Vec<Entry>> {
    let file: File = toml::from_str(text).map_err(|error| {
        let message = format!("the field mapping does not parse: {}", error.message());
        Error::new(Code::ConfigInvalid, message).cause(error)
    })?;
    Ok(file.field)
}

impl Entry {
    fn lay_over(&mut self, over: Entry) {
        self.off = over.off;
        self.object = over.object.or(self.object.take());
        self.path = over.path.or(self.path.take());
        self.kind = over.kind.or(self.kind);
        self.writable = over.writable.or(self.writable);
    }
}

fn field(entry: &Entry) -> Result<Field> {
    let refuse = |why: &str| {
        let message = format!("the field mapping of {} {why}", entry.name);
        Err(Error::new(Code::ConfigInvalid, message).field(entry.name.as_str()))
    };
    let name = FieldName::new(&entry.name);
    let rows = match name.object() {
        "" => return refuse("has a name without an object, such as quote.number"),
        "line" => Rows::Line,
        "contact" => Rows::ContactRole,
        "quote_record" => Rows::Quote,
        _ => Rows::Opportunity,
    };
    let (Some(object), Some(path), Some(kind)) = (&entry.object, &entry.path, entry.kind) else {
        return refuse("needs object, path and type");
    };
    let (object, path) = (Path::new(object)?, Path::new(path)?);
    let of_the_row = path.relationship().is_none();
    if of_the_row && !object.as_str().eq_ignore_ascii_case(rows.object()) {
        return refuse(&format!(
            "names a field of {}, so its object must be that too",
            rows.object()
        ));
    }
    let writable = entry.writable.unwrap_or(false);
    if writable && !(of_the_row && matches!(rows, Rows::Opportunity | Rows::Quote | Rows::Line)) {
        return refuse(
            "cannot be writable: only fields of the opportunity, its lines and its quote are written",
        );
    }
    Ok(Field {
        name,
        rows,
        object,
        path,
        kind,
        writable,
    })
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
                "line.description",
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
