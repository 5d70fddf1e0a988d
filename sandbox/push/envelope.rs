//! The SOAP 1.1 envelope of an outbound message (SOAP API Developer Guide, Understanding the Outbound Messaging WSDL;
//! layout as in messages that were recorded in 2026).

use super::OutboundMessage;
use super::text;
use crate::org::{Id, Org, Row};
use crate::schema::{ID, Object};
use crate::wire::escaped;
use std::fmt::Write;

/// Namespace of the message and of its acknowledgement.
pub const OUTBOUND: &str = "http://soap.sforce.com/2005/09/outbound";
/// Namespace of the record.
pub const SOBJECT: &str = "urn:sobject.enterprise.soap.sforce.com";
/// Namespace of a SOAP 1.1 envelope.
pub const SOAP: &str = "http://schemas.xmlsoap.org/soap/envelope/";
/// Notifications in one envelope at most.
pub const LARGEST: usize = 100;

/// What is the same for all notifications of an envelope.
pub struct Sender<'a> {
    /// The outbound message.
    pub rule: &'a OutboundMessage,
    /// Its id.
    pub action: Id,
    /// A session to hand over.
    pub session: Option<&'a str>,
    /// Base URL of the org.
    pub base_url: &'a str,
}

/// The envelope over these notifications, each with its id and its record's, as the records are now.
pub fn write(org: &Org, sender: &Sender, notifications: &[(Id, Id)]) -> String {
    let organization = org.organization_id();
    let short = organization.get(..15).unwrap_or(organization);
    let url = |kind: &str| {
        let url = format!(
            "{}/services/Soap/{kind}/{}/{short}",
            sender.base_url, sender.rule.api_version
        );
        escaped(&url)
    };
    let session = match sender.session {
        Some(token) => format!("<SessionId>{}</SessionId>", escaped(token)),
        None => "<SessionId xsi:nil=\"true\"/>".to_owned(),
    };
    let records: String = notifications
        .iter()
        .map(|(id, record)| notification(org, sender.rule, *id, *record))
        .collect();
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <soapenv:Envelope xmlns:soapenv=\"{SOAP}\" xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\" \
         xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\">\n \
         <soapenv:Body>\n  <notifications xmlns=\"{OUTBOUND}\">\n   \
         <OrganizationId>{organization}</OrganizationId>\n   \
         <ActionId>{action}</ActionId>\n   {session}\n   \
         <EnterpriseUrl>{enterprise}</EnterpriseUrl>\n   \
         <PartnerUrl>{partner}</PartnerUrl>\n{records}  \
         </notifications>\n </soapenv:Body>\n</soapenv:Envelope>",
        action = sender.action,
        enterprise = url("c"),
        partner = url("u"),
    )
}

fn notification(org: &Org, rule: &OutboundMessage, id: Id, record: Id) -> String {
    let schema = org.schema();
    let Some(at) = schema.position(&rule.object) else {
        return String::new();
    };
    let object = schema.at(at);
    let mut out = format!(
        "   <Notification>\n    <Id>{id}</Id>\n    \
         <sObject xsi:type=\"sf:{name}\" xmlns:sf=\"{SOBJECT}\">\n     <sf:Id>{record}</sf:Id>\n",
        name = object.name,
    );
    // A record that was deleted meanwhile has no data any more.
    if let Some(row) = org.table(at).live(record) {
        for field in sent(object, rule) {
            element(&mut out, object, row, field);
        }
    }
    out.push_str("    </sObject>\n   </Notification>\n");
    out
}

fn element(out: &mut String, object: &Object, row: &Row, at: usize) {
    let field = &object.fields[at];
    if let Some(value) = text::of(&row.values[at], field.kind) {
        // Writing to a string does not fail.
        let _ = writeln!(out, "     <sf:{0}>{1}</sf:{0}>", field.name, escaped(&value));
    }
}

/// Positions of the fields that a message sends beside the id, in the order of their names: capitals first, as in
/// the WSDL, whose sequence binds both sides.
pub fn sent(object: &Object, rule: &OutboundMessage) -> Vec<usize> {
    let positions = rule.fields.iter().filter_map(|name| object.position(name));
    let mut fields: Vec<usize> = positions.filter(|at| *at != ID).collect();
    fields.sort_by(|a, b| object.fields[*a].name.cmp(&object.fields[*b].name));
    fields.dedup();
    fields
}
