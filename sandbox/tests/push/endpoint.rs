//! An endpoint: writes down what it is sent, and answers as it is told.

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, Uri};
use roxmltree::Document;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

/// Beyond this a test has failed; nothing waits so long when all is well.
pub const PATIENCE: Duration = Duration::from_secs(60);
pub const ACK: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/">
  <soapenv:Body>
    <notificationsResponse xmlns="http://soap.sforce.com/2005/09/outbound"><Ack>true</Ack></notificationsResponse>
  </soapenv:Body>
</soapenv:Envelope>"#;

pub enum Reply {
    Body(u16, String),
    /// Never answers.
    Hang,
}

pub struct Seen {
    pub path: String,
    pub headers: HeaderMap,
    pub body: String,
}

pub struct Endpoint {
    pub url: String,
    seen: mpsc::UnboundedReceiver<Seen>,
    desk: Arc<Desk>,
}

struct Desk {
    tell: mpsc::UnboundedSender<Seen>,
    /// Answers to come; when there are none, the usual one.
    replies: Mutex<VecDeque<Reply>>,
}

impl Endpoint {
    pub async fn start() -> Endpoint {
        let (tell, seen) = mpsc::unbounded_channel();
        let desk = Arc::new(Desk {
            tell,
            replies: Mutex::default(),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/in", listener.local_addr().unwrap());
        let router = Router::new().fallback(answer).with_state(desk.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Endpoint { url, seen, desk }
    }

    pub fn will(&self, replies: impl IntoIterator<Item = Reply>) {
        self.desk.replies.lock().unwrap().extend(replies);
    }

    pub fn will_fail(&self, times: usize) {
        self.will((0..times).map(|_| Reply::Body(500, String::new())));
    }

    pub async fn next(&mut self) -> Seen {
        let seen = tokio::time::timeout(PATIENCE, self.seen.recv()).await;
        seen.expect("the endpoint was sent nothing").unwrap()
    }

    /// What was sent and not looked at so far.
    pub fn left(&mut self) -> usize {
        self.seen.len()
    }
}

async fn answer(State(desk): State<Arc<Desk>>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let reply = desk.replies.lock().unwrap().pop_front();
    let body = String::from_utf8(body.to_vec()).unwrap();
    let path = uri.path().to_owned();
    desk.tell.send(Seen { path, headers, body }).unwrap();
    match reply {
        None => ACK.into_response(),
        Some(Reply::Body(status, body)) => (StatusCode::from_u16(status).unwrap(), body).into_response(),
        Some(Reply::Hang) => std::future::pending().await,
    }
}

impl Seen {
    pub fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// Id of each notification, with the local names and texts of its record's elements.
    pub fn notifications(&self) -> Vec<(String, Vec<(String, String)>)> {
        let document = Document::parse(&self.body).unwrap();
        let elements = document
            .descendants()
            .filter(|node| node.has_tag_name(("http://soap.sforce.com/2005/09/outbound", "Notification")));
        let read = |node: roxmltree::Node| {
            let mut parts = node.children().filter(roxmltree::Node::is_element);
            let id = parts.next().unwrap().text().unwrap().to_owned();
            let fields = parts
                .next()
                .unwrap()
                .children()
                .filter(roxmltree::Node::is_element);
            let pair = |field: roxmltree::Node| {
                (
                    field.tag_name().name().to_owned(),
                    field.text().unwrap_or_default().to_owned(),
                )
            };
            (id, fields.map(pair).collect())
        };
        elements.map(read).collect()
    }

    /// The records that the notifications are about.
    pub fn records(&self) -> Vec<String> {
        self.notifications()
            .into_iter()
            .map(|(_, fields)| fields[0].1.clone())
            .collect()
    }

    /// A field of the first notification's record.
    pub fn field(&self, name: &str) -> Option<String> {
        let (_, fields) = self.notifications().remove(0);
        fields
            .into_iter()
            .find(|(own, _)| own == name)
            .map(|(_, text)| text)
    }

    /// The text of the first element of this name.
    pub fn element(&self, name: &str) -> Option<String> {
        let document = Document::parse(&self.body).unwrap();
        let found = document
            .descendants()
            .find(|node| node.tag_name().name() == name)?;
        found.text().map(str::to_owned)
    }
}
