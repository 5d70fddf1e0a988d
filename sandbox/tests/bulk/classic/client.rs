//! The calls that a client of this API makes.

use crate::site::{Reply, Site};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value as Json, json};
use std::time::Duration;

/// Longest that a batch may take on a busy machine before a test gives up.
const PATIENCE: Duration = Duration::from_secs(60);
const NAMESPACE: &str = "http://www.force.com/2009/06/asyncapi/dataload";

/// The media type of a form.
pub fn media(form: &str) -> &'static str {
    match form {
        "CSV" => "text/csv",
        "JSON" => "application/json",
        _ => "application/xml",
    }
}

/// The text of the first element of this name.
pub fn element(text: &str, name: &str) -> Option<String> {
    let document = roxmltree::Document::parse(text).unwrap_or_else(|error| panic!("{error}: {text}"));
    let mut nodes = document.descendants();
    let node = nodes.find(|node| node.has_tag_name((NAMESPACE, name)))?;
    Some(node.text().unwrap_or_default().to_owned())
}

/// Status, code and message of a refusal in XML.
pub fn refusal(reply: &Reply) -> (u16, String, String) {
    assert_eq!(
        reply.header("content-type"),
        Some("application/xml"),
        "{}",
        reply.text
    );
    let text = |name| element(&reply.text, name).unwrap();
    (reply.status, text("exceptionCode"), text("exceptionMessage"))
}

/// Status and code of a refusal in XML.
pub fn code(reply: &Reply) -> (u16, String) {
    let (status, code, _) = refusal(reply);
    (status, code)
}

impl Site {
    /// A request with the session where this API has it.
    pub fn classic(&self, method: Method, path: &str) -> RequestBuilder {
        let url = self.url(&format!("/services/async/68.0/job{path}"));
        self.http
            .request(method, url)
            .header("X-SFDC-Session", &self.token)
    }

    /// A `GET` without a media type.
    pub async fn look(&self, path: &str) -> Reply {
        self.send(self.classic(Method::GET, path)).await
    }

    /// A `POST` of this text.
    pub async fn say(&self, path: &str, media: &str, text: impl Into<reqwest::Body>) -> Reply {
        let request = self.classic(Method::POST, path).header("content-type", media);
        self.send(request.body(text)).await
    }

    /// Makes a job from JSON, and answers its id.
    pub async fn classic_job(&self, operation: &str, form: &str, more: Json) -> String {
        let mut job = json!({"operation": operation, "object": "Account", "contentType": form});
        for (key, value) in more.as_object().unwrap() {
            job[key] = value.clone();
        }
        let reply = self.say("", "application/json", job.to_string()).await;
        assert_eq!(reply.status, 201, "{}", reply.text);
        reply.json()["id"].as_str().unwrap().to_owned()
    }

    /// Puts a batch in, and answers its id.
    pub async fn batch(&self, job: &str, form: &str, text: impl Into<reqwest::Body>) -> String {
        let reply = self.say(&format!("/{job}/batch"), media(form), text).await;
        assert_eq!(reply.status, 201, "{}", reply.text);
        match form {
            "JSON" => reply.json()["id"].as_str().unwrap().to_owned(),
            _ => element(&reply.text, "id").unwrap(),
        }
    }

    /// State and message of a batch once it has ended.
    pub async fn batch_end(&self, job: &str, batch: &str) -> (String, String) {
        let polls = async {
            loop {
                let text = self.look(&format!("/{job}/batch/{batch}")).await.text;
                let (state, why) = match text.starts_with('{') {
                    true => {
                        let info: Json = serde_json::from_str(&text).unwrap();
                        let text = |key: &str| info[key].as_str().map(str::to_owned);
                        (text("state"), text("stateMessage"))
                    }
                    false => (element(&text, "state"), element(&text, "stateMessage")),
                };
                let state = state.unwrap();
                if ["Completed", "Failed", "NotProcessed"].contains(&state.as_str()) {
                    return (state, why.unwrap_or_default());
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let end = tokio::time::timeout(PATIENCE, polls).await;
        end.expect("the batch gets there")
    }

    /// Makes a job with one batch and waits for its end; answers the results.
    pub async fn classic_load(&self, operation: &str, form: &str, text: &str) -> Reply {
        let job = self.classic_job(operation, form, json!({})).await;
        let batch = self.batch(&job, form, text.to_owned()).await;
        let end = self.batch_end(&job, &batch).await;
        assert_eq!(end, ("Completed".to_owned(), String::new()));
        self.look(&format!("/{job}/batch/{batch}/result")).await
    }

    /// Makes a query job and waits for its end; answers the records.
    pub async fn classic_query(&self, operation: &str, form: &str, soql: &str) -> Reply {
        let job = self.classic_job(operation, form, json!({})).await;
        let batch = self.batch(&job, form, soql.to_owned()).await;
        let end = self.batch_end(&job, &batch).await;
        assert_eq!(end, ("Completed".to_owned(), String::new()));
        let path = format!("/{job}/batch/{batch}/result");
        let list = self.look(&path).await;
        let result = match form {
            "JSON" => list.json()[0].as_str().unwrap().to_owned(),
            _ => element(&list.text, "result").unwrap(),
        };
        let reply = self.look(&format!("{path}/{result}")).await;
        assert_eq!(
            (reply.status, reply.header("content-type")),
            (200, Some(media(form)))
        );
        reply
    }
}
