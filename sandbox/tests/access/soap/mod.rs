//! The SOAP API as jsforce, simple-salesforce and generated clients call and read it.

mod envelopes;
mod faults;
mod fuzz;
mod login;
mod objects;
mod older_clients;
mod queries;
mod records;
mod recycle_bin;

use crate::house::House;

pub const PARTNER: &str = "urn:partner.soap.sforce.com";
pub const ENTERPRISE: &str = "urn:enterprise.soap.sforce.com";
pub const SOAP: &str = "http://schemas.xmlsoap.org/soap/envelope/";

/// An answer with what stands in it.
pub struct Said {
    pub status: u16,
    pub text: String,
}

impl Said {
    /// Texts of all elements of this local name, in document order.
    pub fn all(&self, name: &str) -> Vec<String> {
        let document = roxmltree::Document::parse(&self.text).unwrap();
        let named = document
            .descendants()
            .filter(|node| node.tag_name().name() == name);
        named
            .map(|node| node.text().unwrap_or_default().to_owned())
            .collect()
    }

    /// The text of the first one.
    pub fn first(&self, name: &str) -> String {
        let all = self.all(name).into_iter().next();
        all.unwrap_or_else(|| panic!("no {name} in {}", self.text))
    }

    /// Status and code of a fault.
    pub fn fault(&self) -> (u16, String) {
        (self.status, self.first("faultcode"))
    }
}

pub fn envelope(header: &str, body: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><se:Envelope xmlns:se=\"{SOAP}\" \
         xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xmlns=\"{PARTNER}\">\
         <se:Header>{header}</se:Header><se:Body>{body}</se:Body></se:Envelope>"
    )
}

pub fn login(username: &str, password: &str) -> String {
    envelope(
        "",
        &format!("<login><username>{username}</username><password>{password}</password></login>"),
    )
}

impl House {
    /// Posts a message as it stands.
    pub async fn soap(&self, path: &str, body: impl Into<reqwest::Body>) -> Said {
        let request = self.http.post(self.url(path)).header("content-type", "text/xml");
        let answer = request
            .header("soapaction", "\"\"")
            .body(body)
            .send()
            .await
            .unwrap();
        Said {
            status: answer.status().as_u16(),
            text: answer.text().await.unwrap(),
        }
    }

    /// A session of the first user.
    pub async fn soap_session(&self) -> String {
        let body = login(&self.info.username, &self.info.password);
        self.soap("/services/Soap/u/59.0", body).await.first("sessionId")
    }

    /// A call of the partner API with this session and further header entries.
    pub async fn call_with(&self, session: &str, header: &str, body: &str) -> Said {
        let header = format!("<SessionHeader><sessionId>{session}</sessionId></SessionHeader>{header}");
        self.soap("/services/Soap/u/59.0", envelope(&header, body)).await
    }

    /// A call of the partner API with this session.
    pub async fn call(&self, session: &str, body: &str) -> Said {
        self.call_with(session, "", body).await
    }
}
