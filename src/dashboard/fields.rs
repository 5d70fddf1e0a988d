//! Values and decisions, as people read them.

use cpq_domain::resolve::{Decision, Verdict};
use cpq_domain::run::Effect;
use cpq_domain::value::Value;

/// A value; a dash where there is none.
pub(crate) fn value(value: &Value) -> String {
    match value {
        Value::Null => "—".to_owned(),
        value => value.to_string(),
    }
}

/// The word of a closed list, as the API writes it.
pub(crate) fn word(of: &impl serde::Serialize) -> String {
    match serde_json::to_value(of) {
        Ok(serde_json::Value::String(word)) => word.replace('_', " "),
        _ => String::new(),
    }
}

/// A number of things of a name: `1 sync`, `3 syncs`, `2 failed tries`.
pub(crate) fn counted(number: &u64, of: &str) -> String {
    let number_shown = count(number);
    match (number, of.strip_suffix('y')) {
        (1, _) => format!("1 {of}"),
        (_, Some(stem)) => format!("{number_shown} {stem}ies"),
        (_, None) => format!("{number_shown} {of}s"),
    }
}

/// A text of ours in parts; those that stood between backticks are code.
pub(crate) fn told(text: &str) -> Vec<(bool, &str)> {
    let parts = text.split('`').enumerate();
    let parts = parts.map(|(at, part)| (at % 2 == 1, part));
    parts.filter(|(_, part)| !part.is_empty()).collect()
}

/// A count, in groups of three digits.
pub(crate) fn count(count: &u64) -> String {
    let digits = count.to_string();
    let places = digits.len();
    let grouped = digits.chars().enumerate().flat_map(|(at, digit)| {
        let space = at > 0 && (places - at).is_multiple_of(3);
        space.then_some('\u{202f}').into_iter().chain([digit])
    });
    grouped.collect()
}

/// What a sync ends as, in a sentence that begins with "it would".
pub(crate) fn effect(effect: Effect) -> &'static str {
    match effect {
        Effect::Written => "write",
        Effect::NoChange => "change nothing",
    }
}

/// Decisions that do something, or wait for a person; and the others.
pub(crate) fn rows<'a>(decisions: impl Iterator<Item = &'a Decision>) -> (Vec<Row>, Vec<Row>) {
    decisions.map(row).partition(|row| row.mark != "calm")
}

/// A decision as a row of a table.
pub(crate) struct Row {
    pub(crate) field: String,
    pub(crate) line: String,
    pub(crate) verdict: &'static str,
    pub(crate) mark: &'static str,
    pub(crate) owner: String,
    pub(crate) policy: String,
    pub(crate) crm: String,
    pub(crate) cpq: String,
    pub(crate) lost: Option<String>,
    pub(crate) reason: String,
}

/// What was decided about a field, and how that is shown.
pub(crate) fn verdict(of: Verdict) -> (&'static str, &'static str) {
    match of {
        Verdict::Agree => ("both agree", "calm"),
        Verdict::Keep => ("each keeps its own", "calm"),
        Verdict::ToCpq => ("CRM → CPQ", "write"),
        Verdict::ToCrm => ("CPQ → CRM", "write"),
        Verdict::ToBoth => ("to both", "write"),
        Verdict::Review => ("a person decides", "wait"),
        Verdict::Skip => ("takes no part", "calm"),
    }
}

fn row(decision: &Decision) -> Row {
    let (verdict, mark) = verdict(decision.verdict);
    Row {
        field: decision.field.to_string(),
        line: decision
            .line
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
        verdict,
        mark,
        owner: word(&decision.owner),
        policy: word(&decision.policy),
        crm: value(&decision.crm),
        cpq: value(&decision.cpq),
        lost: decision.lost.as_ref().map(value),
        reason: decision.reason.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_thing_is_not_many() {
        assert_eq!(counted(&1, "sync"), "1 sync");
        assert_eq!(counted(&0, "field"), "0 fields");
        assert_eq!(counted(&1_200, "failed try"), "1\u{202f}200 failed tries");
    }

    #[test]
    fn what_stands_between_backticks_is_code() {
        let parts = vec![(false, "run "), (true, "cpq sync list"), (false, " and look")];
        assert_eq!(told("run `cpq sync list` and look"), parts);
        assert_eq!(told("look"), vec![(false, "look")]);
    }
}
