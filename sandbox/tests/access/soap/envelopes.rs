//! What is no call of the WSDL, and what must never get past the parser.

use super::{ENTERPRISE, PARTNER, SOAP, envelope, login};
use crate::house::house;

#[tokio::test]
async fn what_is_not_xml_is_an_unknown_exception() {
    let house = house().await;
    let bomb = "<!DOCTYPE a [<!ENTITY b \"bbbbbbbbbb\"><!ENTITY c \"&b;&b;&b;&b;&b;&b;&b;&b;\">]><a>&c;</a>";
    let external = "<!DOCTYPE a [<!ENTITY b SYSTEM \"file:///etc/passwd\">]><a>&b;</a>";
    let deep = format!("{}{}", "<a>".repeat(100_000), "</a>".repeat(100_000));
    let wide: String = (0..50_000).map(|n| format!(" a{n}=\"\"")).collect();
    let named: String = (0..50_000).map(|n| format!(" xmlns:a{n}=\"urn:{n}\"")).collect();
    for body in [
        String::new(),
        "not xml".to_owned(),
        "<a>&undefined;</a>".to_owned(),
        "<a><b></a></b>".to_owned(),
        "<a/><b/>".to_owned(),
        format!("{} trailing", envelope("", "<login/>")),
        bomb.to_owned(),
        external.to_owned(),
        deep,
        format!("<a{wide}/>"),
        format!("<a{named}/>"),
    ] {
        let said = house.soap("/services/Soap/u/59.0", body.clone()).await;
        let start: String = body.chars().take(80).collect();
        assert_eq!(said.fault(), (500, "sf:UNKNOWN_EXCEPTION".to_owned()), "{start}");
        assert_eq!(said.first("exceptionCode"), "UNKNOWN_EXCEPTION");
        assert!(!said.text.contains("root:"), "{}", said.text);
    }
}

#[tokio::test]
async fn the_bytes_may_be_of_any_common_encoding() {
    let house = house().await;
    let text = login(&house.info.username, &house.info.password);
    let without_declaration = text.split_once("?>").unwrap().1;
    let utf16 = |order: fn(u16) -> [u8; 2]| -> Vec<u8> {
        let text = format!("\u{feff}{without_declaration}");
        text.encode_utf16().flat_map(order).collect()
    };
    let latin1 = text.replace("utf-8", "ISO-8859-1").into_bytes();
    for body in [utf16(u16::to_le_bytes), utf16(u16::to_be_bytes), latin1] {
        assert_eq!(house.soap("/services/Soap/u/59.0", body).await.status, 200);
    }
    let broken = [text.as_bytes(), &[0xff]].concat();
    let said = house.soap("/services/Soap/u/59.0", broken).await;
    assert_eq!(said.fault().1, "sf:UNKNOWN_EXCEPTION");
}

#[tokio::test]
async fn namespaces_decide_and_prefixes_do_not() {
    let house = house().await;
    let right = login(&house.info.username, &house.info.password);
    let unavailable = |namespace: &str, name: &str| {
        format!(
            "No operation available for request {{{namespace}}}{name}, please check the WSDL for the service."
        )
    };
    // The enterprise endpoint knows no operation of the partner WSDL, and the other way round.
    let said = house.soap("/services/Soap/c/59.0", right.clone()).await;
    assert_eq!(said.fault(), (500, "soapenv:Client".to_owned()));
    assert_eq!(said.first("faultstring"), unavailable(PARTNER, "login"));
    let said = house
        .soap("/services/Soap/u/59.0", right.replace(PARTNER, ENTERPRISE))
        .await;
    assert_eq!(said.first("faultstring"), unavailable(ENTERPRISE, "login"));
    let said = house
        .soap("/services/Soap/u/59.0", envelope("", "<loginn/>"))
        .await;
    assert_eq!(said.first("faultstring"), unavailable(PARTNER, "loginn"));
    let said = house
        .soap(
            "/services/Soap/u/59.0",
            right.replace(SOAP, "http://www.w3.org/2003/05/soap-envelope"),
        )
        .await;
    assert_eq!(said.fault(), (500, "soapenv:VersionMismatch".to_owned()));
    let empty = format!("<e:Envelope xmlns:e=\"{SOAP}\"><e:Body/></e:Envelope>");
    assert_eq!(
        house.soap("/services/Soap/u/59.0", empty).await.fault().1,
        "soapenv:Client"
    );
    let header = "<x:Security xmlns:x=\"urn:x\" se:mustUnderstand=\"1\"/>";
    let said = house
        .soap("/services/Soap/u/59.0", envelope(header, "<login/>"))
        .await;
    assert_eq!(said.fault(), (500, "soapenv:MustUnderstand".to_owned()));
    let ignored = house
        .soap(
            "/services/Soap/u/59.0",
            envelope(&header.replace('1', "0"), "<login/>"),
        )
        .await;
    assert_eq!(ignored.fault().1, "INVALID_LOGIN");
}

#[tokio::test]
async fn addresses_that_lead_nowhere_say_so() {
    let house = house().await;
    let body = login(&house.info.username, &house.info.password);
    for (path, code) in [
        ("/services/Soap/u/99.0", "sf:UNSUPPORTED_API_VERSION"),
        ("/services/Soap/u/20.0", "sf:UNSUPPORTED_API_VERSION"),
        ("/services/Soap/u/banana", "sf:UNSUPPORTED_API_VERSION"),
        ("/services/Soap/m/59.0", "sf:FUNCTIONALITY_NOT_ENABLED"),
    ] {
        assert_eq!(
            house.soap(path, body.clone()).await.fault(),
            (500, code.to_owned())
        );
    }
    let get = house
        .http
        .get(house.url("/services/Soap/u/59.0"))
        .send()
        .await
        .unwrap();
    assert_eq!(get.status(), 405);
    let session = house.soap_session().await;
    let said = house.call(&session, "<convertLead/>").await;
    assert_eq!(said.fault(), (500, "sf:FUNCTIONALITY_NOT_ENABLED".to_owned()));
}
