//! What this org really has: the field mapping in the light of a describe, and the query that follows from it.

use std::collections::BTreeMap;
use std::sync::Arc;

use cpq_domain::adapter::{Mapped, Mapping};
use cpq_domain::schema::{CrmSchema, FieldSchema};
use cpq_domain::value::Shape;
use cpq_domain::view::FieldName;
use cpq_domain::{Code, Error, Result};
use jiff::tz::TimeZone;

use super::config::Config;
use super::convert::Stored;
use super::fields::{Field, Kind, RECORD_KEY, Rows};
use super::lines::{self, Lines};
use super::quote_record::{self, Records};
use super::soql::{Order, Path, Select};
use crate::limits::CONTACT_ROLES;

/// Currency of amounts where neither the org nor the configuration names one.
pub(super) const CURRENCY_FALLBACK: &str = "USD";

/// Digits after the point of a number that an expression makes, where the mapping does not say.
const COMPUTED_SCALE: u32 = 2;

/// Everything that reads and writes are made from.
#[derive(Debug)]
pub(crate) struct Layout {
    /// Whether an org was described, or the mapping file is taken at its word.
    pub(crate) described: bool,
    pub(crate) mapping: Arc<Mapping>,
    /// Fields that can be read.
    pub(crate) fields: Vec<Field>,
    /// The business number, where the org has the field.
    pub(crate) number: Option<Path>,
    pub(crate) line_key: Option<Path>,
    /// Where lines are written, if the org has the place.
    pub(crate) lines: Option<Arc<Lines>>,
    /// Where each quote has a record of its own, if the org has the place.
    pub(crate) quotes: Option<Arc<Records>>,
    /// Where the correlation id is written.
    pub(crate) correlation: Option<Path>,
    /// `CurrencyIsoCode`, in a multi-currency org.
    pub(crate) currency_field: Option<Path>,
    /// Currency of an org that has only one.
    pub(crate) currency: String,
    /// Record type of an opportunity, where a value map asks for it.
    pub(crate) record_type: Option<Path>,
    pub(crate) select: Select,
}

impl Layout {
    /// Lays out the fields for an org; `None` is an org that was not described yet, where everything is taken to be
    /// there.
    ///
    /// # Errors
    /// [`cpq_domain::Code::ConfigInvalid`] when a configured field name is not one.
    pub(crate) fn new(config: &Config, all: &[Field], schema: Option<&CrmSchema>) -> Result<Layout> {
        let org = Org(schema);
        let mut mapping = Mapping::default();
        let zone = Arc::new(time_zone(config, schema)?.unwrap_or(TimeZone::UTC));
        let quotes = Records::find(config, &org, &mut mapping.warnings)?;
        let has_rows = |field: &&Field| field.rows != Rows::Quote || quotes.is_some();
        let fields: Vec<Field> = all
            .iter()
            .filter(has_rows)
            .filter(|field| org.admit(field, &mut mapping))
            .map(|field| org.stored(field, &zone))
            .collect();
        let currency_field = org
            .own("Opportunity", "CurrencyIsoCode")?
            .filter(|_| schema.is_some());
        admit_currency(config, all, currency_field.is_some(), &mut mapping);
        let number = org.own("Opportunity", &config.number_field)?;
        if number.is_none() {
            let field = &config.number_field;
            mapping.warnings.push(format!(
                "opportunities are found by id only: Opportunity.{field} {MISSING}"
            ));
        }
        let author = org
            .own("Opportunity", "LastModifiedById")?
            .filter(|_| schema.is_some());
        let author_name = author
            .as_ref()
            .map(|_| Path::new("LastModifiedBy.Name"))
            .transpose()?;
        let record_type = record_type(&org, &fields)?;
        let line_key = org.own("OpportunityLineItem", &config.line_key_field)?;
        let lines = Lines::find(config, &org, &fields, &mut mapping)?;
        hush_sync_state(&mut mapping);
        let correlation = org.optional("Opportunity", &config.correlation_field)?;
        Ok(Layout {
            described: schema.is_some(),
            select: select(
                &org,
                &fields,
                [&number, &currency_field, &author, &author_name, &record_type],
                &line_key,
                quotes.as_deref(),
            )?,
            correlation: correlation.filter(|path| org.updateable("Opportunity", path.as_str())),
            currency: config
                .currency
                .clone()
                .unwrap_or_else(|| CURRENCY_FALLBACK.to_owned()),
            mapping: Arc::new(mapping),
            fields,
            number,
            line_key,
            lines,
            quotes,
            record_type,
            currency_field,
        })
    }

    /// A field that can be read, by its canonical name.
    pub(crate) fn field(&self, name: &FieldName) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == *name)
    }
}

/// Where the record type of an opportunity is read.
pub(super) const RECORD_TYPE: &str = "RecordType.DeveloperName";

/// The zone that the configuration names, else that of the organisation; none when neither is known.
pub(super) fn time_zone(config: &Config, schema: Option<&CrmSchema>) -> Result<Option<TimeZone>> {
    if let Some(name) = &config.time_zone {
        return TimeZone::get(name).map(Some).map_err(|cause| {
            let message = format!("{name:?} is no time zone: write its IANA name, e.g. Europe/Berlin");
            Error::new(Code::ConfigInvalid, message)
                .field("crm.time_zone")
                .cause(cause)
        });
    }
    let theirs = schema.and_then(|schema| schema.time_zone.as_ref());
    Ok(theirs.and_then(|name| TimeZone::get(name).ok()))
}

/// Whether a warning of the mapping says that there is no place for the records of quotes, or for lines.
pub fn is_lack(warning: &str) -> bool {
    let lacks = [quote_record::NO_RECORD, lines::NOT_SYNCED, lines::ONLY_READ];
    lacks.iter().any(|lack| warning.starts_with(lack))
}

pub(super) const MISSING: &str = "does not exist or is hidden from our user";

/// In an org with one currency there is no field, but there is a currency.
fn admit_currency(config: &Config, all: &[Field], has_field: bool, mapping: &mut Mapping) {
    let name = FieldName::new("quote.currency");
    if has_field || !all.iter().any(|field| field.name == name) {
        return;
    }
    mapping
        .warnings
        .retain(|warning| !warning.starts_with("quote.currency "));
    if config.currency.is_none() {
        mapping.warnings.push(format!(
            "amounts are taken as {CURRENCY_FALLBACK}: the org has a single currency, and the connection does not name it"
        ));
    }
    let mapped = Mapped {
        path: "the org's currency".to_owned(),
        writable: false,
        shape: Shape::default(),
    };
    mapping.fields.insert(name, mapped);
}

/// Only a quote of many hundred lines needs the mark; it says so itself when it comes.
fn hush_sync_state(mapping: &mut Mapping) {
    let name = cpq_domain::quote::SYNC_STATE;
    mapping
        .warnings
        .retain(|warning| !warning.starts_with(&format!("{name} is not synced")));
}

/// An org's description, or none.
pub(super) struct Org<'a>(pub(super) Option<&'a CrmSchema>);

impl Org<'_> {
    pub(super) fn has_object(&self, object: &str) -> bool {
        self.0
            .is_none_or(|schema| find(&schema.objects, object).is_some())
    }

    pub(super) fn field(&self, object: &str, field: &str) -> Option<&FieldSchema> {
        find(find(&self.0?.objects, object)?, field)
    }

    fn has(&self, object: &str, field: &str) -> bool {
        self.0.is_none() || self.field(object, field).is_some()
    }

    pub(super) fn updateable(&self, object: &str, field: &str) -> bool {
        self.0.is_none() || self.field(object, field).is_some_and(|field| field.updateable)
    }

    pub(super) fn createable(&self, object: &str, field: &str) -> bool {
        self.0.is_none() || self.field(object, field).is_some_and(|field| field.createable)
    }

    /// Whether we may write the field: on opportunities that are there, and on quote records that we make too. A key
    /// is given once.
    fn settable(&self, field: &Field) -> bool {
        let (object, path) = (field.object.as_str(), field.path.field());
        match (field.rows, field.name.as_str()) {
            (Rows::Quote, RECORD_KEY) => self.createable(object, path),
            (Rows::Quote | Rows::Line, _) => self.createable(object, path) && self.updateable(object, path),
            _ => self.updateable(object, path),
        }
    }

    /// A field of an object, if the org has it.
    pub(super) fn own(&self, object: &str, field: &str) -> Result<Option<Path>> {
        let path = Path::new(field)?;
        Ok(Some(path).filter(|path| self.has(object, path.as_str())))
    }

    /// The same for a field whose name may be left empty, which means none.
    pub(super) fn optional(&self, object: &str, field: &str) -> Result<Option<Path>> {
        match field {
            "" => Ok(None),
            field => self.own(object, field),
        }
    }

    /// Whether the field can be read; enters it into the mapping, or says why not.
    fn admit(&self, field: &Field, mapping: &mut Mapping) -> bool {
        let place = format!("{}.{}", field.object, field.path.field());
        if let Some(why) = self.missing(field, &place) {
            mapping
                .warnings
                .push(format!("{} is not synced: {why}", field.name));
            return false;
        }
        let writable = field.writable && self.settable(field);
        if field.writable && !writable {
            let warning = format!(
                "{} cannot be written: {place} is read-only for our user",
                field.name
            );
            mapping.warnings.push(warning);
        }
        let shape = self.shape(field);
        mapping.fields.insert(
            field.name.clone(),
            Mapped {
                path: place,
                writable,
                shape,
            },
        );
        true
    }

    /// The field with what the org says about how it is stored.
    pub(super) fn stored(&self, field: &Field, zone: &Arc<TimeZone>) -> Field {
        let there = self.field(field.object.as_str(), field.path.field());
        Field {
            stored: Stored {
                kind: there.map(|there| there.kind.clone()).unwrap_or_default(),
                nillable: there.is_none_or(|there| there.nillable),
                zone: zone.clone(),
            },
            ..field.clone()
        }
    }

    fn missing(&self, field: &Field, place: &str) -> Option<String> {
        let row = field.rows.object();
        if let Some(relationship) = field.path.relationship().filter(|_| field.rows != Rows::Quote) {
            let key = foreign_key(relationship);
            if !self.has(row, &key) {
                return Some(format!("{row}.{key} {MISSING}"));
            }
        }
        if !self.has(field.object.as_str(), field.path.field()) {
            return Some(format!("{place} {MISSING}"));
        }
        self.unreadable(field)
    }

    /// A column that is looked at to read the field, and is not there. What a custom relationship leads to is not
    /// known here.
    pub(super) fn unreadable(&self, field: &Field) -> Option<String> {
        let row = match field.rows {
            Rows::Quote => field.object.as_str(),
            rows => rows.object(),
        };
        field.rules.reads().find_map(|path| {
            let (parent, rest) = path.split_once('.').unwrap_or((path, ""));
            let own = if rest.is_empty() {
                path.to_owned()
            } else {
                foreign_key(parent)
            };
            if !self.has(row, &own) {
                return Some(format!("{row}.{own}, which it looks at, {MISSING}"));
            }
            let known =
                !rest.is_empty() && !rest.contains('.') && self.0.is_some() && self.has_object(parent);
            (known && !self.has(parent, rest))
                .then(|| format!("{parent}.{rest}, which it looks at, {MISSING}"))
        })
    }

    /// Digits after the point that the CRM keeps.
    pub(super) fn shape(&self, field: &Field) -> Shape {
        let described = self.field(field.object.as_str(), field.path.field());
        let (theirs, asked) = (described.map(|described| described.scale), field.rules.scale);
        let scale = match field.kind {
            // An expression may stretch a number: then the CRM's digits are not ours.
            Kind::Number if field.rules.computed() => Some(asked.unwrap_or(COMPUTED_SCALE)),
            Kind::Money if field.rules.computed() => asked,
            Kind::Number | Kind::Money => theirs.into_iter().chain(asked).min(),
            _ => None,
        };
        Shape {
            scale,
            form: field.kind.form(),
        }
    }
}

/// The field behind a relationship: `Account` → `AccountId`, `Partner__r` → `Partner__c`.
pub(super) fn foreign_key(relationship: &str) -> String {
    match relationship.strip_suffix("__r") {
        Some(name) => format!("{name}__c"),
        None => format!("{relationship}Id"),
    }
}

/// Names of a CRM are the same in any case.
pub(super) fn find<'a, T>(map: &'a BTreeMap<String, T>, name: &str) -> Option<&'a T> {
    map.get(name).or_else(|| {
        map.iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    })
}

/// The column with the record type, where a value map asks for it and the org has record types.
fn record_type(org: &Org, fields: &[Field]) -> Result<Option<Path>> {
    if fields.iter().all(|field| field.rules.by_record_type.is_empty()) {
        return Ok(None);
    }
    let has_types = org.own("Opportunity", "RecordTypeId")?;
    has_types.map(|_| Path::new(RECORD_TYPE)).transpose()
}

/// The query that reads an opportunity with everything that the mapping knows.
fn select(
    org: &Org,
    fields: &[Field],
    extra: [&Option<Path>; 5],
    line_key: &Option<Path>,
    quotes: Option<&Records>,
) -> Result<Select> {
    let of = |rows| {
        fields
            .iter()
            .filter(move |field| field.rows == rows)
            .flat_map(|field| field.columns())
    };
    let mut children = Vec::new();
    if org.has_object(Rows::ContactRole.object()) {
        children.push(contact_roles(org, of(Rows::ContactRole))?);
    }
    if org.has_object(Rows::Line.object()) {
        children.push(lines(line_key, of(Rows::Line))?);
    }
    if let Some(quotes) = quotes {
        children.push(quotes.newest(distinct([quotes.key.clone()].into_iter().chain(of(Rows::Quote))))?);
    }
    let own = [Path::new("Id")?, Path::new("LastModifiedDate")?].into_iter();
    let own = own.chain(extra.into_iter().flatten().cloned());
    Ok(Select {
        fields: distinct(own.chain(of(Rows::Opportunity))),
        children,
        from: Path::new("Opportunity")?,
        filter: None,
        order: vec![],
        limit: None,
    })
}

/// Contact roles, the primary one first. What our user may not see of a role is not asked for.
fn contact_roles(org: &Org, mapped: impl Iterator<Item = Path>) -> Result<Select> {
    let object = Rows::ContactRole.object();
    let (primary, role) = (org.own(object, "IsPrimary")?, org.own(object, "Role")?);
    let own = [Path::new("Id")?].into_iter().chain(primary.clone()).chain(role);
    let by_age = [Order::Up(Path::new("CreatedDate")?), Order::Up(Path::new("Id")?)];
    Ok(Select {
        fields: distinct(own.chain(mapped)),
        children: vec![],
        from: Path::new("OpportunityContactRoles")?,
        filter: None,
        order: primary.map(Order::Down).into_iter().chain(by_age).collect(),
        limit: Some(CONTACT_ROLES),
    })
}

/// Line items, always in the same order: of two lines with one key the first has it.
fn lines(line_key: &Option<Path>, mapped: impl Iterator<Item = Path>) -> Result<Select> {
    let own = [Path::new("Id")?].into_iter().chain(line_key.clone());
    Ok(Select {
        fields: distinct(own.chain(mapped)),
        children: vec![],
        from: Path::new("OpportunityLineItems")?,
        filter: None,
        order: vec![Order::Up(Path::new("Id")?)],
        limit: None,
    })
}

/// Each path once; Salesforce refuses a column that is named twice.
pub(super) fn distinct(paths: impl Iterator<Item = Path>) -> Vec<Path> {
    let mut seen: Vec<Path> = Vec::new();
    for path in paths {
        if !seen
            .iter()
            .any(|known| known.as_str().eq_ignore_ascii_case(path.as_str()))
        {
            seen.push(path);
        }
    }
    seen
}
