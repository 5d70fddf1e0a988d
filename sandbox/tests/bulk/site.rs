//! A sandbox on a free port with the demo scenario, and the calls that a client of bulk jobs makes.

use reqwest::{Client, Method, RequestBuilder};
use sandbox::{Options, Running, start};
use serde_json::{Value as Json, json};
use std::time::Duration;
use tempfile::TempDir;

/// Longest that a job may take on a busy machine before a test gives up.
const PATIENCE: Duration = Duration::from_secs(60);

pub struct Site {
    pub running: Running,
    pub http: Client,
    pub token: String,
    pub dir: TempDir,
}

/// An answer, read to its end.
pub struct Reply {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub text: String,
}

impl Reply {
    pub fn json(&self) -> Json {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// The only error of a refusal: status, code, message.
    pub fn refusal(&self) -> (u16, String, String) {
        let body = self.json();
        let errors = body.as_array().unwrap_or_else(|| panic!("no list: {body}"));
        assert_eq!(errors.len(), 1, "{body}");
        let text = |key: &str| errors[0][key].as_str().unwrap().to_owned();
        (self.status, text("errorCode"), text("message"))
    }

    /// Rows of a file in the default form.
    pub fn rows(&self) -> Vec<Vec<String>> {
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .from_reader(self.text.as_bytes());
        let rows = reader.records().map(|row| row.unwrap());
        rows.map(|row| row.iter().map(str::to_owned).collect()).collect()
    }
}

impl Site {
    pub async fn new() -> Site {
        Site::with(|_| {}).await
    }

    pub async fn with(change: impl FnOnce(&mut Options)) -> Site {
        Site::within(tempfile::tempdir().unwrap(), change).await
    }

    /// On what an earlier one has left in its directory.
    pub async fn within(dir: TempDir, change: impl FnOnce(&mut Options)) -> Site {
        let mut options = Options {
            state_dir: Some(dir.path().to_owned()),
            scenario: Some("crm-sync".to_owned()),
            ..Options::default()
        };
        change(&mut options);
        let mut site = Site {
            running: start(options).await.unwrap(),
            http: Client::new(),
            token: String::new(),
            dir,
        };
        site.log_in().await;
        site
    }

    pub async fn log_in(&mut self) {
        let info = &self.running.info;
        let request = self
            .http
            .post(self.url("/services/oauth2/token"))
            .basic_auth(&info.client_id, Some(&info.client_secret))
            .form(&[("grant_type", "client_credentials")]);
        let body: Json = request.send().await.unwrap().json().await.unwrap();
        self.token = body["access_token"].as_str().unwrap().to_owned();
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.running.info.instance_url)
    }

    /// A request; paths below `/services/data/v68.0/jobs` may be given without it.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let path = match path.starts_with("/services") || path.starts_with("/sandbox") {
            true => path.to_owned(),
            false => format!("/services/data/v68.0/jobs{path}"),
        };
        self.http
            .request(method, self.url(&path))
            .bearer_auth(&self.token)
    }

    pub async fn send(&self, request: RequestBuilder) -> Reply {
        let answer = request.send().await.unwrap();
        Reply {
            status: answer.status().as_u16(),
            headers: answer.headers().clone(),
            text: String::from_utf8(answer.bytes().await.unwrap().to_vec()).unwrap(),
        }
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.send(self.request(Method::GET, path)).await
    }

    pub async fn post(&self, path: &str, body: &Json) -> Reply {
        self.send(self.request(Method::POST, path).json(body)).await
    }

    pub async fn patch(&self, path: &str, body: &Json) -> Reply {
        self.send(self.request(Method::PATCH, path).json(body)).await
    }

    pub async fn delete(&self, path: &str) -> Reply {
        self.send(self.request(Method::DELETE, path)).await
    }

    pub async fn put(&self, path: &str, text: impl Into<reqwest::Body>) -> Reply {
        let request = self
            .request(Method::PUT, path)
            .header("content-type", "text/csv")
            .body(text);
        self.send(request).await
    }

    /// Calls to the sandbox itself.
    pub async fn control(&self, method: Method, path: &str, body: Json) -> Json {
        let reply = self.send(self.request(method, path).json(&body)).await;
        assert!((200..300).contains(&reply.status), "{path}: {}", reply.text);
        serde_json::from_str(&reply.text).unwrap_or(Json::Null)
    }

    pub async fn config(&self, body: Json) {
        self.control(Method::PATCH, "/sandbox/config", body).await;
    }

    /// Lets the clock run ahead; sessions do not outlive this.
    pub async fn pass(&mut self, seconds: i64) {
        let body = json!({"advanceSeconds": seconds});
        self.control(Method::POST, "/sandbox/clock", body).await;
        self.log_in().await;
    }

    /// Makes an ingest job and answers its id.
    pub async fn open(&self, properties: Json) -> String {
        let reply = self.post("/ingest", &properties).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        id_of(&reply.json())
    }

    pub async fn upload(&self, id: &str, text: &str) {
        let reply = self.put(&format!("/ingest/{id}/batches"), text.to_owned()).await;
        assert_eq!((reply.status, reply.text.as_str()), (201, ""));
    }

    pub async fn close(&self, id: &str) {
        let reply = self
            .patch(&format!("/ingest/{id}"), &json!({"state": "UploadComplete"}))
            .await;
        assert_eq!(reply.status, 200, "{}", reply.text);
    }

    /// Makes, fills and closes an ingest job.
    pub async fn start(&self, properties: Json, text: &str) -> String {
        let id = self.open(properties).await;
        self.upload(&id, text).await;
        self.close(&id).await;
        id
    }

    /// The same, until its end; answers the job as it is then.
    pub async fn load(&self, properties: Json, text: &str) -> Json {
        let id = self.start(properties, text).await;
        self.ended("ingest", &id).await
    }

    /// Makes a query job and waits for its end.
    pub async fn extract(&self, properties: Json) -> Json {
        let reply = self.post("/query", &properties).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        self.ended("query", &id_of(&reply.json())).await
    }

    /// The job once it has ended.
    pub async fn ended(&self, kind: &str, id: &str) -> Json {
        self.until(kind, id, |job| {
            ["JobComplete", "Failed", "Aborted"].contains(&state_of(job))
        })
        .await
    }

    /// The job once something is so.
    pub async fn until(&self, kind: &str, id: &str, so: impl Fn(&Json) -> bool) -> Json {
        let polls = async {
            loop {
                let job = self.get(&format!("/{kind}/{id}")).await.json();
                if so(&job) {
                    return job;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let job = tokio::time::timeout(PATIENCE, polls).await;
        job.expect("the job gets there")
    }

    /// A result set of an ingest job.
    pub async fn set(&self, job: &Json, name: &str) -> Reply {
        let reply = self.get(&format!("/ingest/{}/{name}", id_of(job))).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        reply
    }

    /// The errors of the refused rows.
    pub async fn errors(&self, job: &Json) -> Vec<String> {
        let rows = self.set(job, "failedResults").await.rows();
        rows.into_iter().skip(1).map(|row| row[1].clone()).collect()
    }

    /// Ids of the rows that were written.
    pub async fn written(&self, job: &Json) -> Vec<String> {
        let rows = self.set(job, "successfulResults").await.rows();
        rows.into_iter().skip(1).map(|row| row[0].clone()).collect()
    }

    /// Records of a query, without their attributes.
    pub async fn soql(&self, query: &str) -> Vec<Json> {
        self.records("query", query).await
    }

    pub async fn records(&self, resource: &str, query: &str) -> Vec<Json> {
        let path = format!("/services/data/v68.0/{resource}");
        let reply = self
            .send(self.request(Method::GET, &path).query(&[("q", query)]))
            .await;
        let mut body = reply.json();
        let records = body["records"]
            .as_array_mut()
            .unwrap_or_else(|| panic!("{}", reply.text));
        for record in records.iter_mut() {
            record.as_object_mut().unwrap().remove("attributes");
        }
        std::mem::take(records)
    }

    /// How many records there are.
    pub async fn count(&self, object: &str, condition: &str) -> u64 {
        let query = format!("SELECT COUNT() FROM {object} {condition}");
        let path = "/services/data/v68.0/query";
        let reply = self
            .send(self.request(Method::GET, path).query(&[("q", query)]))
            .await;
        reply.json()["totalSize"]
            .as_u64()
            .unwrap_or_else(|| panic!("{}", reply.text))
    }
}

pub fn id_of(job: &Json) -> String {
    job["id"].as_str().unwrap().to_owned()
}

pub fn state_of(job: &Json) -> &str {
    job["state"].as_str().unwrap()
}

/// Rows looked at, and those of them that were refused.
pub fn counts(job: &Json) -> (u64, u64) {
    let number = |key: &str| job[key].as_u64().unwrap_or_else(|| panic!("{key} in {job}"));
    (number("numberRecordsProcessed"), number("numberRecordsFailed"))
}

pub fn accounts(operation: &str) -> Json {
    json!({"object": "Account", "operation": operation})
}

/// A file of accounts with these numbers.
pub fn numbered(numbers: std::ops::Range<usize>) -> String {
    let rows = numbers.map(|number| format!("Account {number:06}\n"));
    std::iter::once("Name\n".to_owned()).chain(rows).collect()
}
