//! The suite's own hands in the CRM: it makes and removes records as a person or another program would, past the
//! adapter that is under test.

use std::time::Duration;

use cpq_auth::Session;
use cpq_domain::Result;
use cpq_domain::error::{Code, Error};
use reqwest::{Method, StatusCode};
use secrecy::ExposeSecret;
use serde_json::{Value as Json, json};
use std::sync::Arc;

/// A REST client of the org under test.
pub struct Org {
    session: Arc<Session>,
    http: reqwest::Client,
    version: String,
}

impl Org {
    /// Speaks with the tokens of the connection under test.
    pub fn new(session: Arc<Session>, version: &str) -> Result<Org> {
        let http = reqwest::Client::builder()
            .timeout(Duration::from_secs(30))
            .build();
        let http =
            http.map_err(|error| Error::new(Code::Internal, "cannot make an HTTP client").cause(error))?;
        Ok(Org {
            session,
            http,
            version: version.to_owned(),
        })
    }

    /// Makes a record. Returns its id.
    pub async fn create(&self, object: &str, fields: Json) -> Result<String> {
        let made = self
            .call(Method::POST, &format!("/sobjects/{object}"), Some(&fields))
            .await?;
        made["id"]
            .as_str()
            .map(str::to_owned)
            .ok_or_else(|| unexpected(object, &made))
    }

    /// Changes a record.
    pub async fn update(&self, object: &str, id: &str, fields: Json) -> Result<()> {
        self.call(Method::PATCH, &format!("/sobjects/{object}/{id}"), Some(&fields))
            .await
            .map(drop)
    }

    /// Deletes a record; one that is gone already is fine.
    pub async fn delete(&self, object: &str, id: &str) -> Result<()> {
        match self
            .call(Method::DELETE, &format!("/sobjects/{object}/{id}"), None)
            .await
        {
            Err(error) if error.code == Code::RecordNotFound => Ok(()),
            done => done.map(drop),
        }
    }

    /// A record's fields.
    pub async fn fetch(&self, object: &str, id: &str) -> Result<Json> {
        self.call(Method::GET, &format!("/sobjects/{object}/{id}"), None)
            .await
    }

    /// Rows of a query. The text is the suite's own; nothing of a user goes into it.
    pub async fn query(&self, soql: &str) -> Result<Vec<Json>> {
        let encoded: String = url::form_urlencoded::byte_serialize(soql.as_bytes()).collect();
        let found = self
            .call(Method::GET, &format!("/query?q={encoded}"), None)
            .await?;
        Ok(found["records"].as_array().cloned().unwrap_or_default())
    }

    /// Ends the access token in use, as an administrator or a timeout would.
    pub async fn revoke_access_token(&self) -> Result<()> {
        let access = self.session.access().await?;
        let form = [("token", access.token.expose_secret())];
        let url = format!("{}/services/oauth2/revoke", access.instance_url);
        let answer = self.http.post(url).form(&form).send().await.map_err(no_answer)?;
        match answer.status().is_success() {
            true => Ok(()),
            false => Err(Error::new(
                Code::CrmRejected,
                format!("the CRM does not revoke a token: {}", answer.status()),
            )),
        }
    }

    async fn call(&self, method: Method, path: &str, body: Option<&Json>) -> Result<Json> {
        let access = self.session.access().await?;
        let (status, answer) = self.once(&access, &method, path, body).await?;
        let (status, answer) = match status {
            StatusCode::UNAUTHORIZED => {
                let access = self.session.renew(access.generation).await?;
                self.once(&access, &method, path, body).await?
            }
            _ => (status, answer),
        };
        match status {
            status if status.is_success() => Ok(answer),
            StatusCode::NOT_FOUND => Err(Error::new(
                Code::RecordNotFound,
                format!("{method} {path} found nothing"),
            )),
            status => Err(
                Error::new(Code::CrmRejected, format!("{method} {path} was refused")).upstream(
                    status.as_u16(),
                    answer[0]["errorCode"].as_str().unwrap_or_default(),
                    answer.to_string(),
                ),
            ),
        }
    }

    async fn once(
        &self,
        access: &cpq_auth::Access,
        method: &Method,
        path: &str,
        body: Option<&Json>,
    ) -> Result<(StatusCode, Json)> {
        let url = format!("{}/services/data/v{}{path}", access.instance_url, self.version);
        let request = self
            .http
            .request(method.clone(), url)
            .bearer_auth(access.token.expose_secret());
        let request = match body {
            Some(body) => request.json(body),
            None => request,
        };
        let answer = request.send().await.map_err(no_answer)?;
        let status = answer.status();
        let text = answer.text().await.map_err(no_answer)?;
        Ok((status, serde_json::from_str(&text).unwrap_or(json!(text))))
    }
}

fn no_answer(error: reqwest::Error) -> Error {
    Error::new(Code::CrmUnavailable, "the CRM does not answer").cause(error.without_url())
}

fn unexpected(object: &str, answer: &Json) -> Error {
    Error::new(
        Code::ProtocolViolation,
        format!("creating {object} was answered with {answer}"),
    )
}
