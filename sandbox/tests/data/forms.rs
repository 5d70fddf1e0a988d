use crate::site::{Site, code};
use http::Method;
use sandbox::rest::{Form, xml_text};
use serde_json::{Value as Json, json};

fn raw(site: &mut Site, content_type: &str, body: &str) -> (u16, Json) {
    let headers = [("content-type", content_type)];
    let answer = site.ask_raw(Method::POST, "/sobjects/Account", &headers, body.as_bytes());
    (answer.status.as_u16(), answer.body.unwrap_or(Json::Null))
}

#[test]
fn bodies_are_json_or_xml() {
    let mut site = Site::new();
    assert_eq!(
        raw(&mut site, "application/json; charset=UTF-8", r#"{"Name": "A"}"#).0,
        201
    );
    let xml = "<?xml version='1.0'?><Account><Name>From XML</Name><NumberOfEmployees>5</NumberOfEmployees></Account>";
    assert_eq!(raw(&mut site, "application/xml", xml).0, 201);
    let row = site.one("SELECT NumberOfEmployees FROM Account WHERE Name = 'From XML'");
    assert_eq!(row["NumberOfEmployees"], json!(5));
    let broken = raw(&mut site, "text/xml", "<Account>");
    assert_eq!(code(&broken), (400, "XML_PARSER_ERROR".into()));
    for other in ["text/plain", "application/x-www-form-urlencoded"] {
        assert_eq!(
            code(&raw(&mut site, other, "Name=A")),
            (415, "UNSUPPORTED_MEDIA_TYPE".into())
        );
    }
}

#[test]
fn answers_take_the_form_that_was_asked_for() {
    let mut site = Site::new();
    let id = site.create("Account", json!({"Name": "A & B"}));
    let path = format!("/sobjects/Account/{id}?fields=Name");
    let answer = site.ask(Method::GET, &path, &[("accept", "application/xml")], &Json::Null);
    assert_eq!(answer.form, Form::Xml);
    let text = xml_text(&answer.body.expect("a body"));
    assert!(
        text.contains("<Account type=\"Account\"") && text.contains("<Name>A &amp; B</Name>"),
        "{text}"
    );
    let suffixed = site.ask(
        Method::GET,
        &format!("/sobjects/Account/{id}.xml"),
        &[],
        &Json::Null,
    );
    assert_eq!((suffixed.status.as_u16(), suffixed.form), (200, Form::Xml));
    let neither = site.ask(Method::GET, &path, &[("accept", "text/csv")], &Json::Null);
    assert_eq!((neither.status.as_u16(), neither.body), (406, None));
}

#[test]
fn complaints_about_json_say_where() {
    let mut site = Site::new();
    let text = |answer: (u16, Json)| {
        assert_eq!(code(&answer), (400, "JSON_PARSER_ERROR".into()));
        answer.1[0]["message"].as_str().expect("text").to_owned()
    };
    let message = text(raw(
        &mut site,
        "application/json",
        "{\"Name\": \"A\",\n  \"AnnualRevenue\" : \"abc\"}",
    ));
    assert!(
        message.starts_with("Cannot deserialize instance of currency from VALUE_STRING value abc")
            && message.ends_with("at [line:2, column:22]"),
        "{message}"
    );
    let message = text(raw(&mut site, "application/json", "{\"Name\": }"));
    assert!(
        message.starts_with("Unexpected character ('}' (code 125))"),
        "{message}"
    );
    assert!(
        text(raw(&mut site, "application/json", "{\"Name\": \"A\"")).starts_with("Unexpected end-of-input")
    );
}
