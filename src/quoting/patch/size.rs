//! How much text a quote holds.

use cpq_domain::Result;
use cpq_domain::quote::{Line, Quote};
use cpq_domain::value::Value;

use crate::limits::TEXT_BYTES;
use crate::refusal;

/// Refuses a quote whose texts together would not fit a stored document.
pub(super) fn check(quote: &Quote) -> Result<()> {
    let lines: usize = quote.lines.iter().map(of_line).sum();
    let context: usize = quote.context.values().map(of_value).sum();
    let bytes = lines + context;
    if bytes <= TEXT_BYTES {
        return Ok(());
    }
    let field = if lines > context { "lines" } else { "context" };
    let why = format!("is too large: the quote would hold {bytes} bytes of text, and {TEXT_BYTES} bytes fit");
    Err(refusal::field(field, &why))
}

fn of_line(line: &Line) -> usize {
    line.sku.len() + line.name.len() + line.description.as_ref().map_or(0, String::len)
}

fn of_value(value: &Value) -> usize {
    match value {
        Value::Text(text) | Value::Choice(text) => text.len(),
        Value::Choices(set) => set.iter().map(String::len).sum(),
        _ => 0,
    }
}
