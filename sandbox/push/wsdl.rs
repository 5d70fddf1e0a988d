//! The WSDL of an outbound message, as people download it from Salesforce to generate a listener (SOAP API Developer
//! Guide, Understanding the Outbound Messaging WSDL).

use super::OutboundMessage;
use super::envelope::{LARGEST, OUTBOUND, SOBJECT, sent};
use crate::org::Org;
use crate::schema::Kind;
use crate::wire::escaped;

/// Namespace of ids.
const ENTERPRISE: &str = "urn:enterprise.soap.sforce.com";
const XSD: &str = "http://www.w3.org/2001/XMLSchema";

/// The WSDL of a rule; none when its object does not exist any more.
pub fn write(org: &Org, rule: &OutboundMessage) -> Option<String> {
    let schema = org.schema();
    let object = schema.object(&rule.object)?;
    let field = |at: usize| {
        let field = &object.fields[at];
        let kind = xml_type(field.kind);
        format!(
            "            <element name=\"{}\" nillable=\"true\" minOccurs=\"0\" type=\"{kind}\"/>\n",
            field.name
        )
    };
    let fields: String = sent(object, rule).into_iter().map(field).collect();
    Some(format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <definitions targetNamespace=\"{OUTBOUND}\" xmlns=\"http://schemas.xmlsoap.org/wsdl/\" \
         xmlns:soap=\"http://schemas.xmlsoap.org/wsdl/soap/\" xmlns:tns=\"{OUTBOUND}\" xmlns:xsd=\"{XSD}\" \
         xmlns:ent=\"{ENTERPRISE}\" xmlns:ens=\"{SOBJECT}\">\n  <types>\n{ids}{records}{messages}  </types>\n{port}\
         </definitions>\n",
        ids = ids(),
        records = records(&object.name, &fields),
        messages = messages(&object.name),
        port = port(&rule.endpoint_url),
    ))
}

fn schema(namespace: &str, content: &str) -> String {
    format!(
        "    <schema elementFormDefault=\"qualified\" xmlns=\"{XSD}\" targetNamespace=\"{namespace}\">\n{content}    </schema>\n"
    )
}

fn ids() -> String {
    schema(
        ENTERPRISE,
        r#"      <simpleType name="ID">
        <restriction base="xsd:string">
          <length value="18"/>
          <pattern value="[a-zA-Z0-9]{18}"/>
        </restriction>
      </simpleType>
"#,
    )
}

fn records(name: &str, fields: &str) -> String {
    schema(
        SOBJECT,
        &format!(
            r#"      <import namespace="{ENTERPRISE}"/>
      <complexType name="sObject">
        <sequence>
          <element name="fieldsToNull" type="xsd:string" nillable="true" minOccurs="0" maxOccurs="unbounded"/>
          <element name="Id" type="ent:ID" nillable="true"/>
        </sequence>
      </complexType>
      <complexType name="{name}">
        <complexContent>
          <extension base="ens:sObject">
            <sequence>
{fields}            </sequence>
          </extension>
        </complexContent>
      </complexType>
"#
        ),
    )
}

fn messages(name: &str) -> String {
    schema(
        OUTBOUND,
        &format!(
            r#"      <import namespace="{ENTERPRISE}"/>
      <import namespace="{SOBJECT}"/>
      <element name="notifications">
        <complexType>
          <sequence>
            <element name="OrganizationId" type="ent:ID"/>
            <element name="ActionId" type="ent:ID"/>
            <element name="SessionId" type="xsd:string" nillable="true"/>
            <element name="EnterpriseUrl" type="xsd:string"/>
            <element name="PartnerUrl" type="xsd:string"/>
            <element name="Notification" maxOccurs="{LARGEST}" type="tns:{name}Notification"/>
          </sequence>
        </complexType>
      </element>
      <complexType name="{name}Notification">
        <sequence>
          <element name="Id" type="ent:ID"/>
          <element name="sObject" type="ens:{name}"/>
        </sequence>
      </complexType>
      <element name="notificationsResponse">
        <complexType>
          <sequence>
            <element name="Ack" type="xsd:boolean"/>
          </sequence>
        </complexType>
      </element>
"#
        ),
    )
}

fn port(url: &str) -> String {
    format!(
        r#"  <message name="notificationsRequest">
    <part element="tns:notifications" name="request"/>
  </message>
  <message name="notificationsResponse">
    <part element="tns:notificationsResponse" name="response"/>
  </message>
  <portType name="NotificationPort">
    <operation name="notifications">
      <input message="tns:notificationsRequest"/>
      <output message="tns:notificationsResponse"/>
    </operation>
  </portType>
  <binding name="NotificationBinding" type="tns:NotificationPort">
    <soap:binding style="document" transport="http://schemas.xmlsoap.org/soap/http"/>
    <operation name="notifications">
      <soap:operation soapAction=""/>
      <input>
        <soap:body use="literal"/>
      </input>
      <output>
        <soap:body use="literal"/>
      </output>
    </operation>
  </binding>
  <service name="NotificationService">
    <port binding="tns:NotificationBinding" name="Notification">
      <soap:address location="{}"/>
    </port>
  </service>
"#,
        escaped(url)
    )
}

/// The type of a field; ids have the type of this WSDL.
fn xml_type(kind: Kind) -> &'static str {
    match kind {
        Kind::Id | Kind::Reference => "ent:ID",
        other => other.soap(),
    }
}
