//! Whether rules fit the org: said when they are declared, so that nothing has to be said when they fire.

use super::condition::{Condition, On};
use super::{Callout, OutboundMessage, Rules, endpoint, merge, signature};
use crate::org::Org;
use crate::schema::{Kind, Object};
use http::{HeaderName, HeaderValue, header};
use std::collections::HashSet;

/// Most rules of each kind; every change of a record looks at each of them.
pub const MAX_RULES: usize = 50;
/// Longest name; the Metadata API allows about this.
const MAX_NAME: usize = 80;
/// Longest body of a callout before it is filled in.
const MAX_TEMPLATE: usize = 64 * 1024;
/// Most merge fields of a callout: each may be filled with a long text.
const MAX_MERGE_FIELDS: usize = 200;
/// Most headers of a callout.
const MAX_HEADERS: usize = 50;
/// Longest that a callout may wait (Apex Developer Guide, Callout Limits and Limitations).
const MAX_TIMEOUT_MILLIS: u64 = 120_000;
/// Most tries of a callout.
const MAX_ATTEMPTS: u32 = 20;
/// Versions that a message can speak of.
const VERSIONS: std::ops::RangeInclusive<u32> = 8..=68;
/// Headers that belong to the connection.
const RESERVED: [HeaderName; 5] = [
    header::HOST,
    header::CONTENT_LENGTH,
    header::CONNECTION,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// Whether these rules fit the org.
///
/// # Errors
/// A sentence that names the rule and what is wrong with it.
pub fn check(org: &Org, rules: &Rules) -> Result<(), String> {
    names(
        "outbound messages",
        rules.outbound_messages.iter().map(|rule| &rule.name),
    )?;
    names("callouts", rules.callouts.iter().map(|rule| &rule.name))?;
    for rule in &rules.outbound_messages {
        outbound_message(org, rule).map_err(|why| format!("outbound message {}: {why}", rule.name))?;
    }
    for rule in &rules.callouts {
        callout(org, rule).map_err(|why| format!("callout {}: {why}", rule.name))?;
    }
    rules.muted_users.iter().try_for_each(|name| user(org, name))
}

fn names<'a>(kind: &str, names: impl Iterator<Item = &'a String>) -> Result<(), String> {
    let mut seen = HashSet::new();
    for name in names {
        let letters = name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        let begins = name.starts_with(|first: char| first.is_ascii_alphabetic());
        if !letters || !begins || name.len() > MAX_NAME {
            return Err(format!(
                "{kind}: '{name}' is no API name: a letter, then at most {} letters, digits and underscores",
                MAX_NAME - 1
            ));
        }
        if !seen.insert(name) {
            return Err(format!("{kind}: there are two of the name {name}"));
        }
    }
    match seen.len() > MAX_RULES {
        true => Err(format!("{kind}: at most {MAX_RULES} are allowed")),
        false => Ok(()),
    }
}

fn outbound_message(org: &Org, rule: &OutboundMessage) -> Result<(), String> {
    if rule
        .when
        .on
        .iter()
        .any(|on| matches!(on, On::Delete | On::Undelete))
    {
        return Err("deletes and undeletes never send an outbound message".to_owned());
    }
    let version = rule
        .api_version
        .strip_suffix(".0")
        .and_then(|number| number.parse().ok());
    if !version.is_some_and(|number: u32| VERSIONS.contains(&number)) {
        return Err(format!("apiVersion {} is not one such as 68.0", rule.api_version));
    }
    if let Some(name) = &rule.integration_user {
        user(org, name)?;
    }
    aimed(org, &rule.object, &rule.when, &rule.fields, &rule.endpoint_url)
}

fn callout(org: &Org, rule: &Callout) -> Result<(), String> {
    aimed(org, &rule.object, &rule.when, &rule.fields, &rule.endpoint_url)?;
    if !(1..=MAX_TIMEOUT_MILLIS).contains(&rule.timeout_millis) {
        return Err(format!("timeoutMillis is between 1 and {MAX_TIMEOUT_MILLIS}"));
    }
    if rule
        .retry
        .is_some_and(|retry| !(1..=MAX_ATTEMPTS).contains(&retry.attempts))
    {
        return Err(format!("retry.attempts is between 1 and {MAX_ATTEMPTS}"));
    }
    if let Some(secret) = &rule.secret {
        signature::key(secret)?;
    }
    let schema = org.schema();
    let object = schema.object(&rule.object).ok_or("its object is gone")?;
    if let Some(body) = &rule.body {
        if body.to_string().len() > MAX_TEMPLATE {
            return Err(format!("its body is longer than {MAX_TEMPLATE} bytes"));
        }
        merge::check(object, body)?;
    }
    let texts: usize = rule.headers.values().map(|value| merge::count(value)).sum();
    if texts
        + rule
            .body
            .as_ref()
            .map_or(0, |body| merge::count(&body.to_string()))
        > MAX_MERGE_FIELDS
    {
        return Err(format!("at most {MAX_MERGE_FIELDS} merge fields are allowed"));
    }
    headers(object, rule)
}

fn headers(object: &Object, rule: &Callout) -> Result<(), String> {
    if rule.headers.len() > MAX_HEADERS {
        return Err(format!("at most {MAX_HEADERS} headers are allowed"));
    }
    for (name, value) in &rule.headers {
        let parsed = HeaderName::from_bytes(name.as_bytes());
        let parsed = parsed.map_err(|_| format!("'{name}' is no name of a header"))?;
        if RESERVED.contains(&parsed) {
            return Err(format!("the header {parsed} belongs to the connection"));
        }
        HeaderValue::from_bytes(value.as_bytes())
            .map_err(|_| format!("the header {parsed} has a value that cannot be sent"))?;
        merge::check_text(object, value)?;
    }
    Ok(())
}

/// What both kinds have: an object, a condition and fields of it, an endpoint.
fn aimed(org: &Org, object: &str, when: &Condition, fields: &[String], url: &str) -> Result<(), String> {
    endpoint::check(url)?;
    let schema = org.schema();
    let object = schema
        .object(object)
        .ok_or_else(|| format!("there is no object {object}"))?;
    if when.on.is_empty() {
        return Err("'on' is empty, so it would never be sent".to_owned());
    }
    for name in fields.iter().chain(&when.changed) {
        field(object, name)?;
    }
    for criterion in &when.criteria {
        let at = field(object, &criterion.field)?;
        if let Some(why) = criterion.complaint(&object.fields[at]) {
            return Err(why);
        }
    }
    when.except_by.iter().try_for_each(|name| user(org, name))
}

/// Position of a field that can be sent and compared.
pub fn field(object: &Object, name: &str) -> Result<usize, String> {
    let at = object
        .position(name)
        .ok_or_else(|| format!("{} has no field {name}", object.name))?;
    match object.fields[at].kind {
        Kind::Address => Err(format!("{name} is a compound field; name its parts")),
        _ => Ok(at),
    }
}

fn user(org: &Org, name: &str) -> Result<(), String> {
    match org.user_by_username(name) {
        Some(_) => Ok(()),
        None => Err(format!("there is no user {name}")),
    }
}
