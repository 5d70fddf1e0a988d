//! Outbound messages, spoilt: each is read as one, or refused.

use super::envelope;
use crate::limits::NOTIFICATIONS;
use crate::mutation::{cases, spoilt};

const MESSAGES: [&[u8]; 2] = [
    br#"<?xml version="1.0" encoding="UTF-8"?>
<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
 <soapenv:Body>
  <notifications xmlns="http://soap.sforce.com/2005/09/outbound">
   <OrganizationId>00D000000000001EAA</OrganizationId>
   <ActionId>04k000000000001AAA</ActionId>
   <SessionId xsi:nil="true"/>
   <EnterpriseUrl>https://acme.my.salesforce.com/services/Soap/c/68.0/00D</EnterpriseUrl>
   <PartnerUrl>https://acme.my.salesforce.com/services/Soap/u/68.0/00D</PartnerUrl>
   <Notification><Id>04l000000000001AAA</Id><sObject xsi:type="sf:Opportunity" xmlns:sf="urn:sobject.enterprise.soap.sforce.com"><sf:Id>006000000000001AAA</sf:Id><sf:Name>A &amp; B</sf:Name></sObject></Notification>
  </notifications>
 </soapenv:Body>
</soapenv:Envelope>"#,
    b"<!DOCTYPE a [<!ENTITY b \"&c;&c;\"><!ENTITY d SYSTEM \"file:///etc/passwd\">]><a>&b;</a>",
];

#[test]
fn a_spoilt_message_is_read_or_refused() {
    let mut taken = 0;
    for case in 0..cases() {
        match envelope::read(&spoilt(&MESSAGES, case)) {
            Ok(message) => {
                taken += 1;
                assert!((1..=NOTIFICATIONS).contains(&message.notifications.len()));
                for one in &message.notifications {
                    assert!(matches!(one.id.len(), 15 | 18), "{}", one.id);
                }
            }
            Err(error) => {
                let told = &error.message;
                assert!(told.len() < 4_000 && !told.contains("root:"), "{told}");
            }
        }
    }
    assert!(taken > 0, "nothing was taken");
}
