//! A directory with a sandbox beside it, and the binary to run in it. Each test has its own; all ports are free ones.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, OnceLock};

use serde_json::{Value as Json, json};

/// What a command said and how it ended.
#[derive(Debug)]
pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Said {
    /// Standard output as JSON.
    pub fn json(&self) -> Json {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("no JSON ({error}): {self:?}"))
    }

    /// The same, if the command ended well.
    pub fn ok(self) -> Said {
        assert_eq!(self.code, 0, "{self:?}");
        self
    }
}

/// A fresh directory.
pub struct House {
    dir: tempfile::TempDir,
    /// A session of somebody else in the org: the org counts logins, 3,600 an hour for each person.
    somebody: Mutex<Option<String>>,
}

impl House {
    /// An empty directory.
    pub fn empty() -> House {
        House {
            dir: tempfile::tempdir().expect("a temporary directory"),
            somebody: Mutex::default(),
        }
    }

    /// With the scenario crm-sync in a sandbox of its own.
    pub fn seeded() -> House {
        let house = House::empty();
        house.seed();
        house
    }

    /// Loads the scenario crm-sync into a sandbox of its own.
    pub fn seed(&self) {
        let listen = "127.0.0.1:0";
        self.cpq(&[
            "seed",
            "--scenario",
            "crm-sync",
            "--sandbox-listen",
            listen,
            "--sandbox-tls-listen",
            listen,
            "--sandbox-pubsub-listen",
            listen,
        ])
        .ok();
    }

    /// With a connection too.
    pub fn connected() -> House {
        let house = House::seeded();
        house.cpq(&["auth", "connect-crm"]).ok();
        house
    }

    /// With the first sync of OPP-4482 done.
    pub fn synced() -> House {
        let house = House::connected();
        house.cpq(&["sync", "run", "--opportunity", "OPP-4482"]).ok();
        house
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    pub fn state(&self) -> PathBuf {
        self.path().join(".cpq")
    }

    /// A command in this directory, not yet run.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cpq"));
        command
            .args(args)
            .current_dir(self.path())
            .env_clear()
            .stdin(Stdio::null());
        command
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.path());
        command
    }

    /// Runs a command to its end.
    pub fn cpq(&self, args: &[&str]) -> Said {
        said(&mut self.command(args))
    }

    /// URL of the sandbox.
    pub fn sandbox(&self) -> String {
        let text = std::fs::read_to_string(self.state().join("sandbox.json")).expect("a sandbox runs");
        let listening: Json = serde_json::from_str(&text).expect("JSON");
        listening["url"].as_str().expect("a URL").to_owned()
    }

    /// A call to the control plane of the sandbox.
    pub fn control(&self, method: reqwest::Method, path: &str, body: &Json) -> Json {
        let url = format!("{}{path}", self.sandbox());
        let (status, text) = http(method, &url, &[], &body.to_string());
        assert!(status < 300, "{path}: {status} {text}");
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// Sets the fault plan.
    pub fn faults(&self, rules: Json) {
        self.control(
            reqwest::Method::POST,
            "/sandbox/faults",
            &json!({ "rules": rules }),
        );
    }

    /// How often the first fault rule fired.
    pub fn fired(&self) -> u64 {
        self.fired_each()[0]
    }

    /// How often each fault rule fired.
    pub fn fired_each(&self) -> Vec<u64> {
        let plan = self.control(reqwest::Method::GET, "/sandbox/faults", &json!(null));
        let rules = plan["rules"]
            .as_array()
            .unwrap_or_else(|| panic!("no rules in {plan}"));
        let fired = |rule: &Json| {
            rule["fired"]
                .as_u64()
                .unwrap_or_else(|| panic!("no counter in {plan}"))
        };
        rules.iter().map(fired).collect()
    }

    /// Rows of a query in the sandbox, past the product.
    pub fn soql(&self, query: &str) -> Vec<Json> {
        let encoded: String = url::form_urlencoded::byte_serialize(query.as_bytes()).collect();
        let found = self.crm(reqwest::Method::GET, &format!("query?q={encoded}"), &json!(null));
        found["records"]
            .as_array()
            .unwrap_or_else(|| panic!("{found}"))
            .clone()
    }

    /// A call to the data API of the sandbox, past the product, as somebody else in the org.
    pub fn crm(&self, method: reqwest::Method, path: &str, body: &Json) -> Json {
        let url = format!("{}/services/data/v68.0/{path}", self.sandbox());
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let call = |token: &str| {
            let bearer = format!("Bearer {token}");
            http(method.clone(), &url, &[("authorization", &bearer)], &body)
        };
        let (mut status, mut text) = call(&self.session(false));
        if status == 401 {
            (status, text) = call(&self.session(true));
        }
        assert!(status < 300, "{path}: {status} {text}");
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// The session of somebody else, or a new one in its place.
    fn session(&self, renewed: bool) -> String {
        let mut somebody = self.somebody.lock().expect("a session");
        if renewed || somebody.is_none() {
            *somebody = Some(self.crm_token());
        }
        somebody.clone().expect("it is there by now")
    }

    /// A new session of somebody else in the org.
    pub fn crm_token(&self) -> String {
        let info = self.control(reqwest::Method::GET, "/sandbox/info", &json!(null));
        let text = |name: &str| info[name].as_str().expect("a text").to_owned();
        let form = format!(
            "grant_type=password&client_id={}&client_secret={}&username={}&password={}",
            text("clientId"),
            text("clientSecret"),
            text("username"),
            text("password")
        );
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        let url = format!("{}/services/oauth2/token", self.sandbox());
        let (_, token) = http(reqwest::Method::POST, &url, &headers, &form);
        let token: Json = serde_json::from_str(&token).expect("JSON");
        token["access_token"].as_str().expect("a token").to_owned()
    }

    /// Starts `cpq serve` on a free port.
    pub fn serve(&self) -> Service {
        self.serve_with(&[])
    }

    /// The same with environment variables.
    pub fn serve_with(&self, env: &[(&str, &str)]) -> Service {
        self.serve_at("127.0.0.1:0", env, Stdio::null())
    }

    /// The same on a chosen address, with its log to `log`.
    pub fn serve_at(&self, listen: &str, env: &[(&str, &str)], log: impl Into<Stdio>) -> Service {
        // Reading changes calls the CRM beside the syncs that most tests count.
        self.start(&["serve", "--listen", listen, "--changes", "off"], env, log)
    }

    /// The same on a free port with these arguments.
    pub fn serve_as(&self, args: &[&str], env: &[(&str, &str)]) -> Service {
        let args = [&["serve", "--listen", "127.0.0.1:0"], args].concat();
        self.start(&args, env, Stdio::null())
    }

    fn start(&self, args: &[&str], env: &[(&str, &str)], log: impl Into<Stdio>) -> Service {
        let mut command = self.command(args);
        command
            .envs(env.iter().copied())
            .stdout(Stdio::piped())
            .stderr(log);
        Service::of(command, || self.token())
    }

    /// A token with every scope.
    pub fn token(&self) -> String {
        let scopes = self.cpq(&["token", "scopes"]).ok().out;
        let mut args = vec!["token", "create", "--client", "tests"];
        scopes.lines().for_each(|scope| args.extend(["--scope", scope]));
        self.cpq(&args).ok().out.trim().to_owned()
    }
}

impl Drop for House {
    fn drop(&mut self) {
        if self.state().join("sandbox.json").exists() {
            self.cpq(&["sandbox", "stop"]);
        }
    }
}

/// A running service.
pub struct Service {
    child: Child,
    pub url: String,
    pub token: String,
}

impl Service {
    /// Starts it by a command, and takes the token once it listens.
    pub fn of(mut command: Command, token: impl FnOnce() -> String) -> Service {
        let mut child = command.spawn().expect("the service starts");
        let mut line = String::new();
        let mut out = BufReader::new(child.stdout.take().expect("a pipe"));
        out.read_line(&mut line)
            .expect("the service says where it listens");
        let url = line
            .trim()
            .strip_prefix("cpq=")
            .unwrap_or_else(|| panic!("said {line:?}"))
            .to_owned();
        // Whatever becomes of the token, the service is ended with this.
        let mut service = Service {
            child,
            url,
            token: String::new(),
        };
        service.token = token();
        service
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// A call with the token: status and body.
    pub fn call(
        &self,
        method: reqwest::Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> (u16, String) {
        let bearer = format!("Bearer {}", self.token);
        let mut all = vec![("authorization", bearer.as_str())];
        if !body.is_empty() {
            all.push(("content-type", "application/json"));
        }
        all.extend_from_slice(headers);
        http(method, &format!("{}{path}", self.url), &all, body)
    }

    /// The same, with the body as JSON.
    pub fn json(
        &self,
        method: reqwest::Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &Json,
    ) -> (u16, Json) {
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let (status, text) = self.call(method, path, headers, &body);
        (
            status,
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}: {text}")),
        )
    }

    /// Asks it to end, as a service manager does, and waits until it has.
    pub fn end(mut self) {
        let pid = self.pid().to_string();
        let asked = Command::new("kill").args(["-TERM", &pid]).status();
        assert!(asked.expect("kill runs").success());
        let status = self.child.wait().expect("it ends");
        assert!(status.success(), "{status}");
    }

    /// kill -9.
    pub fn kill(mut self) {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("it ends");
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It may have been killed by the test already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a command to its end.
pub fn said(command: &mut Command) -> Said {
    let output = command.output().expect("the binary runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    Said {
        code: output.status.code().unwrap_or(-1),
        out: text(output.stdout),
        err: text(output.stderr),
    }
}

/// One HTTP call on a connection of its own: status and body.
pub fn http(method: reqwest::Method, url: &str, headers: &[(&str, &str)], body: &str) -> (u16, String) {
    let (runtime, client) = caller();
    runtime.block_on(async {
        let mut request = client.request(method, url).body(body.to_owned());
        if !body.is_empty() && !headers.iter().any(|(name, _)| *name == "content-type") {
            request = request.header("content-type", "application/json");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = request
            .send()
            .await
            .unwrap_or_else(|error| panic!("{url}: {error}"));
        (answer.status().as_u16(), answer.text().await.expect("a body"))
    })
}

/// Made once: reading the certificates of the machine takes longer than a call.
fn caller() -> &'static (tokio::runtime::Runtime, reqwest::Client) {
    static CALLER: OnceLock<(tokio::runtime::Runtime, reqwest::Client)> = OnceLock::new();
    CALLER.get_or_init(|| {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        // Services are killed between two calls, so no connection is kept.
        let client = reqwest::Client::builder()
            .no_proxy()
            .pool_max_idle_per_host(0)
            .build()
            .expect("a client");
        (runtime, client)
    })
}

/// Asks until the answer is there; panics with the last one after ten seconds.
pub fn until<T: std::fmt::Debug>(what: &str, ask: impl Fn() -> T, is: impl Fn(&T) -> bool) -> T {
    let mut last = ask();
    for _ in 0..200 {
        if is(&last) {
            return last;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
        last = ask();
    }
    panic!("{what} did not come; the last answer was {last:?}");
}
