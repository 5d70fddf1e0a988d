//! What the CRM tells about opportunity, account and contacts, kept by canonical name.

use cpq_domain::Result;
use cpq_domain::quote::{Quote, READ_ONLY};
use cpq_domain::value::Value;
use cpq_domain::view::{FieldName, Patch};

use super::header::WRITABLE;
use crate::limits::{CONTEXT_CHARS, CONTEXT_CHOICES, CONTEXT_FIELDS, FIELD_NAME_CHARS};
use crate::refusal;

/// Keeps every field of the patch that the quote itself does not hold.
pub(super) fn write(quote: &mut Quote, patch: &Patch) -> Result<()> {
    let own = |field: &FieldName| WRITABLE.contains(&field.as_str()) || READ_ONLY.contains(&field.as_str());
    for (field, value) in patch.fields.iter().filter(|(field, _)| !own(field)) {
        if let Some(why) = name_fault(field).or_else(|| value_fault(value)) {
            return Err(refusal::field(field.as_str(), &why));
        }
        quote.context.insert(field.clone(), value.clone());
        if quote.context.len() > CONTEXT_FIELDS {
            let why = format!("is one too many: a quote keeps at most {CONTEXT_FIELDS} context fields");
            return Err(refusal::field(field.as_str(), &why));
        }
    }
    Ok(())
}

fn name_fault(field: &FieldName) -> Option<String> {
    let name = field.as_str();
    if field.is_line() {
        return Some("belongs to a line, not to the header".into());
    }
    let (object, rest) = name.split_once('.').unwrap_or_default();
    let word = |part: &str| !part.is_empty() && part.bytes().all(word_byte);
    if name.len() > FIELD_NAME_CHARS || !word(object) || !rest.split('.').all(word) {
        return Some(format!(
            "is no canonical field: write object.field in letters, digits and `_`, at most {FIELD_NAME_CHARS} characters"
        ));
    }
    None
}

fn word_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn value_fault(value: &Value) -> Option<String> {
    let long = |text: &str| text.chars().count() > CONTEXT_CHARS;
    match value {
        Value::Text(text) | Value::Choice(text) if long(text) => {
            Some(format!("is too long; at most {CONTEXT_CHARS} characters fit"))
        }
        Value::Choices(set) if set.len() > CONTEXT_CHOICES || set.iter().any(|text| long(text)) => Some(
            format!("has too many or too long choices; at most {CONTEXT_CHOICES} fit"),
        ),
        _ => None,
    }
}
