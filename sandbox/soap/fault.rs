//! Faults: always with HTTP 500, and with the code where clients look for it.

use super::dialect::Dialect;
use super::envelope::SOAP;
use super::xml::Xml;
use crate::org::ApiError;
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};

/// Why a call was refused as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The message is no call of this WSDL (SOAP 1.1 §4.4.1, `Client`); no detail.
    Client(String),
    /// It is no SOAP 1.1.
    Version,
    /// It has a header that must be understood and is not.
    Header(String),
    /// `login` failed; its code comes without prefix, as recorded.
    Login(&'static str, &'static str),
    /// Everything else, under a code of the WSDL's `ExceptionCode`.
    Api {
        /// The code.
        code: String,
        /// For people.
        text: String,
    },
}

impl Fault {
    /// A fault of the API.
    pub fn api(code: impl Into<String>, text: impl Into<String>) -> Self {
        Self::Api {
            code: code.into(),
            text: text.into(),
        }
    }

    /// What is not XML, or not to be read.
    pub fn unreadable(text: impl Into<String>) -> Self {
        Self::api("UNKNOWN_EXCEPTION", text)
    }

    /// The whole answer.
    pub fn written(&self, dialect: Dialect) -> Response {
        let mut xml = Xml::default();
        let (sf, xsi) = (dialect.of_faults(), "http://www.w3.org/2001/XMLSchema-instance");
        xml.0.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>");
        xml.open(&format!(
            "soapenv:Envelope xmlns:soapenv=\"{SOAP}\" xmlns:sf=\"{sf}\" xmlns:xsi=\"{xsi}\""
        ));
        xml.open("soapenv:Body");
        xml.open("soapenv:Fault");
        let (code, text) = self.code_and_text();
        xml.leaf("faultcode", &code);
        xml.leaf("faultstring", &text);
        self.detail(&mut xml);
        xml.close("soapenv:Fault");
        xml.close("soapenv:Body");
        xml.close("soapenv:Envelope");
        let head = [(header::CONTENT_TYPE, "text/xml;charset=UTF-8")];
        (StatusCode::INTERNAL_SERVER_ERROR, head, xml.0).into_response()
    }

    fn code_and_text(&self) -> (String, String) {
        match self {
            Self::Client(text) => ("soapenv:Client".to_owned(), text.clone()),
            Self::Version => (
                "soapenv:VersionMismatch".to_owned(),
                "The envelope is not one of SOAP 1.1".to_owned(),
            ),
            Self::Header(name) => (
                "soapenv:MustUnderstand".to_owned(),
                format!("The header {name} is not understood"),
            ),
            Self::Login(code, text) => ((*code).to_owned(), format!("{code}: {text}")),
            Self::Api { code, text } => (format!("sf:{code}"), format!("{code}: {text}")),
        }
    }

    fn detail(&self, xml: &mut Xml) {
        let (kind, code, text) = match self {
            Self::Login(code, text) => ("LoginFault", *code, *text),
            Self::Api { code, text } => (kind_of(code), code.as_str(), text.as_str()),
            Self::Client(_) | Self::Version | Self::Header(_) => return,
        };
        xml.open("detail");
        xml.open(&format!("sf:{kind} xsi:type=\"sf:{kind}\""));
        // Clients look for this with exactly this prefix.
        xml.leaf("sf:exceptionCode", code);
        xml.leaf("sf:exceptionMessage", text);
        if matches!(
            kind,
            "InvalidFieldFault" | "InvalidSObjectFault" | "MalformedQueryFault"
        ) {
            let (row, column) = place(text).unwrap_or((-1, -1));
            xml.leaf("sf:row", &row.to_string());
            xml.leaf("sf:column", &column.to_string());
        }
        xml.close(&format!("sf:{kind}"));
        xml.close("detail");
    }
}

impl From<ApiError> for Fault {
    fn from(error: ApiError) -> Self {
        Self::api(error.error_code, error.message)
    }
}

/// The type of the detail ("SOAP API Developer Guide", API Fault Element).
fn kind_of(code: &str) -> &'static str {
    match code {
        "INVALID_FIELD" => "InvalidFieldFault",
        "INVALID_TYPE" => "InvalidSObjectFault",
        "MALFORMED_QUERY" => "MalformedQueryFault",
        "INVALID_QUERY_LOCATOR" => "InvalidQueryLocatorFault",
        "MALFORMED_ID" => "InvalidIdFault",
        _ => "UnexpectedErrorFault",
    }
}

/// Where in the query it went wrong, as the message says it: `ERROR at Row:1:Column:8`.
fn place(text: &str) -> Option<(i64, i64)> {
    let (_, rest) = text.split_once("ERROR at Row:")?;
    let (row, rest) = rest.split_once(":Column:")?;
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    Some((row.parse().ok()?, rest[..digits].parse().ok()?))
}
