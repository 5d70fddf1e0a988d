//! `getUserInfo` and `getServerTimestamp`.

use super::call::{Call, no_session};
use super::fault::Fault;
use super::xml::Xml;
use crate::oauth::Session;
use crate::org::{Id, Org, User, Value};
use crate::state::{Sandbox, lock};

/// The answer to `getUserInfo`.
///
/// # Errors
/// `INVALID_SESSION_ID` when the user is gone.
pub fn result(call: &Call<'_>, session: &Session) -> Result<Xml, Fault> {
    let user = lock(&call.sandbox.org).user(&session.user_id);
    let user = user.ok_or_else(|| no_session(&session.user_id))?;
    let mut xml = Xml::default();
    xml.open("result");
    info(&mut xml, call.sandbox, &user);
    xml.close("result");
    Ok(xml)
}

/// The answer to `getServerTimestamp`, to the millisecond.
pub fn timestamp(call: &Call<'_>) -> Xml {
    let now = call.visit.now(call.sandbox);
    let mut xml = Xml::default();
    xml.open("result");
    xml.leaf("timestamp", &now.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string());
    xml.close("result");
    xml
}

/// `true` or `false`.
pub fn is_sandbox(sandbox: &Sandbox) -> &'static str {
    let org = lock(&sandbox.org);
    written(of_organization(&org, "IsSandbox").is_true())
}

/// The elements of `GetUserInfoResult`, in the order of the WSDL.
pub fn info(xml: &mut Xml, sandbox: &Sandbox, user: &User) {
    let lifetime = sandbox.settings().session_lifetime_seconds.to_string();
    let org = lock(&sandbox.org);
    let name = of_organization(&org, "Name");
    let locale = of_organization(&org, "DefaultLocaleSidKey");
    let multi_currency = has_currencies(&org);
    let pairs = [
        ("accessibilityMode", Some("false")),
        ("chatterExternal", Some("false")),
        ("currencySymbol", (!multi_currency).then_some("$")),
        ("orgAttachmentFileSizeLimit", Some("5242880")),
        ("orgDefaultCurrencyIsoCode", Some(org.corporate_currency())),
        ("orgDefaultCurrencyLocale", locale.as_text()),
        ("orgDisallowHtmlAttachments", Some("false")),
        ("orgHasPersonAccounts", Some("false")),
        ("organizationId", Some(org.organization_id())),
        ("organizationMultiCurrency", Some(written(multi_currency))),
        ("organizationName", Some(name.as_text().unwrap_or_default())),
        ("profileId", Some(user.profile_id.as_str())),
        ("roleId", None),
        ("sessionSecondsValid", Some(lifetime.as_str())),
        (
            "userDefaultCurrencyIsoCode",
            multi_currency.then(|| org.corporate_currency()),
        ),
        ("userEmail", Some(user.email.as_str())),
        ("userFullName", Some(user.name.as_str())),
        ("userId", Some(user.id.as_str())),
        ("userLanguage", Some(user.language.as_str())),
        ("userLocale", Some(user.locale.as_str())),
        ("userName", Some(user.username.as_str())),
        ("userTimeZone", Some(user.time_zone.as_str())),
        ("userType", Some("Standard")),
        ("userUiSkin", Some("Theme3")),
    ];
    for (name, value) in pairs {
        xml.leaf_or_nil(name, value);
    }
}

fn of_organization(org: &Org, field: &str) -> Value {
    let at = org.schema().position("Organization");
    let id = Id::parse(org.organization_id());
    at.zip(id).map_or(Value::Null, |(at, id)| org.peek(at, id, field))
}

fn has_currencies(org: &Org) -> bool {
    let schema = org.schema();
    let opportunity = schema.object("Opportunity");
    opportunity.is_some_and(|object| object.field("CurrencyIsoCode").is_some())
}

fn written(flag: bool) -> &'static str {
    if flag { "true" } else { "false" }
}
