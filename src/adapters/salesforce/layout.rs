//! What this org really has: the field mapping in the light of a describe, and the query that follows from it.

use std::collections::BTreeMap;
use std::sync::Arc;

use cpq_domain::Result;
use cpq_domain::adapter::{Mapped, Mapping};
use cpq_domain::schema::{CrmSchema, FieldSchema};
use cpq_domain::value::Shape;
use cpq_domain::view::FieldName;

use super::config::Config;
use super::fields::{Field, Kind, RECORD_KEY, Rows};
use super::quote_record::Records;
use super::soql::{Order, Path, Select};
use crate::limits::CONTACT_ROLES;

/// Currency of amounts where neither the org nor the configuration names one.
const CURRENCY_FALLBACK: &str = "USD";

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
    /// Where each quote has a record of its own, if the org has the place.
    pub(crate) quotes: Option<Arc<Records>>,
    /// Where the correlation id is written.
    pub(crate) correlation: Option<Path>,
    /// `CurrencyIsoCode`, in a multi-currency org.
    pub(crate) currency_field: Option<Path>,
    /// Currency of an org that has only one.
    pub(crate) currency: String,
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
        let quotes = Records::find(config, &org, &mut mapping.warnings)?;
        let has_rows = |field: &&Field| field.rows != Rows::Quote || quotes.is_some();
        let fields: Vec<Field> = all
            .iter()
            .filter(has_rows)
            .filter(|field| org.admit(field, &mut mapping))
            .cloned()
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
        let line_key = org.own("OpportunityLineItem", &config.line_key_field)?;
        admit_lines(&org, &mut mapping);
        let correlation = org.optional("Opportunity", &config.correlation_field)?;
        Ok(Layout {
            described: schema.is_some(),
            select: select(
                &org,
                &fields,
                [&number, &currency_field, &author, &author_name],
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
            quotes,
            currency_field,
        })
    }

    /// A field that can be read, by its canonical name.
    pub(crate) fn field(&self, name: &FieldName) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == *name)
    }
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

/// Lines are read but not written.
fn admit_lines(org: &Org, mapping: &mut Mapping) {
    let object = Rows::Line.object();
    if !org.has_object(object) {
        mapping
            .warnings
            .push(format!("lines are not synced: {object} {MISSING}"));
        return;
    }
    let mapped = Mapped {
        path: object.to_owned(),
        writable: false,
        shape: Shape::default(),
    };
    mapping.fields.insert("line.exists".into(), mapped);
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
            (Rows::Quote, _) => self.createable(object, path) && self.updateable(object, path),
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

    fn missing(&self, field: &Field, place: &str) -> Option<String> {
        let row = field.rows.object();
        if let Some(relationship) = field.path.relationship().filter(|_| field.rows != Rows::Quote) {
            let key = foreign_key(relationship);
            if !self.has(row, &key) {
                return Some(format!("{row}.{key} {MISSING}"));
            }
        }
        (!self.has(field.object.as_str(), field.path.field())).then(|| format!("{place} {MISSING}"))
    }

    /// Digits after the point that the CRM keeps.
    fn shape(&self, field: &Field) -> Shape {
        let numeric = matches!(field.kind, Kind::Number | Kind::Money);
        let described = self.field(field.object.as_str(), field.path.field());
        Shape {
            scale: described.filter(|_| numeric).map(|described| described.scale),
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

/// The query that reads an opportunity with everything that the mapping knows.
fn select(
    org: &Org,
    fields: &[Field],
    extra: [&Option<Path>; 4],
    line_key: &Option<Path>,
    quotes: Option<&Records>,
) -> Result<Select> {
    let of = |rows| {
        fields
            .iter()
            .filter(move |field| field.rows == rows)
            .map(|field| field.path.clone())
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
fn distinct(paths: impl Iterator<Item = Path>) -> Vec<Path> {
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
