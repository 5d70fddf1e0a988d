//! Entries of a mapping file as they are written, each part with its place.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::fault::Fault;
use cpq_domain::kind::Kind;

/// A part of an entry, and the bytes where it stands. A part of the built-in file stands nowhere.
#[derive(Clone, Debug)]
pub(super) struct At<T> {
    pub(super) value: T,
    pub(super) span: Range<usize>,
}

/// Digits after the point that can be asked for: as many as a quantity or price of the CPQ has.
const SCALE_MAX: u32 = 6;

/// Pairs of a value map, in the order of the CRM's values.
pub(super) type Pairs = Vec<(String, String)>;

/// One `[[field]]`.
#[derive(Clone, Debug, Default)]
pub(super) struct Entry {
    pub(super) name: At<String>,
    pub(super) object: Option<At<String>>,
    pub(super) path: Option<At<String>>,
    pub(super) kind: Option<At<Kind>>,
    pub(super) writable: Option<At<bool>>,
    pub(super) off: bool,
    pub(super) from_crm: Option<At<String>>,
    pub(super) to_crm: Option<At<String>>,
    pub(super) values: Option<At<Pairs>>,
    pub(super) by_record_type: Option<At<Vec<(String, Pairs)>>>,
    pub(super) default: Option<At<String>>,
    pub(super) holds: Option<At<String>>,
    pub(super) scale: Option<At<u32>>,
    pub(super) country: Option<At<String>>,
    pub(super) country_path: Option<At<String>>,
    /// Line of the user's file.
    pub(super) line: Option<usize>,
}

impl<T: Default> Default for At<T> {
    fn default() -> Self {
        At {
            value: T::default(),
            span: 0..0,
        }
    }
}

impl Entry {
    /// Forgets where its parts stand: mistakes are told by the user's text.
    pub(super) fn unplace(&mut self) {
        self.line = None;
        self.name.span = 0..0;
        fn unplace<T>(part: &mut Option<At<T>>) {
            part.iter_mut().for_each(|part| part.span = 0..0);
        }
        unplace(&mut self.object);
        unplace(&mut self.path);
        unplace(&mut self.kind);
        unplace(&mut self.writable);
    }

    /// A user's entry on top of a built-in one.
    pub(super) fn lay_over(&mut self, over: Entry) {
        self.name = over.name;
        self.off = over.off;
        self.line = over.line;
        fn lay<T>(under: &mut Option<T>, over: Option<T>) {
            if over.is_some() {
                *under = over;
            }
        }
        lay(&mut self.object, over.object);
        lay(&mut self.path, over.path);
        lay(&mut self.kind, over.kind);
        lay(&mut self.writable, over.writable);
        lay(&mut self.from_crm, over.from_crm);
        lay(&mut self.to_crm, over.to_crm);
        lay(&mut self.values, over.values);
        lay(&mut self.by_record_type, over.by_record_type);
        lay(&mut self.default, over.default);
        lay(&mut self.holds, over.holds);
        lay(&mut self.scale, over.scale);
        lay(&mut self.country, over.country);
        lay(&mut self.country_path, over.country_path);
    }
}

/// A mapping file on its way to entries.
pub(super) struct Reader<'a> {
    /// Its name, for people.
    pub(super) file: &'a str,
    pub(super) text: &'a str,
    /// Everything that is wrong with it.
    pub(super) faults: Vec<Fault>,
}

type Table<'i> = DeTable<'i>;
type Cell<'i> = Spanned<DeValue<'i>>;

impl Reader<'_> {
    /// The entries. What is wrong is told in `faults`, and left out.
    pub(super) fn entries(&mut self) -> Vec<Entry> {
        let (root, errors) = DeTable::parse_recoverable(self.text);
        for error in errors {
            self.fault(error.span().unwrap_or(0..0), error.message().trim().to_owned());
        }
        let mut entries: Vec<Entry> = Vec::new();
        for (key, value) in root.get_ref() {
            match (key.get_ref().as_ref(), value.get_ref()) {
                ("field", DeValue::Array(list)) => {
                    for one in list.iter() {
                        entries.extend(self.entry(one));
                    }
                }
                ("field", _) => self.fault(key.span(), "begin each field with [[field]]"),
                (other, _) => self.fault(
                    key.span(),
                    format!("there is no key {other:?} here; begin each field with [[field]]"),
                ),
            }
        }
        self.twice(&entries);
        entries
    }

    pub(super) fn fault(&mut self, span: Range<usize>, message: impl Into<String>) {
        self.faults.push(Fault::at(self.file, self.text, span, message));
    }

    fn twice(&mut self, entries: &[Entry]) {
        for (at, entry) in entries.iter().enumerate() {
            if entries[..at]
                .iter()
                .any(|other| other.name.value == entry.name.value)
            {
                let message = format!(
                    "{} has an entry already; one field is one entry",
                    entry.name.value
                );
                self.fault(entry.name.span.clone(), message);
            }
        }
    }

    fn entry(&mut self, cell: &Cell) -> Option<Entry> {
        let Some(table) = cell.get_ref().as_table() else {
            self.fault(cell.span(), "begin each field with [[field]]");
            return None;
        };
        let mut entry = Entry {
            line: Some(
                self.text[..cell.span().start.min(self.text.len())]
                    .matches('\n')
                    .count()
                    + 1,
            ),
            ..Entry::default()
        };
        let mut named = false;
        for (key, value) in table {
            match key.get_ref().as_ref() {
                "name" => {
                    if let Some(name) = self.string(value) {
                        entry.name = name;
                        named = true;
                    }
                }
                "object" => entry.object = self.string(value),
                "path" => entry.path = self.string(value),
                "type" => entry.kind = self.kind(value),
                "writable" => entry.writable = self.flag(value),
                "off" => entry.off = self.flag(value).is_some_and(|off| off.value),
                "from_crm" => entry.from_crm = self.string(value),
                "to_crm" => entry.to_crm = self.string(value),
                "values" => entry.values = self.pairs(value),
                "values_by_record_type" => entry.by_record_type = self.by_record_type(value),
                "default" => entry.default = self.scalar(value),
                "holds" => entry.holds = self.string(value),
                "scale" => entry.scale = self.digits(value),
                "country" => entry.country = self.string(value),
                "country_path" => entry.country_path = self.string(value),
                other => self.fault(
                    key.span(),
                    format!(
                        "a field has no key {other:?}; `cpq mapping show --toml` tells those that there are"
                    ),
                ),
            }
        }
        if !named && !table.keys().any(|key| key.get_ref() == "name") {
            self.fault(cell.span(), "the field has no `name`");
        }
        named.then_some(entry)
    }

    fn string(&mut self, cell: &Cell) -> Option<At<String>> {
        let Some(text) = cell.get_ref().as_str() else {
            self.fault(cell.span(), "this must be a text in quotes");
            return None;
        };
        Some(At {
            value: text.to_owned(),
            span: cell.span(),
        })
    }

    fn flag(&mut self, cell: &Cell) -> Option<At<bool>> {
        let Some(value) = cell.get_ref().as_bool() else {
            self.fault(cell.span(), "this must be true or false");
            return None;
        };
        Some(At {
            value,
            span: cell.span(),
        })
    }

    fn kind(&mut self, cell: &Cell) -> Option<At<Kind>> {
        let At { value, span } = self.string(cell)?;
        let kind = Kind::named(&value);
        if kind.is_none() {
            let all: Vec<&str> = Kind::ALL.iter().map(|kind| kind.as_str()).collect();
            self.fault(
                span.clone(),
                format!("there is no type {value:?}; there are {}", all.join(", ")),
            );
        }
        kind.map(|value| At { value, span })
    }

    fn digits(&mut self, cell: &Cell) -> Option<At<u32>> {
        let number = cell
            .get_ref()
            .as_integer()
            .and_then(|number| number.as_str().parse().ok());
        let Some(value) = number.filter(|digits| *digits <= SCALE_MAX) else {
            self.fault(
                cell.span(),
                format!("this must be a number of digits from 0 to {SCALE_MAX}"),
            );
            return None;
        };
        Some(At {
            value,
            span: cell.span(),
        })
    }

    /// A value as text: what it means depends on the type of the field.
    fn scalar(&mut self, cell: &Cell) -> Option<At<String>> {
        let value = match cell.get_ref() {
            DeValue::String(text) => text.to_string(),
            DeValue::Integer(number) if number.radix() == 10 => number.as_str().replace('_', ""),
            DeValue::Float(number) => number.as_str().replace('_', ""),
            DeValue::Boolean(yes) => yes.to_string(),
            DeValue::Datetime(moment) => moment.to_string(),
            _ => {
                self.fault(cell.span(), "this must be a single value");
                return None;
            }
        };
        Some(At {
            value,
            span: cell.span(),
        })
    }

    fn pairs(&mut self, cell: &Cell) -> Option<At<Pairs>> {
        let Some(table) = cell.get_ref().as_table() else {
            self.fault(
                cell.span(),
                "write value maps as { \"CRM value\" = \"canonical value\" }",
            );
            return None;
        };
        let value = self.pairs_of(table);
        if table.is_empty() {
            self.fault(cell.span(), "the value map is empty");
        }
        Some(At {
            value,
            span: cell.span(),
        })
    }

    fn pairs_of(&mut self, table: &Table) -> Pairs {
        let mut pairs = Pairs::new();
        for (crm, ours) in table {
            if let Some(ours) = self.string(ours) {
                pairs.push((crm.get_ref().to_string(), ours.value));
            }
        }
        pairs
    }

    fn by_record_type(&mut self, cell: &Cell) -> Option<At<Vec<(String, Pairs)>>> {
        let Some(table) = cell.get_ref().as_table() else {
            self.fault(
                cell.span(),
                "write { RecordType = { \"CRM value\" = \"canonical value\" } }",
            );
            return None;
        };
        let mut value = Vec::new();
        for (record_type, pairs) in table {
            if let Some(pairs) = self.pairs(pairs) {
                value.push((record_type.get_ref().to_string(), pairs.value));
            }
        }
        Some(At {
            value,
            span: cell.span(),
        })
    }
}
